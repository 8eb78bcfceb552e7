import { encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { scopeShape } from '../scope.ts'
import { array, boolean, bytes, choice, decodeAs, literal, nullable, struct, text, uint } from '../shape.ts'
import type { Analyser } from './analysis.ts'
import type { Statistics } from './bm25.ts'
import type { SearchFilter } from './document.ts'
import { searchLimits } from './limits.ts'
import { analyserCode, analyserShape, statisticsItems, statisticsShape } from './statistics-message.ts'

export interface SearchQuery extends SearchFilter {
  readonly text: string
  readonly analyser: Analyser
  readonly match: 'any' | 'all'
  /** Hits wanted, 1 to 100. */
  readonly limit: number
  /** How many further nodes may stand between this one and the answer. Each that forwards takes one off. */
  readonly hops: number
  /** Report times and costs in the plan. */
  readonly explain: boolean
  /** To score with; undefined when the answering node is to take its own of the scope. */
  readonly statistics: Statistics | undefined
}

const queryShape = struct({
  version: literal(1),
  app: text(limits.nameBytesMax, 1),
  collection: nullable(text(limits.nameBytesMax, 1)),
  scope: scopeShape,
  text: text(searchLimits.queryTextBytesMax, 1),
  analyser: analyserShape,
  match: choice('any', 'all'),
  limit: uint(searchLimits.hitsMax, 1),
  hops: uint(searchLimits.hopsMax),
  explain: boolean,
  statistics: nullable(statisticsShape),
})

export function encodeSearchQuery(query: SearchQuery): Uint8Array {
  return encode([
    1,
    query.app,
    query.collection ?? null,
    query.scope,
    query.text,
    analyserCode(query.analyser),
    query.match === 'any' ? 0 : 1,
    query.limit,
    query.hops,
    query.explain,
    query.statistics === undefined ? null : statisticsItems(query.statistics),
  ])
}

/** Throws BAD_MESSAGE naming the place. */
export function decodeSearchQuery(message: Uint8Array): SearchQuery {
  const { version: _, ...query } = decodeAs(queryShape, message, 'search query', {
    bytesMax: limits.frameBytesMax,
  })
  return query
}

export interface SearchHit {
  /** The signed record, without the sections that do not reach the queried scope. */
  readonly record: Uint8Array
  /** In units of 2^-20. */
  readonly score: number
  /** Where the aggregator says that the record's owner stands. */
  readonly scope: string
}

/** What an answer covers. Whatever was never registered with the aggregator is outside all of it. */
export interface Coverage {
  /** Every leaf on the roster was current within the bound, and nothing that was asked stayed silent. */
  readonly complete: boolean
  /** Leaves and lower aggregators that are registered for the scope. */
  readonly sources: number
  readonly sourcesCurrent: number
  /** The oldest source is no older than this; Unix milliseconds by the answering node's clock. */
  readonly asOfMs: number
  /** Scopes known to exist that did not answer. */
  readonly missing: readonly string[]
}

export const planActions = ['here', 'ask', 'find', 'scatter', 'refer'] as const
export const planOutcomes = ['answered', 'none', 'failed', 'partial'] as const

/** One step of the plan as it was carried out. */
export interface PlanStepTaken {
  readonly action: (typeof planActions)[number]
  readonly outcome: (typeof planOutcomes)[number]
  readonly scope: string
  /** Whom it asked; undefined for itself and the DHT. */
  readonly node: Uint8Array | undefined
  /** How many steps down from the node that the reader asked. */
  readonly depth: number
  readonly hits: number
  readonly elapsedMs: number
}

export interface SearchAnswer {
  readonly hits: readonly SearchHit[]
  /** Matching documents, shown or not. Fewer hits than this and the limit: the rest did not fit one frame. */
  readonly total: number
  readonly statistics: Statistics
  readonly coverage: Coverage
  readonly plan: readonly PlanStepTaken[]
  /** The scope whose aggregator answered: the level. */
  readonly level: string
  readonly answeredBy: Uint8Array
  /** Where to ask when this node could not: nodes and scopes. */
  readonly referrals: readonly { readonly node: Uint8Array; readonly scope: string }[]
}

const answerShape = struct({
  version: literal(1),
  hits: array(
    struct({ record: bytes(1, limits.recordBytesMax), score: uint(), scope: scopeShape }),
    searchLimits.hitsMax,
  ),
  total: uint(),
  statistics: statisticsShape,
  coverage: struct({
    complete: boolean,
    sources: uint(),
    sourcesCurrent: uint(),
    asOfMs: uint(),
    missing: array(scopeShape, searchLimits.missingScopesMax),
  }),
  plan: array(
    struct({
      action: choice(...planActions),
      outcome: choice(...planOutcomes),
      scope: scopeShape,
      node: nullable(bytes(32)),
      depth: uint(searchLimits.hopsMax),
      hits: uint(),
      elapsedMs: uint(),
    }),
    searchLimits.planStepsMax,
  ),
  level: scopeShape,
  answeredBy: bytes(32),
  referrals: array(struct({ node: bytes(32), scope: scopeShape }), searchLimits.scatterWidthMax),
})

/** Everything of an answer but its records fits in this. */
const frameRestBytes = 128 * 1024

/** As many of the hits, best first, as one frame carries. */
export function encodeSearchAnswer(answer: SearchAnswer): Uint8Array {
  let room = limits.frameBytesMax - frameRestBytes
  const hits: SearchHit[] = []
  for (const hit of answer.hits) {
    room -= hit.record.length
    if (room < 0) break
    hits.push(hit)
  }
  const { coverage } = answer
  return encode([
    1,
    hits.map(({ record, score, scope }) => [record, score, scope]),
    answer.total,
    statisticsItems(answer.statistics),
    [coverage.complete, coverage.sources, coverage.sourcesCurrent, coverage.asOfMs, coverage.missing],
    answer.plan.map((step) => [
      planActions.indexOf(step.action),
      planOutcomes.indexOf(step.outcome),
      step.scope,
      step.node ?? null,
      step.depth,
      step.hits,
      step.elapsedMs,
    ]),
    answer.level,
    answer.answeredBy,
    answer.referrals.map(({ node, scope }) => [node, scope]),
  ])
}

/** Shape only: records and scores are the reader's to verify. Throws BAD_MESSAGE. */
export function decodeSearchAnswer(message: Uint8Array): SearchAnswer {
  const { version: _, ...answer } = decodeAs(answerShape, message, 'search answer')
  const { coverage } = answer
  // A contradiction is a lie or a fault; either way nobody should read "complete".
  if (coverage.complete && (coverage.missing.length > 0 || coverage.sourcesCurrent !== coverage.sources)) {
    throw new OnehopError('BAD_MESSAGE', 'search answer.coverage: complete, yet something is missing')
  }
  return answer
}
