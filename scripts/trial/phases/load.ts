import { microblog } from '../../../client/microblog.ts'
import { Draw } from '../data/draw.ts'
import type { Dataset } from '../data/dataset.ts'
import { rounded } from '../figures.ts'
import type { Ledger } from '../model/ledger.ts'
import { settle } from '../model/settle.ts'
import { upload } from '../model/upload.ts'
import type { Draft, Writer } from '../model/writer.ts'
import type { Phase, Trial } from '../trial.ts'
import { announceNamed } from './dht.ts'

/** Everybody moves in at their nearest home, writes a profile, their posts, and follows others. */
export const load: Phase = {
  name: 'load',
  isNeeded: true,
  async run(trial: Trial) {
    const { dataset, processes, ledger, writer, figures, progress, signal } = trial
    for (const { number } of dataset.people) ledger.addPerson(number, writer.id(number))
    const startedMs = performance.now()
    const homes = processes.homes
    const of = homes.map(({ plan }) => dataset.people.filter(({ home }) => home === plan.home))
    await each(homes, async (node, i) => {
      await node.admin('schema.put', { schema: microblog.bytes }, { signal })
      const numbers = (of[i] ?? []).map(({ number }) => number)
      await settle(node, numbers, { writer, ledger, signal })
    })
    progress.say(`${dataset.people.length} people at six homes, each shard with its signed replica set`)
    await announceNamed(trial)
    const recordsStartedMs = performance.now()
    // Profiles, then posts, then follows: a stream then begins with one look at what is there.
    for (const stage of [profiles, posts, follows]) {
      await each(homes, (node, i) => {
        const here = new Set((of[i] ?? []).map(({ number }) => number))
        return upload(node, stage(dataset, writer, ledger, here), ledger, signal)
      })
      progress.say(`${stage.name}: ${ledger.records} records written`)
    }
    await plantNotes(trial)
    figures.users = dataset.people.length
    figures.recordsWritten = ledger.records
    figures.recordsPerS = Math.round(ledger.records / ((performance.now() - recordsStartedMs) / 1000))
    progress.say(`people and records in ${rounded((performance.now() - startedMs) / 1000)} s`)
  },
}

async function each<T>(
  all: readonly T[],
  action: (one: T, index: number) => Promise<unknown>,
): Promise<void> {
  await Promise.all(all.map(action))
}

type Stage = (dataset: Dataset, writer: Writer, ledger: Ledger, here: ReadonlySet<number>) => Iterable<Draft>

/** Before anything that was written: the first post is forty days old. */
const profileAgeMs = 45 * 86_400_000

const profiles: Stage = function* profiles({ people }, writer, _ledger, here) {
  const writtenMs = Date.now() - profileAgeMs
  for (const { number, name, bio, thumb, town } of people) {
    if (!here.has(number)) continue
    const value = { name, bio, place: town.scope, ...(thumb && { thumb }) }
    yield writer.write(number, 'profile', value, writtenMs)
  }
}

const posts: Stage = function* posts(dataset, writer, _ledger, here) {
  for (const { author, title, url, preview, writtenMs } of dataset.posts) {
    if (!here.has(author)) continue
    yield writer.write(
      author,
      'posts',
      { title, ...(url && { url }), ...(preview && { preview }) },
      writtenMs,
    )
  }
}

const follows: Stage = function* follows(dataset, writer, _ledger, here) {
  const writtenMs = Date.now() - profileAgeMs
  for (const [i, { follower, followed }] of dataset.follows.entries()) {
    if (!here.has(follower)) continue
    yield writer.write(follower, 'follows', { user: writer.id(followed) }, writtenMs + i)
  }
}

const notesPlanted = 200

/** Private notes, a few at each home: the disks are searched for their words in the end. */
async function plantNotes({ processes, ledger, writer, notes, signal }: Trial): Promise<void> {
  const draw = new Draw(24)
  for (const node of processes.homes) {
    const here = ledger.people.filter(({ home }) => home === node.plan.home)
    const drafts = draw.some(here, Math.ceil(notesPlanted / processes.homes.length)).map(({ number }) => {
      const text = `the spare key of person ${number} lies under flowerpot ${draw.whole(1e9)}`
      notes.push(text)
      return writer.writeNote(number, text, Date.now())
    })
    await upload(node, drafts, ledger, signal)
  }
}
