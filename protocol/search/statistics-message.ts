import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { scopeShape } from '../scope.ts'
import { array, choice, decodeAs, literal, nullable, struct, text, uint } from '../shape.ts'
import type { Analyser } from './analysis.ts'
import type { Statistics } from './bm25.ts'
import type { SearchFilter } from './inverted-index.ts'
import { searchLimits } from './limits.ts'

export const analyserShape = choice('plain', 'en')
export const analyserCode = (analyser: Analyser): number => (analyser === 'plain' ? 0 : 1)

/** A folded term is at most 64 UTF-16 units, three bytes each. */
const termShape = text(searchLimits.termCharsMax * 3, 1)

export const statisticsShape = struct({
  documents: uint(),
  totalLength: uint(),
  terms: array(struct({ term: termShape, documents: uint(), idf: uint() }), searchLimits.queryTermsMax),
})

export function statisticsItems(statistics: Statistics): unknown[] {
  return [
    statistics.documents,
    statistics.totalLength,
    statistics.terms.map(({ term, documents, idf }) => [term, documents, idf]),
  ]
}

/** Asks one child for its counts, so that all children score with the sum. Answered by statistics (idf is its own). */
export interface StatisticsRequest extends SearchFilter {
  readonly analyser: Analyser
  /** Analysed, in query order. */
  readonly terms: readonly string[]
}

const requestShape = struct({
  version: literal(1),
  app: text(limits.nameBytesMax, 1),
  collection: nullable(text(limits.nameBytesMax, 1)),
  scope: scopeShape,
  analyser: analyserShape,
  terms: array(termShape, searchLimits.queryTermsMax),
})

export function encodeStatisticsRequest(request: StatisticsRequest): Uint8Array {
  const { app, collection, scope, analyser, terms } = request
  return encode([1, app, collection ?? null, scope, analyserCode(analyser), terms])
}

export function decodeStatisticsRequest(bytes: Uint8Array): StatisticsRequest {
  const { version: _, ...request } = decodeAs(requestShape, bytes, 'statistics request')
  return request
}

export function encodeStatistics(statistics: Statistics): Uint8Array {
  return encode(statisticsItems(statistics))
}

export function decodeStatistics(bytes: Uint8Array): Statistics {
  return decodeAs(statisticsShape, bytes, 'statistics')
}
