/** A shard's records in another order than that of time: the lists as they are read, newest first, and then what no list shows. */
import type { IdentityId, RecordRef } from '../protocol/record/types.ts'
import { decodeRef, encodeRef, keyOf, placePart, prefixEnd, tags } from './keys.ts'
import type { Kv } from './kv.ts'
import { orderLive } from './shard-state.ts'
import type { Place, StoredRecord } from './types.ts'

const pageKeys = 1_000

/** Collections that ever had an item; by name. */
export async function placesOf(kv: Kv, shard: IdentityId): Promise<Place[]> {
  const prefix = keyOf(tags.counts, shard).slice()
  const places: Place[] = []
  let gte: Uint8Array = prefix
  for (;;) {
    const keys = await kv.keys({ gte, lt: prefixEnd(prefix) as Uint8Array, limit: pageKeys })
    for (const key of keys) places.push(readPlace(key.subarray(prefix.length)))
    const last = keys.at(-1)
    if (last === undefined || keys.length < pageKeys) return places
    gte = Uint8Array.of(...last, 0)
  }
}

/** Also what has expired and was not swept. */
export async function itemsOf(
  kv: Kv,
  shard: IdentityId,
  { app, collection }: Place,
  limit: number,
  before?: RecordRef,
): Promise<StoredRecord[]> {
  const prefix = keyOf(tags.live, shard, placePart(app, collection)).slice()
  const lt = before
    ? keyOf(tags.live, shard, placePart(app, collection), encodeRef(before))
    : (prefixEnd(prefix) as Uint8Array)
  const entries = await kv.range({ gte: prefix, lt, reverse: true, limit })
  return entries.map(({ key, value }) => ({ ref: decodeRef(key, prefix.length), bytes: value }))
}

/** What was superseded, and tombstones; `last` is where to go on, undefined at the end. */
export async function unlistedOf(
  kv: Kv,
  shard: IdentityId,
  limit: number,
  after?: RecordRef,
): Promise<{ readonly records: StoredRecord[]; readonly last: RecordRef | undefined }> {
  const prefix = keyOf(tags.order, shard).slice()
  const range = after ? { gt: keyOf(tags.order, shard, encodeRef(after)) } : { gte: prefix }
  const entries = await kv.range({ ...range, lt: prefixEnd(prefix) as Uint8Array, limit })
  const records = entries.flatMap(({ key, value }) =>
    value[0] === orderLive ? [] : [{ ref: decodeRef(key, prefix.length), bytes: value.subarray(1) }],
  )
  const last = entries.at(-1)
  return { records, last: last && entries.length === limit ? decodeRef(last.key, prefix.length) : undefined }
}

function readPlace(bytes: Uint8Array): Place {
  const end = 1 + (bytes[0] as number)
  const text = new TextDecoder()
  return { app: text.decode(bytes.subarray(1, end)), collection: text.decode(bytes.subarray(end + 1)) }
}
