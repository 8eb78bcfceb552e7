import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { fingerprintOf } from '../../protocol/reconcile/fingerprint.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import type { RecordRef } from '../../protocol/record/types.ts'
import { encodeRef } from '../../storage/keys.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { RefTree } from '../../storage/ref-tree.ts'
import { StagedBatch } from '../../storage/staged-batch.ts'

const { sha256 } = await loadCrypto()
const shard = new Uint8Array(32).fill(1)
const refs = Array.from({ length: 3_000 }, (_, i): RecordRef => {
  const id = sha256(utf8(`record ${i}`))
  // Some at their own time, some all at one.
  return { clock: i % 3 === 0 ? 7_000n : BigInt(i * 7), id }
})

/** Adds and removes some; each step is one batch. */
const steps = fc.array(
  fc.record({
    removes: fc.boolean(),
    from: fc.nat(refs.length - 1),
    length: fc.integer({ min: 1, max: 400 }),
    stride: fc.constantFrom(1, 1, 7, -1),
  }),
  { minLength: 1, maxLength: 16 },
)

async function commit(kv: MemoryKv, tree: RefTree): Promise<void> {
  const batch = new StagedBatch(kv)
  tree.flush(batch)
  await kv.batch(batch.writes)
  tree.committed()
}

function expectSame(tree: RefTree, held: Iterable<RecordRef>): void {
  const set = reconcileVector(held, sha256)
  expect(tree.size).toBe(set.size)
  for (let i = 0; i < set.size; i += 1 + (i % 13))
    expect(toHex(encodeRef(tree.at(i)))).toBe(toHex(encodeRef(set.at(i))))
  for (const [from, to] of [
    [0, set.size],
    [set.size >> 2, set.size >> 1],
    [set.size >> 1, (set.size >> 1) + Math.min(1, set.size >> 1)],
  ] as const)
    expect(toHex(fingerprintOf(tree.sum(from, to), to - from, sha256))).toBe(toHex(set.fingerprint(from, to)))
  for (let i = 0; i < refs.length; i += 97) {
    const { clock, id } = refs[i] as RecordRef
    for (const prefix of [new Uint8Array(0), id.subarray(0, 3), id])
      expect(tree.lowerBound({ clock, prefix })).toBe(set.lowerBound({ clock, prefix }))
  }
}

test('after any inserts and removals the tree counts, finds and sums as a sorted list does', async () => {
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const kv = new MemoryKv()
      const tree = new RefTree(kv, shard)
      const held = new Set<RecordRef>()
      for (const { removes, from, length, stride } of drawn) {
        for (let i = 0; i < length; i++) {
          const at = (((from + i * stride) % refs.length) + refs.length) % refs.length
          const ref = refs[at] as RecordRef
          if (removes) tree.remove(encodeRef(ref))
          else tree.insert(encodeRef(ref))
          if (removes) held.delete(ref)
          else held.add(ref)
        }
        expectSame(tree, held)
        await commit(kv, tree)
        expectSame(new RefTree(kv, shard), held)
      }
      for (const ref of held) tree.remove(encodeRef(ref))
      await commit(kv, tree)
      // An empty root alone is left.
      expect(await kv.keys({})).toHaveLength(held.size === 0 && drawn.every(({ removes }) => removes) ? 0 : 1)
    }),
    { numRuns: 40 },
  )
})

test('a write changes the pages of one path, whatever the number of records', async () => {
  const kv = new MemoryKv()
  const tree = new RefTree(kv, shard)
  for (let i = 0; i < 100_000; i++)
    tree.insert(encodeRef({ clock: BigInt(i), id: (refs[i % refs.length] as RecordRef).id }))
  await commit(kv, tree)
  tree.insert(encodeRef({ clock: 50_000n, id: new Uint8Array(32).fill(9) }))
  const batch = new StagedBatch(kv)
  tree.flush(batch)
  expect(batch.writes.length).toBeLessThanOrEqual(8)
  expect(batch.bytes).toBeLessThan(12_000)
})

test('comparing a large set with an equal one reads the path to a bound, whatever the number of records', async () => {
  const kv = new MemoryKv()
  const tree = new RefTree(kv, shard)
  for (let i = 0; i < 100_000; i++)
    tree.insert(encodeRef({ clock: BigInt(i), id: (refs[i % refs.length] as RecordRef).id }))
  await commit(kv, tree)
  const read: Uint8Array[] = []
  const cold = new RefTree({ get: (key) => (read.push(key), kv.get(key)) }, shard)
  const until = cold.lowerBound({ clock: 99_000n, prefix: new Uint8Array(0) })
  expect(until).toBe(99_000)
  cold.sum(0, until)
  expect(read.length).toBeLessThanOrEqual(8)
})

test('written from the oldest or from the newest on, the pages are left full', async () => {
  const pages: number[] = []
  for (const direction of [1, -1]) {
    const kv = new MemoryKv()
    const tree = new RefTree(kv, shard)
    for (let i = 0; i < 3_200; i++)
      tree.insert(
        encodeRef({ clock: BigInt(5_000 + i * direction), id: (refs[i % refs.length] as RecordRef).id }),
      )
    await commit(kv, tree)
    pages.push((await kv.keys({})).length)
  }
  // Leaves of 32, branches of 24.
  for (const count of pages) expect(count).toBeLessThanOrEqual(3_200 / 32 + 8)
})
