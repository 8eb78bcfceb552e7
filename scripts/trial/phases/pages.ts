import { equalBytes, toHex } from '../../../protocol/bytes.ts'
import { microblog } from '../../../client/microblog.ts'
import { readSection } from '../../../protocol/record/section.ts'
import { mergeSections } from '../../../protocol/schema/sections.ts'
import { Draw } from '../data/draw.ts'
import { percentile, rounded } from '../figures.ts'
import { decode, type HomePage, readHome, sessionOf } from '../model/reading.ts'
import type { Phase, Trial } from '../trial.ts'
import { inParallel, until } from '../waiting.ts'

const sampled = 240
const feedLength = 50
const visitorsAtOnce = 6
const settleWithinMs = 60_000

/** Home pages of people of all homes, one request each, compared with the model: feed, names, thumbnails, pictures. */
export const pages: Phase = {
  name: 'pages',
  async run(trial: Trial) {
    const { processes, ledger, writer, figures, progress, signal } = trial
    const readers = new Draw(50)
      .some(
        ledger.people.filter(({ number }) => ledger.following(number).size > 0),
        sampled,
      )
      .map(({ number }) => number)
    let requests = 0
    const sessions = new Map(
      readers.flatMap((number) => {
        const node = processes.home(ledger.people[number]?.home ?? -1)
        if (node === undefined) return []
        const session = sessionOf(node, number, writer)
        return [[number, session] as const]
      }),
    )
    // The first visit opens the session, tells the node to serve the person, and shows when all feeds are there.
    const startedMs = performance.now()
    let waiting = [...sessions.keys()]
    try {
      await until('all feeds', { withinMs: settleWithinMs, everyMs: 500, signal }, async () => {
        const wrong = await inParallel(waiting, visitorsAtOnce, async (number) => {
          const page = await readHome(sessions.get(number) as never, writer.id(number), signal)
          return compareFeed(trial, number, page).mismatch ? number : undefined
        })
        waiting = wrong.filter((number) => number !== undefined)
        return waiting.length === 0
      })
      progress.say(
        `feeds of ${sessions.size} people are as in the model after ${rounded((performance.now() - startedMs) / 1000)} s`,
      )
    } catch (error) {
      if (signal.aborted) throw error
      const which = waiting.slice(0, 10).map((number) => {
        const home = processes.home(ledger.people[number]?.home ?? -1)?.plan.name
        return `${ledger.people[number]?.name} (${toHex(writer.id(number)).slice(0, 12)}, at ${home})`
      })
      progress.say(`${waiting.length} feeds are unlike the model: ${which.join(', ')}`)
    }

    const timesMs: number[] = []
    let [between, imageRequests, mismatches, pictures, picturesMissing] = [0, 0, 0, 0, 0]
    for (const [number, session] of sessions) {
      const page = await readHome(session, writer.id(number), signal)
      requests++
      timesMs.push(page.elapsedMs)
      between += page.requestsBetweenNodes
      const compared = compareFeed(trial, number, page)
      if (compared.mismatch) mismatches++
      pictures += compared.pictures
      picturesMissing += compared.picturesMissing
      // Pictures come within the view: what was asked of other nodes for it was asked for them as well.
      if (compared.pictures + compared.picturesMissing > 0) imageRequests += page.requestsBetweenNodes
    }
    figures.page = {
      pages: timesMs.length,
      p50Ms: rounded(percentile(timesMs, 0.5)),
      p99Ms: rounded(percentile(timesMs, 0.99)),
      requests: requests / timesMs.length,
      requestsBetweenNodes: between,
      imageRequestsBetweenNodes: imageRequests,
      pictures,
      picturesMissing,
      feedMismatches: mismatches,
    }
  },
}

/** Is the page what the model says: the same posts in the same order, whole, by named authors with their thumbnails? */
export function compareFeed(
  { ledger, writer }: Pick<Trial, 'ledger' | 'writer'>,
  reader: number,
  { answer }: HomePage,
): { mismatch: boolean; pictures: number; picturesMissing: number } {
  const { crypto } = writer
  const expected = ledger.feedOf(reader, feedLength)
  const items = answer.feed?.items ?? []
  let mismatch = items.length !== expected.length
  let [pictures, picturesMissing] = [0, 0]
  for (const [i, { record, author }] of items.entries()) {
    const found = decode(crypto, record)
    const wanted = expected[i]
    if (wanted === undefined || toHex(found.id) !== wanted.id) {
      mismatch = true
      continue
    }
    const shown = fieldsOf('posts', found.sections)
    if (shown['title'] !== wanted.value['title']) mismatch = true
    const preview = wanted.value['preview']
    if (preview instanceof Uint8Array) {
      if (equalTo(shown['preview'], preview)) pictures++
      else picturesMissing++
    }
    const person = ledger.people[wanted.owner]
    const profile = answer.feed?.authors[author]?.records.map((bytes) =>
      fieldsOf('profile', decode(crypto, bytes).sections),
    )
    const name = profile?.find((fields) => fields['name'] !== undefined)?.['name']
    if (person !== undefined && name !== person.name) mismatch = true
    if (person?.thumb !== undefined) {
      if (profile?.some((fields) => equalTo(fields['thumb'], person.thumb as Uint8Array)) === true) pictures++
      else picturesMissing++
    }
  }
  if (answer.counts['following'] !== ledger.following(reader).size) mismatch = true
  return { mismatch: mismatch || picturesMissing > 0, pictures, picturesMissing }
}

function fieldsOf(
  collection: string,
  sections: readonly (Uint8Array | undefined)[],
): Record<string, unknown> {
  const opened = sections.flatMap((bytes) => (bytes === undefined ? [] : [readSection(bytes)]))
  return mergeSections(microblog, collection, opened) as Record<string, unknown>
}

function equalTo(value: unknown, bytes: Uint8Array): boolean {
  return value instanceof Uint8Array && equalBytes(value, bytes)
}
