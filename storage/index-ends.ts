import { itemKey } from '../protocol/record/merge.ts'
import type { VerifiedRecord } from '../protocol/record/types.ts'
import { entriesUnder } from './check-shard.ts'
import { idBytes, keyOf, placePart, refBytes, tags } from './keys.ts'
import type { Kv } from './kv.ts'
import { noteBelow, noteExpiry } from './record-ends.ts'
import { sameRef } from './ref-pages.ts'
import { orderLive, readCounts } from './shard-state.ts'
import { StagedBatch } from './staged-batch.ts'
import { decodeBytes } from './stored-record.ts'
import { encodeWinner } from './winner-entry.ts'

const batchWrites = 1_000

/** What a sweep looks for, of every shard that is there. What a crash left half done is done again. */
export async function indexEnds(kv: Kv): Promise<void> {
  let batch = new StagedBatch(kv)
  let place: Uint8Array | undefined
  let expiring = false
  for await (const { key, value } of entriesUnder(kv, Uint8Array.of(tags.order))) {
    const shard = key.slice(1, 1 + idBytes)
    const ref = key.slice(1 + idBytes)
    const isLive = value[0] === orderLive
    if (isLive) {
      // Of nearly all collections nothing expires: their records are not read.
      const here = keyOf(tags.counts, shard, value.subarray(1)).slice()
      if (place === undefined || !sameBytes(place, here)) {
        place = here
        expiring = readCounts(kv, shard, value.subarray(1)).expiring > 0
      }
      if (!expiring) continue
    }
    const bytes = isLive ? kv.get(keyOf(tags.live, shard, value.subarray(1), ref)) : value.subarray(1)
    if (bytes === undefined) continue
    const record = decodeBytes(bytes) as VerifiedRecord // as all that is held
    const { app, collection } = record.header
    const space = keyOf(shard[0] as number, shard.subarray(1), placePart(app, collection)).slice()
    const winner = kv.get(keyOf(tags.winner, space, itemKey(record)))
    const entry = encodeWinner(ref, record)
    noteExpiry(batch, shard, entry)
    if (winner !== undefined && !sameRef(winner.subarray(0, refBytes), ref))
      noteBelow(batch, space, itemKey(record), { above: winner, below: entry, nowMs: undefined })
    if (batch.writes.length < batchWrites) continue
    await kv.batch(batch.writes)
    batch = new StagedBatch(kv)
  }
  if (batch.writes.length > 0) await kv.batch(batch.writes)
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && sameRef(a, b)
}
