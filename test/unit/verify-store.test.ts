/** A store with something wrong in it: found, mended from the records, and equal to one that never was. */
import { beforeAll, describe, expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { fingerprintOf } from '../../protocol/reconcile/fingerprint.ts'
import { shardFaults, type IsSigned, type ShardFault } from '../../storage/check-shard.ts'
import { keyOf, placePart, prefixEnd, tags } from '../../storage/keys.ts'
import type { Kv, KvEntry, KvWrite } from '../../storage/kv.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { verifyStore } from '../../storage/verify-store.ts'
import { id, incomingRecord, sha256 } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const app = 'town.example'
const ada = id('ada')
const clock = createVirtualClock()
/** What was put at the beginning: the signatures of these records are nonsense. */
const put = new Set<string>()
const good: IsSigned = ({ id: name }) => put.has(toHex(name))
let entries: readonly KvEntry[]
let expected: unknown

beforeAll(async () => {
  const kv = new MemoryKv()
  const store = await openStore(kv, { clock })
  const posts = Array.from({ length: 60 }, (_, i) =>
    incomingRecord({ number: i + 1, clock: BigInt(1_000 + i * 3) }),
  )
  // One item in twenty versions, the last of which deletes; one that is rewritten; a number used twice.
  const named = (key: string) => ({ collection: 'names', key: id(key), merge: 'register' as const })
  const versions = Array.from({ length: 20 }, (_, i) =>
    incomingRecord({
      ...named('gone'),
      ...{ number: 61 + i, clock: BigInt(2_000 + i) },
      operation: i === 19 ? 'delete' : 'put',
    }),
  )
  const rewritten = Array.from({ length: 5 }, (_, i) =>
    incomingRecord({ ...named('kept'), number: 81 + i, clock: BigInt(3_000 - i) }),
  )
  const twice = incomingRecord({ number: 7, clock: 5_000n })
  await store.records.put([...posts, ...versions, ...rewritten, twice], { hosted: true })
  await store.records.put([incomingRecord({ owner: id('ben') })], { hosted: false })
  await store.write((batch) => store.shards.addBlobBytesIn(batch, ada, 12_345))
  for (const ref of [...(await store.records.refs(ada)), ...(await store.records.refs(id('ben')))])
    put.add(toHex(ref.id))
  entries = await kv.range({ gte: new Uint8Array(0), limit: 10_000 })
  expected = await seen(kv)
})

/** Everything that a reader of the store can ask about a shard, but the order in which records came. */
async function seen(kv: Kv): Promise<unknown> {
  const store = await openStore(kv, { clock })
  const { records, shards } = store
  const refs = await records.refs(ada)
  const { logHead: _, ...info } = shards.get(ada) ?? { logHead: 0 }
  const list = async (collection: string) =>
    (await records.latest(ada, app, collection, { limit: 100 })).map(({ bytes }) => toHex(bytes))
  const fingerprint = await records.inOrder(ada, (order) =>
    toHex(fingerprintOf(order.sum(0, order.size), order.size, sha256)),
  )
  const logged = new Set((await records.log(ada, 0, 10_000)).map(({ ref }) => toHex(ref.id)))
  return {
    info,
    fingerprint,
    refs: refs.map((ref) => toHex(ref.id)),
    bytes: (await records.getMany(ada, refs)).map((stored) => toHex(stored?.bytes ?? new Uint8Array())),
    lists: [await list('posts'), await list('names')],
    counts: ['posts', 'names'].map((collection) => records.count(ada, app, collection)),
    winners: ['gone', 'kept'].map((key) => records.winner(ada, app, 'names', id(key))?.ref.clock),
    numbers: (await records.numbers(ada, id('phone'))).map(({ number }) => number),
    equivocations: (await records.equivocations(ada)).map(({ number }) => number),
    isLogged: refs.every((ref) => logged.has(toHex(ref.id))),
    ben: shards.get(id('ben'))?.records,
  }
}

async function copyOf(all: readonly KvEntry[]): Promise<MemoryKv> {
  const kv = new MemoryKv()
  await kv.batch(all.map(({ key, value }): KvWrite => ({ type: 'put', key, value: value.slice() })))
  return kv
}

async function keysUnder(kv: Kv, ...parts: Parameters<typeof keyOf>): Promise<Uint8Array[]> {
  const prefix = keyOf(...parts).slice()
  return kv.keys({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
}

const remove = (kv: Kv, key: Uint8Array): Promise<void> => kv.batch([{ type: 'del', key }])
const change = (kv: Kv, key: Uint8Array, at: number): Promise<void> => {
  const value = (kv.get(key) as Uint8Array).slice()
  value[at] = (value[at] as number) ^ 1
  return kv.batch([{ type: 'put', key, value }])
}
const nth = async (kv: Kv, at: number, ...parts: Parameters<typeof keyOf>): Promise<Uint8Array> =>
  (await keysUnder(kv, ...parts)).at(at) as Uint8Array
const names = placePart(app, 'names')
const postsPlace = placePart(app, 'posts')

type Plant = (kv: Kv) => Promise<unknown>
const faults: readonly (readonly [what: string, fault: ShardFault, plant: Plant])[] = [
  ['a winner that is gone', 'winner', async (kv) => remove(kv, await nth(kv, 0, tags.winner, ada, names))],
  [
    'an older version that wins',
    'winner',
    async (kv) => {
      const entry = (await keysUnder(kv, tags.winner, ada, names)).find((key) =>
        toHex(key).endsWith(toHex(id('kept'))),
      )
      const value = (kv.get(entry as Uint8Array) as Uint8Array).slice()
      const old = (await openStore(kv, { clock })).records
      const ref = (await old.refs(ada)).find((one) => one.clock === 2_997n)
      new DataView(value.buffer).setBigUint64(0, 2_997n)
      value.set(ref?.id as Uint8Array, 8)
      await kv.batch([{ type: 'put', key: entry as Uint8Array, value }])
    },
  ],
  [
    'a record of a list that is gone',
    'order',
    async (kv) => remove(kv, await nth(kv, 9, tags.live, ada, postsPlace)),
  ],
  [
    'an entry of a list that leads nowhere',
    'live',
    async (kv) => {
      const key = (await nth(kv, 9, tags.live, ada, postsPlace)).slice()
      const value = kv.get(key) as Uint8Array
      key[key.length - 1] = (key.at(-1) as number) ^ 1
      await kv.batch([{ type: 'put', key, value }])
    },
  ],
  [
    'a count that is one more',
    'count',
    async (kv) => change(kv, await nth(kv, 0, tags.counts, ada, postsPlace), 7),
  ],
  ['a page of numbers that is gone', 'number', async (kv) => remove(kv, await nth(kv, 1, tags.numbers, ada))],
  ['a number that names nobody', 'number', async (kv) => change(kv, await nth(kv, 1, tags.numbers, ada), 60)],
  ['a page of the log that is gone', 'log', async (kv) => remove(kv, await nth(kv, 2, tags.log, ada))],
  ['a page of the tree that is gone', 'tree', async (kv) => remove(kv, await nth(kv, 1, tags.tree, ada))],
  ['another ref in the tree', 'tree', async (kv) => change(kv, await nth(kv, 1, tags.tree, ada), 30)],
  ['a size that is one more', 'head', async (kv) => change(kv, keyOf(tags.head, ada).slice(), 8)],
]

const repair = { onDamaged: async () => undefined }

test('a store in which nothing is wrong is told so, and left alone', async () => {
  const kv = await copyOf(entries)
  const report = await verifyStore(kv, { isSigned: good, repair })
  expect(report).toMatchObject({ shards: 2, records: 87, rebuilt: 0 })
  expect(report.faults.size).toBe(0)
  expect(await kv.range({ gte: new Uint8Array(0), limit: 10_000 })).toEqual(entries)
})

test.for(faults)('%s is found, and mended', async ([, fault, plant]) => {
  const kv = await copyOf(entries)
  await plant(kv)
  const looked = await verifyStore(kv, { isSigned: good })
  expect([...looked.faults.keys()].map((each) => shardFaults[each])).toContain(shardFaults[fault])
  expect(looked.rebuilt).toBe(0)
  const mended = await verifyStore(kv, { isSigned: good, repair })
  expect(mended.rebuilt).toBe(1)
  expect((await verifyStore(kv, { isSigned: good })).faults.size).toBe(0)
  // A record whose bytes are gone is gone here, and comes from others; all else is as it was.
  if (fault !== 'order') expect(await seen(kv)).toEqual(expected)
  else expect(await seen(kv)).toMatchObject({ info: { records: 85 }, isLogged: true })
})

test('the head of a shard that is gone is made anew, but for the size of its files', async () => {
  const kv = await copyOf(entries)
  await remove(kv, keyOf(tags.head, ada).slice())
  expect((await verifyStore(kv, { isSigned: good, repair })).rebuilt).toBe(1)
  const { info, ...rest } = expected as { info: object }
  expect(await seen(kv)).toEqual({ ...rest, info: { ...info, blobBytes: 0 } })
})

test('of a shard of which only what was derived is left nothing stays that says it is there', async () => {
  const kv = new MemoryKv()
  await kv.batch(entries.map(({ key, value }) => ({ type: 'put', key, value })))
  const lost = entries.filter(({ key }) => [tags.head, tags.order, tags.live].includes(key[0] as never))
  await kv.batch(lost.map(({ key }) => ({ type: 'del', key })))
  const { rebuilt } = await verifyStore(kv, { isSigned: good, repair: { onDamaged: async () => undefined } })
  expect(rebuilt).toBe(2)
  const { records } = await openStore(kv, { clock })
  expect(await records.inOrder(ada, ({ size }) => size)).toBe(0)
})

test('a damaged record is put aside whole, and what it outshone is shown', async () => {
  const kv = await copyOf(entries)
  const [key] = (await keysUnder(kv, tags.live, ada, names)) as [Uint8Array]
  await change(kv, key, 60)
  const damaged = kv.get(key) as Uint8Array
  const aside: Uint8Array[] = []
  const onDamaged = async (_shard: Uint8Array, _key: Uint8Array, bytes: Uint8Array): Promise<void> =>
    void aside.push(bytes.slice())
  const report = await verifyStore(kv, { isSigned: good, repair: { onDamaged } })
  expect(report.faults.get('record')).toBe(1)
  expect(aside).toEqual([damaged])
  expect((await verifyStore(kv, { isSigned: good })).faults.size).toBe(0)
  expect(await seen(kv)).toMatchObject({ winners: [undefined, 2_999n], info: { records: 85 } })
})

test('a record that its device did not sign counts as damaged', async () => {
  const kv = await copyOf(entries)
  const isSigned: IsSigned = (record) => good(record) && record.header.number !== 3
  const aside: string[] = []
  const onDamaged = async (shard: Uint8Array): Promise<void> => void aside.push(toHex(shard))
  const report = await verifyStore(kv, { isSigned, repair: { onDamaged } })
  expect([report.faults.get('record'), aside]).toEqual([1, [toHex(ada)]])
})

describe('a crash while a shard is made anew', () => {
  /** Lets so many batches through, and then nothing: the power is off. */
  function failing(kv: Kv, after: number): Kv {
    let left = after
    return {
      get: (key) => kv.get(key),
      getMany: (keys) => kv.getMany(keys),
      range: (range) => kv.range(range),
      keys: (range) => kv.keys(range),
      async batch(writes) {
        if (left-- <= 0) throw new Error('the power is off')
        await kv.batch(writes)
      },
      close: () => kv.close(),
    }
  }

  test('at any of its steps loses nothing, whether one verifies again or just starts', async () => {
    for (const then of ['verify', 'start'] as const) {
      let crashes = 0
      for (let after = 0; ; after++) {
        const kv = await copyOf(entries)
        await remove(kv, await nth(kv, 0, tags.winner, ada, names))
        const running = verifyStore(failing(kv, after), { isSigned: good, repair })
        const isCut = await running.then(
          () => false,
          () => true,
        )
        if (!isCut) break
        crashes++
        if (then === 'start') await openStore(kv, { clock })
        await verifyStore(kv, { isSigned: good, repair })
        expect(await seen(kv), `${then} after ${after} batches`).toEqual(expected)
        expect(await keysUnder(kv, tags.aside)).toEqual([])
        expect(await keysUnder(kv, tags.rebuilding)).toEqual([])
      }
      expect(crashes).toBeGreaterThan(10)
    }
  })
})
