/**
 * Makes everything that is derived from a shard's records anew. The records are copied aside first, all that was derived goes, and
 * they are put again as if they had just come: there is one way in, and it makes the indexes. What a crash leaves half done is
 * gone on with at the next opening.
 */
import { concatBytes } from '../protocol/bytes.ts'
import { asOnehopError } from '../protocol/errors.ts'
import type { SignedRecord, VerifiedRecord } from '../protocol/record/types.ts'
import { entriesUnder, type IsSigned } from './check-shard.ts'
import { encodeRef, idBytes, keyOf, prefixEnd, shardTags, tags } from './keys.ts'
import type { Kv, KvWrite } from './kv.ts'
import { stageRecords } from './record-writer.ts'
import { decodeHead, orderLive, ShardStates, type Head } from './shard-state.ts'
import { StagedBatch } from './staged-batch.ts'
import { decodeBytes } from './stored-record.ts'
import type { IncomingRecord } from './types.ts'

/** One batch takes no more: bounds the memory. */
const batchRecords = 500

/** All that goes and is made anew. What was dropped stays: it comes back should it count again. */
const derivedTags = shardTags.filter((tag) => tag !== tags.dropped)

/** First byte of the marker once the copy is whole; behind it the head as it was, which goes before it comes again. */
const copied = 1
/** Everything is in its place again: what is left of the copy may go. */
const done = 2

/** What was not the record that it should be: kept elsewhere, never thrown away. */
export type OnDamaged = (shard: Uint8Array, key: Uint8Array, bytes: Uint8Array) => Promise<void>

export async function rebuildShard(
  kv: Kv,
  shard: Uint8Array,
  isSigned: IsSigned,
  onDamaged: OnDamaged,
): Promise<void> {
  const marker = keyOf(tags.rebuilding, shard).slice()
  const phase = kv.get(marker)?.[0]
  if (phase !== copied && phase !== done) {
    // Before the first copy: a crash from here on is seen.
    await kv.batch([{ type: 'put', key: marker, value: new Uint8Array(1) }])
    await copyAside(kv, shard, isSigned, onDamaged)
    const head = kv.get(keyOf(tags.head, shard)) ?? new Uint8Array(0)
    await kv.batch([{ type: 'put', key: marker, value: concatBytes(Uint8Array.of(copied), head) }])
  }
  if (phase !== done) {
    await putAgain(kv, shard, headOf(kv.get(marker)?.subarray(1)))
    await kv.batch([{ type: 'put', key: marker, value: Uint8Array.of(done) }])
  }
  await removeUnder(kv, keyOf(tags.aside, shard).slice())
  await kv.batch([{ type: 'del', key: marker }])
}

/** Ends what a crash interrupted. */
export async function resumeRebuilds(kv: Kv): Promise<void> {
  const prefix = Uint8Array.of(tags.rebuilding)
  const keys = await kv.keys({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
  for (const key of keys) {
    const shard = key.slice(1, 1 + idBytes)
    if ((kv.get(key)?.[0] ?? 0) > 0)
      await rebuildShard(
        kv,
        shard,
        () => true,
        async () => undefined,
      )
    // Nothing was taken away yet: whoever verifies begins again.
    else {
      await removeUnder(kv, keyOf(tags.aside, shard).slice())
      await kv.batch([{ type: 'del', key }])
    }
  }
}

async function copyAside(kv: Kv, shard: Uint8Array, isSigned: IsSigned, onDamaged: OnDamaged): Promise<void> {
  let writes: KvWrite[] = []
  const flush = async (): Promise<void> => {
    if (writes.length > 0) await kv.batch(writes)
    writes = []
  }
  for (const tag of [tags.order, tags.live]) {
    for await (const { key, value } of entriesUnder(kv, keyOf(tag, shard).slice())) {
      if (tag === tags.order && value[0] === orderLive) continue
      const bytes = tag === tags.order ? value.subarray(1) : value
      const record = goodRecord(bytes, shard, isSigned)
      if (record === undefined) await onDamaged(shard, key, bytes)
      else {
        const ref = encodeRef({ clock: record.header.clock, id: record.id })
        writes.push({ type: 'put', key: keyOf(tags.aside, shard, ref).slice(), value: bytes })
      }
      if (writes.length >= batchRecords) await flush()
    }
  }
  await flush()
}

function goodRecord(bytes: Uint8Array, shard: Uint8Array, isSigned: IsSigned): SignedRecord | undefined {
  try {
    const record = decodeBytes(bytes)
    const isHere = record.header.owner.every((byte, i) => byte === shard[i])
    return isHere && isSigned(record) ? record : undefined
  } catch (cause) {
    if (asOnehopError(cause).code === 'INTERNAL') throw cause
    return undefined
  }
}

async function putAgain(
  kv: Kv,
  shard: Uint8Array,
  before: Pick<Head, 'status' | 'blobBytes'>,
): Promise<void> {
  for (const tag of derivedTags) await removeUnder(kv, keyOf(tag, shard).slice())
  await kv.batch([{ type: 'del', key: keyOf(tags.head, shard).slice() }])
  const states = new ShardStates(kv)
  const put = async (records: readonly IncomingRecord[], stage?: (head: Head) => void): Promise<void> => {
    const batch = new StagedBatch(kv)
    stageRecords(batch, states, records, { hosted: before.status === 'hosted' })
    stage?.(states.change(shard, before.status === 'hosted' ? 'hosted' : 'partial').head)
    states.flush(batch)
    await kv.batch(batch.writes)
    states.committed()
  }
  let records: IncomingRecord[] = []
  const prefix = keyOf(tags.aside, shard).slice()
  for await (const { value } of entriesUnder(kv, prefix)) {
    // Checked as it was copied.
    records.push({ record: decodeBytes(value) as VerifiedRecord, bytes: value })
    if (records.length < batchRecords) continue
    await put(records)
    records = []
  }
  await put(records, (head) => {
    head.blobBytes = before.blobBytes
  })
}

function headOf(bytes: Uint8Array | undefined): Pick<Head, 'status' | 'blobBytes'> {
  try {
    if (bytes !== undefined && bytes.length > 0) return decodeHead(bytes)
  } catch (cause) {
    if (asOnehopError(cause).code !== 'STORE_CORRUPT') throw cause
  }
  return { status: 'hosted', blobBytes: 0 }
}

async function removeUnder(kv: Kv, prefix: Uint8Array): Promise<void> {
  const lt = prefixEnd(prefix) as Uint8Array
  for (;;) {
    const keys = await kv.keys({ gte: prefix, lt, limit: 1_000 })
    if (keys.length === 0) return
    await kv.batch(keys.map((key) => ({ type: 'del', key })))
  }
}
