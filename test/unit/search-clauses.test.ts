/** What people type, taken apart; and SQLite's FTS5 as the judge of what matches. */
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { clauseOf, countClause, editDistance, parseQuery } from '../../protocol/search/clauses.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import { nearWords } from '../../storage/search/near-words.ts'
import { MemoryIndex } from '../../storage/search/memory-index.ts'

test.each<[string, string[], string[]]>([
  ['jazz and more Jazz', ['jazz', 'more'], []],
  ['"old town" market', ['"old town"', 'market'], []],
  ['"town"', ['town'], []],
  ['market -rain -"old town"', ['market'], ['rain', '"old town"']],
  ['harb* lagos', ['harb*', 'lago'], []],
  ['h* harbours*', ['h', 'harbours*'], []],
  ['lagoss~ berlim~1 so~', ['lagoss~2', 'berlim~1', 'so'], []],
  ['"unfinished business', ['"unfinish busi"'], []],
  ['rock-n-roll', ['rock', 'n', 'roll'], []],
  ['-- " " * ~ "" -', [], []],
  ['東京 東京都*', ['東京', '京都'], []],
])('%s', (text, wanted, unwanted) => {
  const { clauses, without } = parseQuery(text, 'en')
  expect(clauses.map(({ name }) => name)).toEqual(wanted)
  expect(without.map(({ name }) => name)).toEqual(unwanted)
})

test('a name says its clause, and every query comes back by its names', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 60, unit: fc.constantFrom(...Array.from('ab c"-*~12 ñ東')) }),
      (text) => {
        const { clauses, without } = parseQuery(text, 'plain')
        for (const { clause, name } of [...clauses, ...without]) expect(clauseOf(name)).toEqual(clause)
        expect(clauses.length).toBeLessThanOrEqual(searchLimits.queryTermsMax)
      },
    ),
  )
  expect(clauseOf('"one"')).toBeUndefined()
  expect(clauseOf('"')).toBeUndefined()
  expect(clauseOf('"a  b"')).toBeUndefined()
})

test.each([
  ['harbour', 'harbour', 0],
  ['harbour', 'harbor', 1],
  ['harbour', 'harobur', 1],
  ['harbour', 'hrbr', 3],
  ['harbour', 'haven', 3],
  ['ca', 'abc', 3],
  ['東京', '東都', 1],
  ['🎷jazz', 'jazz', 1],
])('%s and %s are %i apart', (a, b, distance) => {
  expect(editDistance(a, b, 2)).toBe(distance)
  expect(editDistance(b, a, 2)).toBe(distance)
})

test('of what looks at many words there are four, and the rest are words', () => {
  const { clauses, without } = parseQuery('ha* lagoss~ -ri* mar* so* berlim~ rain', 'plain')
  expect(clauses.map(({ name }) => name)).toEqual(['ha*', 'lagoss~2', 'mar*', 'so', 'berlim', 'rain'])
  expect(without.map(({ name }) => name)).toEqual(['ri*'])
})

test('a list of words is gone through as each would be compared alone', () => {
  const anyWord = fc.string({ maxLength: 9, unit: fc.constantFrom('a', 'b', 'c', 'ñ', '東', '🎷') })
  fc.assert(
    fc.property(
      fc.uniqueArray(anyWord, { maxLength: 80 }),
      anyWord,
      fc.constantFrom(1, 2),
      (words, term, most) => {
        const sorted = words.toSorted()
        const alone = sorted.flatMap((word) => {
          const distance = editDistance(term, word, most)
          return distance <= most ? [{ word, distance }] : []
        })
        expect([...nearWords(sorted, term, most)]).toEqual(alone)
      },
    ),
    { numRuns: 500 },
  )
})

test('near misses count less the farther they are', () => {
  const [near] = parseQuery('harbour~', 'plain').clauses
  const count = (text: string) => countClause(near!.clause, text.split(' '))
  expect(['harbour', 'harbor', 'harbr', 'haven', 'harbor harbour'].map(count)).toEqual([1, 0.5, 0.25, 0, 1.5])
})

test('what matches is what FTS5 says', () => {
  const words = ['harbour', 'harvest', 'market', 'mark', 'rain', 'rainy', 'river', 'road', 'song', 'sun']
  const anyWord = fc.constantFrom(...words)
  const anyText = fc.array(anyWord, { minLength: 1, maxLength: 8 })
  const anyPart = fc.oneof(
    anyWord.map((word) => ({ ours: word, theirs: `"${word}"` })),
    fc.tuple(anyWord, anyWord).map(([a, z]) => ({ ours: `"${a} ${z}"`, theirs: `"${a} ${z}"` })),
    anyWord.map((word) => ({ ours: `${word.slice(0, 3)}*`, theirs: `${word.slice(0, 3)}*` })),
  )
  fc.assert(
    fc.property(
      fc.array(anyText, { minLength: 1, maxLength: 60 }),
      fc.array(anyPart, { minLength: 1, maxLength: 3 }),
      fc.array(anyPart, { maxLength: 1 }),
      fc.constantFrom('any' as const, 'all' as const),
      (texts, wanted, unwanted, match) => {
        using database = new DatabaseSync(':memory:')
        database.exec('CREATE VIRTUAL TABLE texts USING fts5(text)')
        const insert = database.prepare('INSERT INTO texts(rowid, text) VALUES (?, ?)')
        const index = new MemoryIndex()
        for (const [i, text] of texts.entries()) {
          insert.run(i, text.join(' '))
          index.put({
            key: `${i}`,
            id: utf8(`${i}`.padStart(32)),
            ...{ app: 'a', collection: 'c', scope: '/geo', analyser: 'plain' },
            layers: [{ height: 0, text: text.join(' ') }],
          })
        }
        const either = wanted.map(({ theirs }) => theirs).join(match === 'any' ? ' OR ' : ' AND ')
        const none = unwanted.map(({ theirs }) => ` NOT ${theirs}`).join('')
        const rows = database
          .prepare('SELECT rowid FROM texts WHERE texts MATCH ? ORDER BY rowid')
          .all(`(${either})${none}`)
        const query = parseQuery(
          [...wanted.map(({ ours }) => ours), ...unwanted.map(({ ours }) => `-${ours}`)].join(' '),
          'plain',
        )
        const filter = { app: 'a', collection: undefined, scope: '/geo' }
        const statistics = index.statistics(filter, query.clauses)
        const { hits, total } = index.search(query, statistics, filter, { limit: 100, match })
        expect(hits.map(({ key }) => Number(key)).toSorted((a, z) => a - z)).toEqual(
          rows.map((row) => row['rowid']),
        )
        expect(total).toBe(rows.length)
        expect(new Set(hits.map(({ id }) => toHex(id))).size).toBe(hits.length)
      },
    ),
    { numRuns: 200 },
  )
})
