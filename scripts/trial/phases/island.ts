import { memoryKeyStore } from '../../../client/key-store.ts'
import { microblog } from '../../../client/microblog.ts'
import { pair } from '../../../client/identity/pairing.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { Draw } from '../data/draw.ts'
import { cut, heal } from '../cutting.ts'
import { converge } from '../model/equal.ts'
import { decode, readHome, sessionOf } from '../model/reading.ts'
import { hitsOf, searchAt } from '../model/searching.ts'
import { upload } from '../model/upload.ts'
import type { NodeProcess } from '../node-process.ts'
import { island as scope, isOnIsland, root } from '../plan.ts'
import type { Phase, Trial } from '../trial.ts'
import { until } from '../waiting.ts'

const writers = 20
const within = { withinMs: 15_000, everyMs: 100 } as const
const convergedWithinMs = 40_000

/** A whole continent is cut off: what its people need goes on there, the world says what it misses, nothing is lost. */
export const island: Phase = {
  name: 'island',
  async run(trial: Trial) {
    const { processes, ledger, writer, figures, progress, signal } = trial
    const here = processes.running.filter(({ plan }) => isOnIsland(plan))
    const there = processes.running.filter(({ plan }) => !isOnIsland(plan))
    const draw = new Draw(13)
    const islanders = ledger.people.filter(({ town }) => town.scope.startsWith(`${scope}/`))
    const abroad = ledger.people.filter(
      ({ town, home }) => !town.scope.startsWith(`${scope}/`) && processes.home(home) !== undefined,
    )
    const numbers = [...draw.some(islanders, writers), ...draw.some(abroad, writers)].map(
      ({ number }) => number,
    )
    await cut(here, there, signal)
    const went: string[] = []
    const stopped: string[] = []
    const attempt = async (what: string, action: () => Promise<void>): Promise<void> => {
      try {
        await action()
        went.push(what)
      } catch (error) {
        if (signal.aborted) throw error
        stopped.push(what)
        progress.say(`on the island: ${what} stops: ${(error as Error).message}`)
      }
    }
    let worldSaysMissing = false
    try {
      for (const number of numbers) {
        const node = processes.home(ledger.people[number]?.home ?? -1)
        const draft = writer.write(
          number,
          'posts',
          { title: `From the island days of ${number}` },
          Date.now(),
        )
        if (node !== undefined) await upload(node, [draft], ledger, signal)
      }
      await attempt('pages and posts', () => followedPostShows(trial))
      await attempt('pairing', () => pairPhone(processes.named('lagos'), signal))
      await attempt('local search', () => findsOwn(trial, numbers[0] ?? 0))
      worldSaysMissing = await saysMissing(trial)
    } finally {
      await heal(processes.running, signal)
    }
    progress.say(`on the island went on: ${went.join(', ')}`)
    const recordsLost = await converge(trial, numbers, ['posts'], convergedWithinMs)
    const again = await until(
      'a search of the world is whole again',
      { withinMs: 20_000, everyMs: 250, signal },
      async () => {
        const answer = await searchAt(processes.named('berlin').public, root, 'island days', signal)
        return answer.coverage.complete && answer.total >= numbers.length
      },
    ).catch((error: unknown) => {
      if (signal.aborted) throw error
      progress.say(`after healing: ${(error as Error).message}`)
      return false
    })
    const searchLost = again ? 0 : 1
    figures.island = {
      localOk: stopped.length === 0,
      worldSaysMissing,
      recordsLost: recordsLost + searchLost,
    }
  },
}

/** Somebody posts at one home; a follower at another home of the island sees it on their page, from one node. */
async function followedPostShows({ processes, ledger, writer, signal }: Trial): Promise<void> {
  const onIsland = (number: number): NodeProcess | undefined => {
    const person = ledger.people[number]
    return person?.town.scope.startsWith(`${scope}/`) === true ? processes.home(person.home) : undefined
  }
  const pairs = ledger.people.flatMap(({ number }) => {
    const at = onIsland(number)
    if (at === undefined) return []
    const followed = [...ledger.following(number)].find((other) => {
      const home = onIsland(other)
      return home !== undefined && home !== at
    })
    return followed === undefined ? [] : [{ reader: number, author: followed }]
  })
  const { reader, author } = new Draw(17).of(pairs)
  const draft = writer.write(author, 'posts', { title: 'Heard only on the island' }, Date.now())
  await upload(onIsland(author) as NodeProcess, [draft], ledger, signal)
  const id = ledger.entriesOf(author, 'posts').find(({ clock }) => clock === draft.clock)?.id
  const session = sessionOf(onIsland(reader) as NodeProcess, reader, writer)
  await until('the post on the page', { ...within, signal }, async () => {
    const { answer, requestsBetweenNodes } = await readHome(session, writer.id(reader), signal)
    if (requestsBetweenNodes > 0) throw new Error(`a page asked ${requestsBetweenNodes} other nodes`)
    return answer.feed?.items.some(({ record }) => toHex(decode(writer.crypto, record).id) === id)
  })
}

/** A phone scans the code of a node of the island; the person types the digits. */
async function pairPhone(node: NodeProcess, signal: AbortSignal): Promise<void> {
  const { pairing } = await node.admin('admin.pair.open', {}, { signal })
  if (pairing.link === null) throw new Error('the node shows no code')
  const run = await pair(pairing.link, {
    keys: memoryKeyStore(),
    label: 'phone of the trial',
    schemas: [microblog],
    copies: 1,
    signal,
  })
  await node.admin('admin.pair.code', { code: run.digits }, { signal })
  run.confirm()
  const paired = await run.done
  await paired.transport.close()
  if (paired.problem !== undefined) throw paired.problem
}

/** Asked for the whole world, both sides say that they do not cover it, and which scope is missing. */
async function saysMissing({ processes, progress, signal }: Trial): Promise<boolean> {
  const told = await Promise.all(
    ['lagos', 'berlin'].map(async (name) => {
      const startedMs = performance.now()
      const missing = await until(`${name} says what is missing`, { ...within, signal }, async () => {
        const { coverage } = await searchAt(processes.named(name).public, root, 'island days', signal)
        return coverage.complete ? undefined : coverage.missing
      }).catch((error: unknown) => {
        if (signal.aborted) throw error
        return []
      })
      const afterS = ((performance.now() - startedMs) / 1000).toFixed(1)
      progress.say(`${name}: a search of the world misses ${missing.join(' ') || 'nothing'} (${afterS} s)`)
      return missing.length > 0
    }),
  )
  return told.every(Boolean)
}

/** The continent's own aggregator finds what was written since it was cut off. */
async function findsOwn({ processes, ledger, writer, signal }: Trial, author: number): Promise<void> {
  const newest = ledger.entriesOf(author, 'posts').at(-1)
  await until('the post in the continent', { ...within, signal }, async () => {
    const answer = await searchAt(processes.named('kano').public, scope, `island days ${author}`, signal)
    return hitsOf(answer, writer.crypto).some((hit) => hit.startsWith(newest?.id ?? '?'))
  })
}
