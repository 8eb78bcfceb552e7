import { checkShard, type IsSigned, type ShardFault } from './check-shard.ts'
import { idBytes, prefixEnd, shardTags, tags } from './keys.ts'
import type { Kv } from './kv.ts'
import { rebuildShard, resumeRebuilds, type OnDamaged } from './rebuild-shard.ts'

export interface VerifyOptions {
  readonly isSigned: IsSigned
  /** Undefined: it only looks. */
  readonly repair?: { readonly onDamaged: OnDamaged } | undefined
  readonly onShard?: ((done: number, records: number) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

export interface StoreReport {
  readonly shards: number
  readonly records: number
  readonly bytes: number
  /** In all shards together. */
  readonly faults: ReadonlyMap<ShardFault, number>
  /** Shards whose indexes were made anew. */
  readonly rebuilt: number
}

/** What there is only of a shard that lies here, or lay. */
const apart: readonly number[] = [tags.cursor, tags.dropped, tags.equivocation]
const partTags = [tags.head, ...shardTags.filter((tag) => !apart.includes(tag))]

/** Checks every shard, one after the other, and makes anew what is derived where it is wrong. Nobody else has the database open. */
export async function verifyStore(kv: Kv, options: VerifyOptions): Promise<StoreReport> {
  const { isSigned, repair, onShard, signal } = options
  if (repair !== undefined) await resumeRebuilds(kv)
  const faults = new Map<ShardFault, number>()
  let [shards, records, bytes, rebuilt] = [0, 0, 0, 0]
  for await (const shard of shardsIn(kv)) {
    signal?.throwIfAborted()
    const found = await checkShard(kv, shard, isSigned, signal)
    shards++
    records += found.records
    bytes += found.bytes
    for (const [fault, count] of found.faults) faults.set(fault, (faults.get(fault) ?? 0) + count)
    if (repair !== undefined && found.faults.size > 0) {
      await rebuildShard(kv, shard, isSigned, repair.onDamaged)
      rebuilt++
    }
    onShard?.(shards, records)
  }
  return { shards, records, bytes, faults, rebuilt }
}

/** Also those of which no more is left than something that was derived: with a tree of what is gone a shard would be equal to whole ones. */
async function* shardsIn(kv: Kv): AsyncGenerator<Uint8Array> {
  const seen = new Set<string>()
  for (const tag of partTags) {
    let from = Uint8Array.of(tag)
    for (;;) {
      const [key] = await kv.keys({ gte: from, lt: Uint8Array.of(tag + 1), limit: 1 })
      if (key === undefined) break
      const shard = key.slice(1, 1 + idBytes)
      const name = Buffer.from(shard).toString('latin1')
      if (!seen.has(name)) yield shard
      seen.add(name)
      from = prefixEnd(key.slice(0, 1 + idBytes)) as Uint8Array<ArrayBuffer>
    }
  }
}
