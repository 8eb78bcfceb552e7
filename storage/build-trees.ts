import { idBytes, keyOf, prefixEnd, refBytes, tags } from './keys.ts'
import type { Kv } from './kv.ts'
import { RefTree } from './ref-tree.ts'
import { StagedBatch } from './staged-batch.ts'

const pageRefs = 5_000

/** The tree of every shard, from the order of its records. What a crash left half done is gone on with. */
export async function buildTrees(kv: Kv): Promise<void> {
  let after = Uint8Array.of(tags.head)
  for (;;) {
    const heads = await kv.keys({ gt: after, lt: Uint8Array.of(tags.head + 1), limit: 1_000 })
    for (const head of heads) await buildTree(kv, head.slice(1, 1 + idBytes))
    const last = heads.at(-1)
    if (last === undefined) return
    after = last.slice()
  }
}

async function buildTree(kv: Kv, shard: Uint8Array): Promise<void> {
  const prefix = keyOf(tags.order, shard).slice()
  const end = prefixEnd(prefix) as Uint8Array
  const tree = new RefTree(kv, shard)
  let after: Uint8Array | undefined
  for (;;) {
    const keys = await kv.keys({ ...(after ? { gt: after } : { gte: prefix }), lt: end, limit: pageRefs })
    for (const key of keys) tree.insert(key.subarray(prefix.length, prefix.length + refBytes))
    const batch = new StagedBatch(kv)
    tree.flush(batch)
    if (batch.writes.length > 0) await kv.batch(batch.writes)
    tree.committed()
    after = keys.at(-1)?.slice()
    if (keys.length < pageRefs) return
  }
}
