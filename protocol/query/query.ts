import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import type { RecordRef } from '../record/types.ts'
import { array, bytes, decodeAs, literal, nullable, struct, text, u64, uint, variant } from '../shape.ts'

/**
 * What may be read of a shard. Grammar:
 *
 *   query  = [0, [owner, app, collection, key]] / [1, [owner, app, collection, range]]
 *          / [2, [owner, app, view, range]] / [3, [owner, app, collection, range]]
 *   range  = [limit uint / null, before ref / null, after ref / null]
 *   ref    = [clock u64, id b32]
 *   page   = [1, asOf u64, [*record], more ref / null]
 *
 * A range runs from the newest to the oldest record that is older than `before` and newer than `after`.
 */
export type Query = KeyQuery | ListQuery | ViewQuery | FeedQuery

/** The current record of one item. */
export interface KeyQuery {
  readonly kind: 'key'
  readonly owner: Uint8Array
  readonly app: string
  readonly collection: string
  readonly key: Uint8Array
}

/** The newest records of a collection. */
export interface ListQuery {
  readonly kind: 'list'
  readonly owner: Uint8Array
  readonly app: string
  readonly collection: string
  readonly range: Range
}

/** A page about `owner`. The range is that of its feed. */
export interface ViewQuery {
  readonly kind: 'view'
  readonly owner: Uint8Array
  readonly app: string
  readonly view: string
  readonly range: Range
}

/** The newest records of a stream by everybody whom `owner` follows. */
export interface FeedQuery {
  readonly kind: 'feed'
  readonly owner: Uint8Array
  readonly app: string
  readonly collection: string
  readonly range: Range
}

export interface Range {
  /** What the view says, or the most a node gives, when not given. */
  readonly limit?: number | undefined
  readonly before?: RecordRef | undefined
  readonly after?: RecordRef | undefined
}

/** The answer to a key or list query. */
export interface Page {
  /** The newest clock that this node had taken into the shard when it answered. */
  readonly asOf: bigint
  /** Signed records as they are stored, newest first. */
  readonly records: readonly Uint8Array[]
  /** The `before` of the next page; undefined when nothing is left. */
  readonly more: RecordRef | undefined
}

const id = bytes(32)
const name = text(limits.nameBytesMax, 1)
export const refShape = struct({ clock: u64, id })
const rangeShape = struct({
  limit: nullable(uint(limits.listItemsMax, 1)),
  before: nullable(refShape),
  after: nullable(refShape),
})

const queryShape = variant({
  0: struct({ owner: id, app: name, collection: name, key: bytes(0, limits.recordKeyBytesMax) }),
  1: struct({ owner: id, app: name, collection: name, range: rangeShape }),
  2: struct({ owner: id, app: name, view: name, range: rangeShape }),
  3: struct({ owner: id, app: name, collection: name, range: rangeShape }),
})

const pageShape = struct({
  version: literal(1),
  asOf: u64,
  records: array(bytes(1, limits.recordBytesMax), limits.listItemsMax),
  more: nullable(refShape),
})

/** Names, an owner, a key, a range: half a kilobyte. */
const queryBytesMax = 1024

export function encodeQuery(query: Query): Uint8Array {
  const { owner, app } = query
  switch (query.kind) {
    case 'key':
      return encode([0, [owner, app, query.collection, query.key]])
    case 'list':
      return encode([1, [owner, app, query.collection, rangeItems(query.range)]])
    case 'view':
      return encode([2, [owner, app, query.view, rangeItems(query.range)]])
    case 'feed':
      return encode([3, [owner, app, query.collection, rangeItems(query.range)]])
  }
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeQuery(message: Uint8Array): Query {
  const query = decodeAs(queryShape, message, 'query', { bytesMax: queryBytesMax })
  switch (query.tag) {
    case 0:
      return { kind: 'key', ...query.value }
    case 1:
      return { kind: 'list', ...query.value }
    case 2:
      return { kind: 'view', ...query.value }
    case 3:
      return { kind: 'feed', ...query.value }
  }
}

/** Also the arguments of a view in the API. */
export function encodeRange(range: Range): Uint8Array {
  return encode(rangeItems(range))
}

export function decodeRange(message: Uint8Array): Range {
  return decodeAs(rangeShape, message, 'range', { bytesMax: queryBytesMax })
}

export function encodePage(page: Page): Uint8Array {
  return encode([1, page.asOf, page.records, refItems(page.more)])
}

export function decodePage(message: Uint8Array): Page {
  const { asOf, records, more } = decodeAs(pageShape, message, 'page')
  return { asOf, records, more }
}

function rangeItems(range: Range): unknown[] {
  return [range.limit ?? null, refItems(range.before), refItems(range.after)]
}

export function refItems(ref: RecordRef | undefined): unknown[] | null {
  return ref === undefined ? null : [ref.clock, ref.id]
}
