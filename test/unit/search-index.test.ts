import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { analyse } from '../../protocol/search/analysis.ts'
import { countClause, parseQuery } from '../../protocol/search/clauses.ts'
import { idfOf, scoreOf, type Statistics, sumStatistics } from '../../protocol/search/bm25.ts'
import type { SearchDocument, SearchFilter } from '../../protocol/search/document.ts'
import { compareRanked, mergeRanked } from '../../protocol/search/merge.ts'
import { scopeContains, scopeDepth } from '../../protocol/scope.ts'
import { verifyRanking } from '../../protocol/search/verify-results.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'

const words = ['jazz', 'rain', 'market', 'lagos', 'bread', 'river', 'engine', 'moon']
const anyText = fc.array(fc.constantFrom(...words), { maxLength: 12 }).map((list) => list.join(' '))
const anyDocument = fc
  .record({
    n: fc.integer({ min: 0, max: 60 }),
    collection: fc.constantFrom('post', 'profile'),
    scope: fc.constantFrom(
      '/geo/africa/ng/lagos',
      '/geo/africa/ng/kano',
      '/geo/africa/gh',
      '/geo/europe/fr/paris',
    ),
    layers: fc.uniqueArray(fc.record({ height: fc.integer({ min: 0, max: 3 }), text: anyText }), {
      maxLength: 3,
      selector: ({ height }) => height,
    }),
    version: fc.integer({ min: 0, max: 3 }),
  })
  .map(
    ({ n, version, ...rest }): SearchDocument => ({
      ...rest,
      key: `item ${n}`,
      id: sha256(utf8(`${n} ${version}`)),
      app: 'example',
      analyser: 'en',
    }),
  )
const anyFilter = fc.record({
  app: fc.constant('example'),
  collection: fc.constantFrom(undefined, 'post', 'profile'),
  scope: fc.constantFrom('/geo', '/geo/africa', '/geo/africa/ng', '/geo/africa/ng/lagos', '/geo/asia'),
})
const anyWord = fc.constantFrom(...words, 'absent')
/** Words, some in quotes, begun, misspelt or unwanted. */
const anyPart = fc.oneof(
  { weight: 4, arbitrary: anyWord },
  fc.tuple(anyWord, anyWord).map(([a, z]) => `"${a} ${z}"`),
  anyWord.map((word) => `${word.slice(0, 2)}*`),
  anyWord.map((word) => `${word.slice(0, 1)}${word.slice(2)}~`),
  anyWord.map((word) => `-${word}`),
)
const anyQuery = fc.array(anyPart, { minLength: 1, maxLength: 5 }).map((list) => list.join(' '))

/** The same by brute force: every document is analysed anew for every query. */
function plainSearch(
  documents: readonly SearchDocument[],
  text: string,
  filter: SearchFilter,
  match: 'any' | 'all' = 'any',
  given?: Statistics,
) {
  const depth = scopeDepth(filter.scope)
  const { clauses, without } = parseQuery(text, 'en')
  const inScope = documents
    .filter(
      ({ scope, collection, layers }) =>
        scopeContains(filter.scope, scope) &&
        (filter.collection === undefined || filter.collection === collection) &&
        layers.some(({ height }) => height <= depth),
    )
    .map((document) => {
      const reaching = document.layers.filter(({ height }) => height <= depth)
      const texts = reaching.map((layer) => analyse(layer.text, 'en'))
      const counts = new Map(
        [...clauses, ...without].map(({ clause, name }) => [
          name,
          texts.reduce((sum, text) => sum + countClause(clause, text), 0),
        ]),
      )
      return { document, counts, length: texts.flat().length }
    })
  const statistics = given ?? {
    documents: inScope.length,
    totalLength: inScope.reduce((sum, { length }) => sum + length, 0),
    terms: clauses.map(({ name }) => {
      const holding = inScope.filter(({ counts }) => counts.get(name) !== 0).length
      return { term: name, documents: holding, idf: idfOf(inScope.length, holding) }
    }),
  }
  const hits = inScope
    .filter(({ counts }) => {
      const held = clauses.filter(({ name }) => counts.get(name) !== 0).length
      // What is unwanted alone is no question.
      const isWanted = held > 0 && (match === 'any' || held === clauses.length)
      return isWanted && without.every(({ name }) => counts.get(name) === 0)
    })
    .map(({ document, counts, length }) => ({
      key: document.key,
      id: document.id,
      score: scoreOf(clauses, statistics, counts, length),
    }))
    .sort(compareRanked)
  return { statistics, total: hits.length, hits }
}

const latest = (documents: readonly SearchDocument[]) => [
  ...new Map(documents.map((d) => [d.key, d])).values(),
]

describe('the index', () => {
  it('answers as brute force does, after any additions, replacements and removals', () => {
    fc.assert(
      fc.property(
        fc.array(anyDocument, { maxLength: 120 }),
        fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 30 }),
        anyFilter,
        anyQuery,
        fc.constantFrom('any' as const, 'all' as const),
        (documents, removals, filter, text, match) => {
          const index = new MemoryIndex()
          // Asked before as well: what an index remembers of a filter must follow every change.
          index.statistics(filter, [])
          for (const document of documents) index.put(document)
          for (const n of removals) index.remove(`item ${n}`)
          const kept = latest(documents).filter(({ key }) => !removals.some((n) => key === `item ${n}`))
          expect(index.size).toBe(kept.length)
          const expected = plainSearch(kept, text, filter, match)
          const query = parseQuery(text, 'en')
          const statistics = index.statistics(filter, query.clauses)
          expect(statistics).toEqual(expected.statistics)
          const found = index.search(query, statistics, filter, { limit: 7, match })
          expect(found.total).toBe(expected.total)
          expect(found.hits).toEqual(expected.hits.slice(0, 7))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('counts what is there, however often everything was replaced', () => {
    const jazz = parseQuery('jazz', 'en').clauses
    const index = new MemoryIndex()
    const filter = { app: 'example', collection: undefined, scope: '/geo' }
    for (let round = 0; round < 6; round++) {
      for (let n = 0; n < 700; n++) {
        index.put({
          key: `item ${n}`,
          id: sha256(utf8(`${n}`)),
          app: 'example',
          collection: 'post',
          scope: `/geo/town-${n % 40}`,
          analyser: 'en',
          layers: [{ height: 0, text: `${words[(n + round) % 8]} ${words[n % 5]}` }],
        })
      }
    }
    const statistics = index.statistics(filter, jazz)
    const inLastRound = Array.from({ length: 700 }, (_, n) => (n + 5) % 8 === 0 || n % 5 === 0)
    expect(statistics).toMatchObject({ documents: 700, totalLength: 1400 })
    expect(statistics.terms[0]?.documents).toBe(inLastRound.filter(Boolean).length)
    for (let n = 0; n < 700; n++) index.remove(`item ${n}`)
    expect(index.statistics(filter, jazz)).toMatchObject({ documents: 0, totalLength: 0 })
    expect(index.remove('item 0')).toBe(false)
  })
})

describe('merging', () => {
  it('over any partition gives the list and the count of one index', () => {
    fc.assert(
      fc.property(
        fc.array(anyDocument, { maxLength: 100 }),
        fc.array(fc.integer({ min: 0, max: 7 }), { minLength: 61, maxLength: 61 }),
        anyFilter,
        anyQuery,
        (documents, placement, filter, text) => {
          const whole = new MemoryIndex()
          const children = Array.from({ length: 8 }, () => new MemoryIndex())
          for (const document of latest(documents)) {
            whole.put(document)
            children[placement[Number(document.key.slice(5))] as number]?.put(document)
          }
          const query = parseQuery(text, 'en')
          const { clauses } = query
          const statistics = sumStatistics(
            children.map((child) => child.statistics(filter, clauses)),
            clauses.map(({ name }) => name),
          )
          expect(statistics).toEqual(whole.statistics(filter, clauses))
          const merged = mergeRanked(
            children.map((child) => child.search(query, statistics, filter, { limit: 10 })),
            10,
          )
          expect(merged).toEqual(whole.search(query, statistics, filter, { limit: 10 }))
        },
      ),
      { numRuns: 150 },
    )
  })

  it('shows a document once that two children hold while it moves', () => {
    const hit = (n: number, score: number) => ({ id: new Uint8Array(32).fill(n), score })
    const merged = mergeRanked(
      [
        { hits: [hit(1, 9), hit(2, 5)], total: 2 },
        { hits: [hit(1, 9), hit(3, 5)], total: 4 },
      ],
      10,
    )
    expect(merged).toEqual({ hits: [hit(1, 9), hit(2, 5), hit(3, 5)], total: 5 })
  })
})

describe('a reader', () => {
  const documents = Array.from(
    { length: 40 },
    (_, n): SearchDocument => ({
      key: `item ${n}`,
      id: sha256(utf8(`post ${n}`)),
      app: 'example',
      collection: 'post',
      scope: '/geo/africa/ng/lagos',
      analyser: 'en',
      layers: [{ height: 0, text: `${words[n % 8]} ${words[n % 3]} ${words[n % 5]}` }],
    }),
  )
  const index = new MemoryIndex()
  for (const document of documents) index.put(document)
  const query = {
    app: 'example',
    collection: 'post',
    scope: '/geo/africa',
    text: 'jazz market',
    analyser: 'en',
    match: 'any',
    limit: 10,
  } as const
  const parsed = parseQuery(query.text, 'en')
  const statistics = index.statistics(query, parsed.clauses)
  const { hits, total } = index.search(parsed, statistics, query, query)
  const byId = new Map(documents.map((document) => [toHex(document.id), document]))
  const answer = {
    statistics,
    total,
    hits: hits.map((hit) => ({ ...(byId.get(toHex(hit.id)) as SearchDocument), score: hit.score })),
  }
  type Answer = typeof answer
  const [first, second, ...others] = answer.hits as [Answer['hits'][0], Answer['hits'][0], ...Answer['hits']]

  it('finds an honest answer right', () => {
    expect(verifyRanking(query, answer)).toEqual([])
  })

  it.each<[string, Answer, RegExp]>([
    [
      'a raised score',
      { ...answer, hits: [{ ...first, score: first.score + 1 }, second, ...others] },
      /scores/,
    ],
    ['another order', { ...answer, hits: [...others, first] }, /out of order/],
    ['a hit shown twice', { ...answer, hits: [first, first] }, /twice/],
    ['another scope', { ...answer, hits: [{ ...first, scope: '/geo/europe' }] }, /outside/],
    ['another collection', { ...answer, hits: [{ ...first, collection: 'profile' }] }, /collection/],
    [
      'text that may not be searched here',
      { ...answer, hits: [{ ...first, layers: [{ height: 2, text: 'jazz' }] }] },
      /match/,
    ],
    [
      'a wrong idf',
      {
        ...answer,
        statistics: { ...statistics, terms: statistics.terms.map((t) => ({ ...t, idf: t.idf + 2 })) },
      },
      /idf/,
    ],
    [
      'other terms',
      { ...answer, statistics: { ...statistics, terms: statistics.terms.slice(1) } },
      /other terms/,
    ],
    ['a made-up total', { ...answer, total: 41 }, /total/],
  ])('sees %s', (_, wrong, problem) => {
    expect(verifyRanking(query, wrong).join('\n')).toMatch(problem)
  })
})
