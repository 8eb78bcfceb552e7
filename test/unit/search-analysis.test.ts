import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from '../../protocol/codec.ts'
import { analyse, type Analyser } from '../../protocol/search/analysis.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { idfOf, roundScore, termScore, weightOf } from '../../protocol/search/bm25.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import { isScope } from '../../protocol/scope.ts'
import { searchableLayers } from '../../protocol/search/searchable.ts'

interface Vectors {
  readonly analysis: readonly {
    readonly text: string
    readonly analyser: Analyser
    readonly terms: string[]
  }[]
  readonly idf: readonly { readonly documents: number; readonly holding: number; readonly idf: number }[]
  readonly scores: readonly {
    readonly idf: number
    readonly times: number
    readonly frequency: number
    readonly length: number
    readonly average: number
    readonly score: number
  }[]
  readonly scopes: readonly { readonly text: string; readonly valid: boolean }[]
}
const vectors = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/search.json'), 'utf8'),
) as Vectors

describe('search vectors', () => {
  it.each(vectors.analysis)('analysis of $text ($analyser)', ({ text, analyser, terms }) => {
    expect(analyse(text, analyser)).toEqual(terms)
  })

  it.each(vectors.idf)('idf of $holding in $documents', ({ documents, holding, idf }) => {
    expect(idfOf(documents, holding)).toBe(idf)
  })

  it.each(vectors.scores)('score $score', ({ idf, times, frequency, length, average, score }) => {
    expect(roundScore(termScore(weightOf(idf, times), frequency, length, average))).toBe(score)
  })

  it.each(vectors.scopes)('scope $text', ({ text, valid }) => {
    expect(isScope(text)).toBe(valid)
  })
})

describe('analysis', () => {
  it('is bounded, and its terms can be sent, whatever the text', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 300 }),
        fc.constantFrom('en', 'plain'),
        (text, analyser) => {
          for (const term of analyse(text.repeat(3), analyser)) {
            expect(term.length).toBeLessThanOrEqual(searchLimits.termCharsMax)
            expect(decode(encode(term))).toBe(term)
          }
        },
      ),
      { numRuns: 300 },
    )
    expect(analyse('𠮷'.repeat(10) + '𐐨'.repeat(100), 'plain').at(-1)).toBe('𐐨'.repeat(32))
    expect(analyse(`a${'𐐨'.repeat(100)}`, 'plain')).toEqual([`a${'𐐨'.repeat(31)}`])
    expect(analyse('x '.repeat(60_000), 'plain')).toHaveLength(searchLimits.documentTermsMax)
  })

  it('counts what a query says twice, and stops at the limit of terms', () => {
    expect(parseQuery('jazz and more Jazz', 'en').clauses).toMatchObject([
      { name: 'jazz', times: 2 },
      { name: 'more', times: 1 },
    ])
    const many = Array.from({ length: 100 }, (_, n) => `word${n}`).join(' ')
    expect(parseQuery(many, 'plain').clauses).toHaveLength(searchLimits.queryTermsMax)
  })
})

describe('searchable layers', () => {
  const hash = new Uint8Array(32)
  const header = (heights: Record<string, number>, rest = {}) =>
    ({ audience: 'public', heights, epoch: 0, length: 1, hash, ...rest }) as const

  it('take text of open public sections by height, fields in order, nested text too', () => {
    expect(
      searchableLayers(
        [
          { header: header({ geo: 2 }), fields: { z: 'last', a: 'first', tags: ['x', 7, { b: 'c' }] } },
          { header: header({ geo: 0 }), fields: { name: 'Ada' } },
          { header: header({ geo: 2 }), fields: { more: 'text' } },
          { header: header({ topic: 0 }), fields: { not: 'in this hierarchy' } },
          { header: header({}), fields: { never: 'searched' } },
        ],
        'geo',
      ),
    ).toEqual([
      { height: 0, text: 'Ada' },
      { height: 2, text: 'first\nx\nc\nlast\ntext' },
    ])
  })

  it('leave out what is withheld, sealed or not public', () => {
    const fields = { secret: 'word' }
    expect(
      searchableLayers(
        [
          { header: header({ geo: 0 }, { epoch: 1 }), fields },
          { header: header({ geo: 0 }, { audience: 'followers' }), fields },
          { header: header({ geo: 0 }), fields: undefined },
        ],
        'geo',
      ),
    ).toEqual([])
  })
})
