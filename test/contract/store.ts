/** What a store must do on every database. Run by store.test.ts. */
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { compareBytes, toHex } from '../../protocol/bytes.ts'
import { compareVersions, isTombstone, itemKey, winner } from '../../protocol/record/merge.ts'
import { addId, sumWords } from '../../protocol/reconcile/fingerprint.ts'
import type { RecordRef } from '../../protocol/record/types.ts'
import { keyOf, prefixEnd, tags, uintPart } from '../../storage/keys.ts'
import { formatVersion, migrate, versionKey } from '../../storage/migrations.ts'
import type { Kv } from '../../storage/kv.ts'
import { openStore } from '../../storage/store.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { IncomingRecord, Store } from '../../storage/types.ts'
import { id, incomingRecord, type PlainRecord, withSections } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const ada = id('ada')
const app = 'town.example'
const clock = createVirtualClock()
const refOf = ({ record }: IncomingRecord) => ({ clock: record.header.clock, id: record.id })
const hosted = { hosted: true }

/** Versions of few items with few clocks, so that they meet often. */
const history = fc
  .array(
    fc.record({
      item: fc.nat(3),
      clock: fc.bigInt(1n, 6n),
      device: fc.nat(1),
      deletes: fc.boolean(),
      register: fc.boolean(),
    }),
    { minLength: 1, maxLength: 24 },
  )
  .map((steps) => {
    const numbers = [0, 0]
    const created: IncomingRecord[] = []
    return steps.map((step) => {
      const target = created[step.item]
      const plain: PlainRecord = {
        clock: step.clock,
        device: id(`device ${step.device}`),
        number: (numbers[step.device] = (numbers[step.device] as number) + 1),
        operation: step.deletes && (step.register || target !== undefined) ? 'delete' : 'put',
        ...(step.register
          ? { merge: 'register', collection: 'profile', key: Uint8Array.of(step.item + 1) }
          : { merge: 'append', key: target?.record.id ?? new Uint8Array(0) }),
      }
      const incoming = incomingRecord(plain)
      if (!step.register && target === undefined) created.push(incoming)
      return incoming
    })
  })

async function expectModel(store: Store, all: readonly IncomingRecord[]): Promise<void> {
  for (const collection of ['posts', 'profile']) {
    const versions = all.map(({ record }) => record).filter((r) => r.header.collection === collection)
    const items = Map.groupBy(versions, (record) => toHex(itemKey(record)))
    const live = []
    for (const group of items.values()) {
      const best = winner(group) as (typeof group)[number]
      expect(store.records.winnerEntry(ada, app, collection, itemKey(best))?.ref.id).toStrictEqual(best.id)
      const stored = store.records.winner(ada, app, collection, itemKey(best))
      expect(stored?.ref.id).toStrictEqual(isTombstone(best) ? undefined : best.id)
      if (!isTombstone(best)) live.push(best)
    }
    live.sort((a, b) => Number(b.header.clock - a.header.clock) || compareBytes(b.id, a.id))
    const latest = await store.records.latest(ada, app, collection)
    expect(latest.map(({ ref }) => toHex(ref.id))).toStrictEqual(live.map((record) => toHex(record.id)))
    expect(latest.map((stored) => decodeStored(stored).id)).toStrictEqual(live.map((record) => record.id))
    expect(store.records.count(ada, app, collection)).toBe(live.length)
  }
  for (const incoming of all) {
    expect(store.records.get(ada, refOf(incoming))?.bytes).toStrictEqual(incoming.bytes)
  }
  const many = await store.records.getMany(ada, all.map(refOf))
  expect(many.map((stored) => stored?.bytes)).toStrictEqual(all.map(({ bytes }) => bytes))
  const ordered = all.map(refOf).toSorted((a, b) => Number(a.clock - b.clock) || compareBytes(a.id, b.id))
  expect(await store.records.refs(ada)).toStrictEqual(ordered)
  await expectTree(store, ordered)
  const log = await store.records.log(ada, 0, 1000)
  expect(log.map(({ position }) => position)).toStrictEqual(all.map((_, i) => i + 1))
  expect(log.map(({ ref }) => toHex(ref.id)).toSorted()).toStrictEqual(
    all.map(({ record }) => toHex(record.id)).toSorted(),
  )
  expect(store.shards.get(ada)).toMatchObject({
    records: all.length,
    recordBytes: all.reduce((sum, { bytes }) => sum + bytes.length, 0),
    logHead: all.length,
  })
}

async function expectTree(store: Store, ordered: readonly RecordRef[]): Promise<void> {
  const [counted, sum] = await store.records.inOrder(ada, (order) => [
    Array.from({ length: order.size }, (_, i) => order.at(i)),
    order.sum(0, order.size),
  ])
  expect(counted).toStrictEqual(ordered)
  const expected = new Uint32Array(sumWords)
  for (const { id: one } of ordered) addId(expected, new DataView(one.buffer, one.byteOffset), 0)
  expect(sum).toStrictEqual(expected)
}

export function storeContract(
  name: string,
  createKv: () => Promise<Kv>,
  /** Drawn histories: enough to meet every merge, or so few that a disk takes a second. */
  histories: number,
): void {
  describe(`a store on ${name}`, () => {
    const opened: Kv[] = []
    afterEach(async () => {
      for (const kv of opened.splice(0)) await kv.close()
    })
    const create = async (): Promise<Kv> => {
      const kv = await createKv()
      opened.push(kv)
      return kv
    }
    const open = (kv: Kv): Promise<Store> => openStore(kv, { clock })

    describe('records', () => {
      test('in any order, in any grouping and at once, the same records give the same store', async () => {
        const orders = history.chain((records) =>
          fc.tuple(
            fc.shuffledSubarray(records, { minLength: records.length, maxLength: records.length }),
            fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 8 }),
            fc.boolean(),
          ),
        )
        await fc.assert(
          fc.asyncProperty(orders, async ([records, sizes, together]) => {
            await using store = await open(await create())
            const puts: Promise<unknown>[] = []
            for (let at = 0, i = 0; at < records.length; i++) {
              const size = sizes[i % sizes.length] as number
              const putting = store.records.put(records.slice(at, at + size), hosted)
              puts.push(putting)
              if (!together) await putting
              at += size
            }
            await Promise.all(puts)
            await expectModel(store, records)
            // Again: nothing changes, and nothing is written.
            const { batches } = store.stats()
            const again = await store.records.put(records, hosted)
            expect(again.every(({ state }) => state === 'known')).toBe(true)
            expect(store.stats().batches).toBe(batches)
            await expectModel(store, records)
          }),
          { numRuns: histories },
        )
      }, 60_000)

      test('the merge rule of the store is that of the protocol', async () => {
        const [low, high] = [id('device 0'), id('device 1')].toSorted(compareBytes) as [
          Uint8Array,
          Uint8Array,
        ]
        const version = (device: Uint8Array) =>
          incomingRecord({ merge: 'register', key: Uint8Array.of(1), clock: 5n, device })
        const [a, b] = [version(low), version(high)]
        expect(compareVersions(b.record, a.record)).toBeGreaterThan(0)
        await using store = await open(await create())
        expect(await store.records.put([b, a], hosted)).toMatchObject([{ winner: true }, { winner: false }])
      })

      test('latest pages both ways and hides what has expired', async () => {
        await using store = await open(await create())
        const records = Array.from({ length: 30 }, (_, i) =>
          incomingRecord({
            number: i + 1,
            clock: BigInt(i + 1),
            expiresMs: i % 3 === 0 ? clock.nowMs() - 1 : i % 3 === 1 ? clock.nowMs() + 1 : undefined,
          }),
        )
        await store.records.put(records, hosted)
        const shown = records.filter((_, i) => i % 3 !== 0).toReversed()
        const clocks = (list: readonly { ref: { clock: bigint } }[]) => list.map(({ ref }) => ref.clock)
        const first = await store.records.latest(ada, app, 'posts', { limit: 7 })
        expect(clocks(first)).toStrictEqual(shown.slice(0, 7).map(({ record }) => record.header.clock))
        const before = first[6]?.ref as { clock: bigint; id: Uint8Array }
        const second = await store.records.latest(ada, app, 'posts', { limit: 7, before })
        expect(clocks(second)).toStrictEqual(shown.slice(7, 14).map(({ record }) => record.header.clock))
        expect(clocks(await store.records.latest(ada, app, 'posts', { after: before }))).toStrictEqual(
          clocks(first.slice(0, 6)),
        )
        expect(store.records.winner(ada, app, 'posts', records[0]?.record.id as Uint8Array)).toBeUndefined()
      })

      test('refs and the log read in ranges', async () => {
        await using store = await open(await create())
        const records = Array.from({ length: 100 }, (_, i) =>
          incomingRecord({ number: i + 1, clock: BigInt(i + 1) }),
        )
        await store.records.put(records.slice(0, 37), hosted)
        await store.records.put(records.slice(37), hosted)
        const refs = await store.records.refs(ada, { from: { clock: 10n }, to: { clock: 20n } })
        expect(refs.map(({ clock: at }) => at)).toStrictEqual(
          Array.from({ length: 10 }, (_, i) => BigInt(i + 10)),
        )
        for (const [after, limit] of [
          [0, 5],
          [15, 1],
          [16, 40],
          [36, 100],
          [99, 5],
          [100, 5],
        ] as const) {
          const log = await store.records.log(ada, after, limit)
          expect(log).toStrictEqual(
            records
              .slice(after, after + limit)
              .map((incoming, i) => ({ position: after + i + 1, ref: refOf(incoming) })),
          )
        }
        expect(store.records.logHead(ada)).toBe(100)
      })

      test('says which numbers were seen', async () => {
        await using store = await open(await create())
        const numbers = [1, 2, 3, 5, 16, 17, 18, 400, 2 ** 40]
        const records = numbers.map((number) => incomingRecord({ number, clock: BigInt(number) }))
        await store.records.put(records.toReversed(), hosted)
        await store.records.put([incomingRecord({ number: 7, device: id('laptop') })], hosted)
        expect(await store.records.seen(ada, id('phone'))).toStrictEqual([
          [1, 3],
          [5, 5],
          [16, 18],
          [400, 400],
          [2 ** 40, 2 ** 40],
        ])
        expect(await store.records.seenAll(ada)).toHaveLength(2)
        expect(store.records.byNumber(ada, id('phone'), 17)).toStrictEqual(
          refOf(records[5] as IncomingRecord),
        )
        expect(store.records.byNumber(ada, id('phone'), 6)).toBeUndefined()
      })

      test('two records with one number merge normally and leave a proof', async () => {
        await using store = await open(await create())
        const [first, second] = [incomingRecord({ clock: 1n }), incomingRecord({ clock: 2n })]
        const put = [store.records.put([first], hosted), store.records.put([second], hosted)]
        const outcomes = (await Promise.all(put)).flat()
        expect(outcomes).toMatchObject([{ equivocates: undefined }, { equivocates: refOf(first) }])
        expect(await store.records.put([second], hosted)).toMatchObject([{ state: 'known' }])
        expect(await store.records.equivocations(ada)).toStrictEqual([
          { device: id('phone'), number: 1, first: refOf(first), second: refOf(second) },
        ])
        expect(await store.records.latest(ada, app, 'posts')).toHaveLength(2)
      })

      test('a copy with sections that were withheld fills the one that is held', async () => {
        await using store = await open(await create())
        const parts = [new Uint8Array(20).fill(1), new Uint8Array(30).fill(2), new Uint8Array(40).fill(3)]
        const whole = incomingRecord({ sections: parts })
        expect(await store.records.put([withSections(whole, 0)], hosted)).toMatchObject([{ state: 'stored' }])
        const two = await store.records.put([withSections(whole, 1), withSections(whole, 2)], hosted)
        expect(two).toMatchObject([
          { state: 'filled', position: 2 },
          { state: 'filled', position: 3 },
        ])
        expect(store.records.get(ada, refOf(whole))?.bytes).toStrictEqual(whole.bytes)
        expect((await store.records.latest(ada, app, 'posts'))[0]?.bytes).toStrictEqual(whole.bytes)
        expect(await store.records.put([withSections(whole, 1)], hosted)).toMatchObject([{ state: 'known' }])
        expect(store.shards.get(ada)?.recordBytes).toBe(whole.bytes.length)
      })
    })

    describe('batches', () => {
      test('what is staged beside records is there with them or not at all', async () => {
        await using store = await open(await create())
        const name = { kind: 'push', peer: id('node'), shard: ada }
        const also = (fail: boolean) =>
          store.records.put([incomingRecord({})], {
            hosted: true,
            also: (batch, [outcome]) => {
              store.cursors.setIn(batch, name, { epoch: 1, position: outcome?.position ?? 0 })
              store.documents.putIn(batch, 'lease', ada, Uint8Array.of(1))
              if (fail) throw new Error('no')
            },
          })
        const other = store.table('search/docs').put(Uint8Array.of(1), Uint8Array.of(2))
        await expect(also(true)).rejects.toThrow('no')
        await other
        expect(store.shards.get(ada)).toBeUndefined()
        expect(store.cursors.get(name)).toBeUndefined()
        expect(store.table('search/docs').get(Uint8Array.of(1))).toStrictEqual(Uint8Array.of(2))
        await also(false)
        expect(store.cursors.get(name)).toStrictEqual({ epoch: 1, position: 1 })
        expect(await store.cursors.list(ada, 'push')).toStrictEqual([
          { name, cursor: { epoch: 1, position: 1 } },
        ])
        expect(store.documents.get('lease', ada)).toStrictEqual(Uint8Array.of(1))
      })

      test('many writers share one batch', async () => {
        await using store = await open(await create())
        await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            store.records.put([incomingRecord({ number: i + 1 })], hosted),
          ),
        )
        expect(store.stats().batches).toBe(1)
        expect(store.records.logHead(ada)).toBe(100)
      })
    })

    describe('shards', () => {
      test('are listed by status and removed whole, and a removal cut short ends at the next start', async () => {
        const kv = await create()
        const store = await open(kv)
        const shards = Array.from({ length: 5 }, (_, i) => id(`owner ${i}`))
        for (const [i, owner] of shards.entries()) {
          await store.records.put([incomingRecord({ owner }), incomingRecord({ owner, clock: 2n })], {
            hosted: i % 2 === 0,
          })
          await store.cursors.set({ kind: 'push', peer: ada, shard: owner }, { epoch: 1, position: 1 })
        }
        expect(await store.shards.list({ status: 'hosted' })).toHaveLength(3)
        expect(await store.shards.list({ limit: 2 })).toHaveLength(2)
        await store.shards.setStatus(shards[1] as Uint8Array, 'hosted')
        expect(store.shards.get(shards[1] as Uint8Array)?.status).toBe('hosted')

        await store.shards.remove(shards[0] as Uint8Array)
        expect(store.shards.get(shards[0] as Uint8Array)).toBeUndefined()

        const batch = kv.batch.bind(kv)
        let left = 3
        kv.batch = (writes) => (left-- > 0 ? batch(writes) : Promise.reject(new Error('power cut')))
        await expect(store.shards.remove(shards[1] as Uint8Array)).rejects.toThrow('power cut')
        kv.batch = batch
        const again = await open(kv)
        expect(await again.shards.list()).toHaveLength(3)
        for (const owner of shards.slice(2)) await again.shards.remove(owner)
        expect(await kv.keys({})).toHaveLength(1)
        await again.records.put([incomingRecord({ owner: shards[0] as Uint8Array })], hosted)
        expect(again.records.logHead(shards[0] as Uint8Array)).toBe(1)
      })
    })

    describe('feeds', () => {
      test('keep the newest, once each, and let an author go', async () => {
        await using store = await openStore(await create(), { clock, feedEntriesMax: 100 })
        const entry = (i: number) => ({
          author: id(`author ${i % 2}`),
          ref: { clock: BigInt(i + 1), id: id(`post ${i}`) },
        })
        const entries = Array.from({ length: 500 }, (_, i) => entry(i))
        for (let i = 0; i < 500; i += 50) await store.feeds.add(ada, app, entries.slice(i, i + 50))
        await store.feeds.add(ada, app, entries.slice(-10))
        const newest = entries.toReversed()
        expect(await store.feeds.latest(ada, app, 5)).toStrictEqual(newest.slice(0, 5))
        expect(await store.feeds.latest(ada, app, 5, newest[4]?.ref)).toStrictEqual(newest.slice(5, 10))
        expect(await store.feeds.latest(ada, app, 1000)).toHaveLength(100)
        await store.feeds.removeAuthor(ada, app, id('author 1'), () => false)
        expect(await store.feeds.latest(ada, app, 10)).toStrictEqual(newest.slice(0, 10))
        await store.feeds.removeAuthor(ada, app, id('author 1'))
        const rest = await store.feeds.latest(ada, app, 10)
        expect(rest).toStrictEqual(newest.filter((_, i) => i % 2 === 1).slice(0, 10))
        await store.feeds.remove(ada)
        expect(await store.feeds.latest(ada, app, 10)).toStrictEqual([])
      })
    })

    describe('the format', () => {
      test('a newer one is refused, an older one is brought up step by step', async () => {
        const kv = await create()
        await migrate(kv)
        const ran: number[] = []
        const step = (n: number) => async () => {
          ran.push(n)
        }
        await migrate(kv, formatVersion + 2, { [formatVersion]: step(1), [formatVersion + 1]: step(2) })
        expect(ran).toStrictEqual([1, 2])
        await expect(open(kv)).rejects.toMatchObject({ code: 'STORE_VERSION' })
      })

      test('a store from before the trees of refs is given them', async () => {
        const kv = await create()
        const all = Array.from({ length: 100 }, (_, i) =>
          incomingRecord({ clock: BigInt(1 + (i % 7)), number: i + 1 }),
        )
        const before = await open(kv)
        for (const some of [all.slice(0, 60), all.slice(60)]) await before.records.put(some, hosted)
        const prefix = keyOf(tags.tree, ada).slice()
        const pages = await kv.keys({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
        expect(pages.length).toBeGreaterThan(2)
        await kv.batch([
          ...pages.map((key) => ({ type: 'del' as const, key })),
          { type: 'put', key: versionKey, value: uintPart(1) },
        ])
        await expectTree(await open(kv), await before.records.refs(ada))
      })

      test('somebody else’s database is left alone', async () => {
        const kv = await create()
        await kv.batch([{ type: 'put', key: Uint8Array.of(0), value: Uint8Array.of(0) }])
        await expect(open(kv)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      })
    })
  })
}
