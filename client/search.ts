import { utf8 } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { isScope } from '../protocol/scope.ts'
import { decodeSearchAnswer, encodeSearchQuery } from '../protocol/search/query.ts'
import type { Statistics } from '../protocol/search/bm25.ts'
import type { Coverage, PlanStepTaken, SearchQuery } from '../protocol/search/query.ts'
import type { Analyser } from '../protocol/search/analysis.ts'
import { searchLimits } from '../protocol/search/limits.ts'
import { searchDocumentOf } from '../protocol/search/record-document.ts'
import { verifyRanking } from '../protocol/search/verify-results.ts'
import type { CheckedHit } from '../protocol/search/verify-results.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { collectionOf } from '../protocol/schema/check-item.ts'
import type { CollectionName } from '../protocol/schema/record-of.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { AppParts } from './app-parts.ts'
import type { CallOptions } from './transport.ts'
import type { Shown } from './view.ts'

export interface SearchRequest extends CallOptions {
  /** Such as `/geo/africa/ng/lagos`. */
  readonly scope: string
  readonly text: string
  readonly collection?: string | undefined
  readonly match?: 'any' | 'all' | undefined
  /** 1 to 100; 20 when not given. */
  readonly limit?: number | undefined
  /** `en` when not given. */
  readonly analyser?: Analyser | undefined
}

export type SearchHitOf<S extends Schema> = {
  [C in CollectionName<S>]: {
    readonly collection: C
    /** Only what reaches the scope that was asked. */
    readonly item: Shown<S, C>
    readonly owner: IdentityId
    /** In units of 2^-20. */
    readonly score: number
    /** Where its owner stands. */
    readonly scope: string
  }
}[CollectionName<S>]

export interface SearchResult<S extends Schema> {
  /** Best first; each signed by its author, and the ranking computed again here. */
  readonly hits: readonly SearchHitOf<S>[]
  /** Matching documents, shown or not. */
  readonly total: number
  /** Of the scope, by which the hits were scored. */
  readonly statistics: Statistics
  readonly coverage: Coverage
  readonly plan: readonly PlanStepTaken[]
  /** The scope whose aggregator answered. */
  readonly level: string
  readonly answeredBy: Uint8Array
  /** Where to ask when this node could not. */
  readonly referrals: readonly { readonly node: Uint8Array; readonly scope: string }[]
  /** What did not verify. Empty: records, scores and order are as they must be. */
  readonly problems: readonly string[]
}

export async function search<S extends Schema>(
  parts: AppParts,
  operation: 'search.query' | 'search.explain',
  request: SearchRequest,
): Promise<SearchResult<S>> {
  const { app, schema, crypto, reader } = parts
  checkRequest(request)
  if (request.collection !== undefined) collectionOf(schema, request.collection)
  const query: SearchQuery = {
    app,
    collection: request.collection,
    scope: request.scope,
    text: request.text,
    analyser: request.analyser ?? 'en',
    match: request.match ?? 'any',
    limit: request.limit ?? 20,
    hops: searchLimits.hopsMax,
    explain: operation === 'search.explain',
    statistics: undefined,
  }
  const reply = await parts.transport.call(operation, { query: encodeSearchQuery(query) }, request)
  const answer = decodeSearchAnswer(reply.answer)
  const problems: string[] = []
  const verdicts = await reader.verdicts(
    answer.hits.map(({ record }) => record),
    { app },
    request,
  )
  const checked: CheckedHit[] = []
  const hits: SearchHitOf<S>[] = []
  for (const [i, verdict] of verdicts.entries()) {
    const { score, scope } = answer.hits[i] as (typeof answer.hits)[number]
    if (!verdict.ok) {
      problems.push(`hit ${i + 1}: ${verdict.message}`)
      continue
    }
    const { record } = verdict
    const place = { scope, analyser: query.analyser }
    const document = searchDocumentOf((bytes) => crypto.sha256(bytes), record, place)
    checked.push({ ...document, layers: document.layers, score, scope })
    const { collection, owner } = record.header
    const item = schema.collections.has(collection) ? reader.item(record, collection) : undefined
    if (item !== undefined) hits.push({ collection, item, owner, score, scope } as unknown as SearchHitOf<S>)
  }
  problems.push(...verifyRanking(query, { ...answer, hits: checked }))
  const { total, statistics, coverage, plan, level, answeredBy, referrals } = answer
  return { hits, total, statistics, coverage, plan, level, answeredBy, referrals, problems }
}

/** What the node could only call no message of this version. Throws BAD_REQUEST. */
function checkRequest({ scope, text, limit }: SearchRequest): void {
  const { hitsMax, queryTextBytesMax } = searchLimits
  const refuse = (message: string, help: string): never => {
    throw new OnehopError('BAD_REQUEST', message, { help })
  }
  if (!isScope(scope))
    refuse(
      `${JSON.stringify(scope)} is no scope`,
      'A scope is a path in lower case such as /geo/africa/ng/lagos; /geo is the world.',
    )
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= hitsMax))
    refuse(`a search has no limit of ${limit}`, `Ask for 1 to ${hitsMax} hits.`)
  const textBytes = utf8(text).length
  if (textBytes === 0 || textBytes > queryTextBytesMax)
    refuse(
      `a search has no text of ${textBytes} bytes`,
      `Search for 1 to ${queryTextBytesMax} bytes of text.`,
    )
}
