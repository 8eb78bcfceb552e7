import { encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { scopeShape } from '../scope.ts'
import { array, choice, decodeAs, literal, nullable, struct, text, uint } from '../shape.ts'
import type { Analyser } from './analysis.ts'
import type { Statistics } from './bm25.ts'
import { clauseOf, isBroad, type WeighedClause } from './clauses.ts'
import type { SearchFilter } from './document.ts'
import { searchLimits } from './limits.ts'

export const analyserShape = choice('plain', 'en')
export const analyserCode = (analyser: Analyser): number => (analyser === 'plain' ? 0 : 1)

const nameShape = text(searchLimits.clauseBytesMax, 1)

export const statisticsShape = struct({
  documents: uint(),
  totalLength: uint(),
  terms: array(struct({ term: nameShape, documents: uint(), idf: uint() }), searchLimits.queryTermsMax),
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
  /** In query order. */
  readonly clauses: readonly WeighedClause[]
}

const requestShape = struct({
  version: literal(1),
  app: text(limits.nameBytesMax, 1),
  collection: nullable(text(limits.nameBytesMax, 1)),
  scope: scopeShape,
  analyser: analyserShape,
  names: array(nameShape, searchLimits.queryTermsMax),
})

export function encodeStatisticsRequest(request: StatisticsRequest): Uint8Array {
  const { app, collection, scope, analyser, clauses } = request
  return encode([1, app, collection ?? null, scope, analyserCode(analyser), clauses.map(({ name }) => name)])
}

export function decodeStatisticsRequest(bytes: Uint8Array): StatisticsRequest {
  const { version: _, names, ...request } = decodeAs(requestShape, bytes, 'statistics request')
  const clauses = names.map((name) => {
    const clause = clauseOf(name)
    if (clause === undefined) throw new OnehopError('BAD_MESSAGE', 'statistics request: no part of a query')
    return { clause, name, times: 1 }
  })
  if (clauses.filter(({ clause }) => isBroad(clause)).length > searchLimits.broadClausesMax)
    throw new OnehopError('BAD_MESSAGE', 'statistics request: too many parts that look at many words')
  return { ...request, clauses }
}

export function encodeStatistics(statistics: Statistics): Uint8Array {
  return encode(statisticsItems(statistics))
}

export function decodeStatistics(bytes: Uint8Array): Statistics {
  return decodeAs(statisticsShape, bytes, 'statistics')
}
