import { microblog } from '../../../client/microblog.ts'
import { connect } from '../../../client/connect.ts'
import { Draw } from '../data/draw.ts'
import { homeTowns } from '../data/towns.ts'
import { percentile, rounded, type SearchFigures } from '../figures.ts'
import { CentralIndex } from '../model/central.ts'
import { hitsOf, hitsWanted, searchAt } from '../model/searching.ts'
import { upload } from '../model/upload.ts'
import { island, root } from '../plan.ts'
import type { Phase, Trial } from '../trial.ts'
import { until } from '../waiting.ts'

const queriesPerLevel = 60
const freshTries = 5
const verifiedQueries = 3
const freshWithinMs = 15_000

/** Town, continent and world: the same hits, scores and totals as one central index over everything. */
export const search: Phase = {
  name: 'search',
  async run(trial: Trial) {
    const { figures } = trial
    const central = await centralOf(trial)
    const levels = [
      { scope: homeTowns[0]?.scope ?? '', asked: 'lagos' },
      { scope: homeTowns[3]?.scope ?? '', asked: 'berlin' },
      { scope: island, asked: 'nairobi' },
      { scope: root, asked: 'hamburg' },
    ]
    const found: SearchFigures[] = []
    for (const level of levels) {
      // What was written to measure freshness climbs for a moment more.
      await climbed(trial, central)
      found.push(await measure(trial, central, level))
    }
    figures.search = found
  },
}

/** Until both aggregators have every document that may climb to them. */
async function climbed(trial: Trial, central: CentralIndex): Promise<void> {
  const { processes, progress, signal } = trial
  for (const [name, scope] of [
    ['africa', island],
    ['world', root],
  ] as const) {
    const wanted = central.documentsWithin(scope)
    let have = 0
    await until(
      `${name} indexes ${wanted} documents`,
      { withinMs: 60_000, everyMs: 500, signal },
      async () => {
        const { aggregates } = await processes.named(name).admin('admin.status', { limit: 1 }, { signal })
        have = aggregates.find((one) => one.scope === scope)?.documents ?? 0
        return have >= wanted
      },
    ).catch((error: unknown) => {
      if (signal.aborted) throw error
      progress.say(`${name} has ${have} of ${wanted} documents`)
    })
  }
}

async function measure(
  trial: Trial,
  central: CentralIndex,
  { scope, asked }: { readonly scope: string; readonly asked: string },
): Promise<SearchFigures> {
  const { processes, writer, progress, signal } = trial
  const node = processes.named(asked).public
  const queries = queriesFor(trial, scope)
  let hits = 0
  let different = 0
  let example: string | undefined
  const answeredAt = new Map<string, number>()
  for (const text of queries) {
    const answer = await searchAt(node, scope, text, signal)
    const expected = central.search({ app: microblog.id, scope, text, limit: hitsWanted }, answer.level)
    const got = hitsOf(answer, writer.crypto)
    hits += got.length
    if (got.join() !== expected.hits.join() || answer.total !== expected.total) {
      different++
      example ??= `${answer.level} has ${answer.total} of ${expected.total} hits, ${firstDifference(got, expected.hits)}`
    }
    answeredAt.set(answer.level, (answeredAt.get(answer.level) ?? 0) + 1)
  }
  if (different > 0)
    progress.say(
      `${scope}: ${different} of ${queries.length} answers differ from the central index: ${example}`,
    )
  const problems = await verifyAsClient(trial, asked, scope, queries.slice(0, verifiedQueries))
  for (const problem of problems) progress.say(`${scope}: ${problem}`)
  const levels = [...answeredAt].toSorted(([, a], [, z]) => z - a).map(([level]) => level)
  return {
    scope,
    level: levels.join(', '),
    queries: queries.length,
    hits,
    identicalToCentral: different === 0 && problems.length === 0,
    freshP50Ms: rounded(percentile(await freshness(trial, central, scope, asked), 0.5)),
  }
}

/** Two or three words that stand together in somebody's title. */
function queriesFor({ dataset }: Trial, scope: string): string[] {
  const draw = new Draw(scope.length)
  const authors = new Set(
    dataset.people.filter(({ town }) => `${town.scope}/`.startsWith(`${scope}/`)).map(({ number }) => number),
  )
  const titles = dataset.posts.filter(({ author }) => authors.has(author)).map(({ title }) => title)
  return draw.some(titles, queriesPerLevel).flatMap((title) => {
    const words = title.match(/[\p{L}\p{N}]{4,}/gu) ?? []
    const start = draw.whole(Math.max(1, words.length - 2))
    const text = words.slice(start, start + 2 + draw.whole(2)).join(' ')
    return text === '' ? [] : [text]
  })
}

/** Signatures, scores and order, checked again as an app does. */
async function verifyAsClient(
  { processes, writer, signal }: Trial,
  asked: string,
  scope: string,
  queries: readonly string[],
): Promise<string[]> {
  const { crypto } = writer
  await using app = await connect({ schema: microblog, node: processes.named(asked).http, crypto, signal })
  const problems: string[] = []
  for (const text of queries) problems.push(...(await app.search({ scope, text })).problems)
  return problems
}

/** From the put of a post with a word of its own to the first search that shows it. */
async function freshness(
  trial: Trial,
  central: CentralIndex,
  scope: string,
  asked: string,
): Promise<number[]> {
  const { processes, ledger, writer, signal } = trial
  const inside = ledger.people.filter(
    ({ town, home }) => `${town.scope}/`.startsWith(`${scope}/`) && processes.home(home) !== undefined,
  )
  const timesMs: number[] = []
  for (const person of new Draw(3).some(inside, freshTries)) {
    const node = processes.home(person.home)
    if (node === undefined) continue
    const word = `fresh${scope.replaceAll(/[^a-z]/g, '')}${person.number}`
    const draft = writer.write(person.number, 'posts', { title: `Just now: ${word}` }, Date.now())
    await upload(node, [draft], ledger, signal)
    central.put(draft.bytes, person.town.scope)
    const startedMs = performance.now()
    await until(`${word} can be searched`, { withinMs: freshWithinMs, everyMs: 20, signal }, async () => {
      const { total } = await searchAt(processes.named(asked).public, scope, word, signal)
      return total > 0
    })
    timesMs.push(performance.now() - startedMs)
  }
  return timesMs
}

async function centralOf({ ledger }: Trial): Promise<CentralIndex> {
  const central = await CentralIndex.open()
  for (const { owner, bytes } of ledger.entries()) {
    const scope = ledger.people[owner]?.town.scope
    if (scope !== undefined) central.put(bytes, scope)
  }
  return central
}

function firstDifference(got: readonly string[], expected: readonly string[]): string {
  const at = expected.findIndex((hit, i) => hit !== got[i])
  return at < 0 ? `${got.length} shown` : `place ${at + 1} is ${got[at]}, not ${expected[at]}`
}
