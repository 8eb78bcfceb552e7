/** What is over leaves the disk, and stays under its name. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { dayMs, isBare, overriddenMs, sweptOf } from '../../protocol/record/ends.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import { fingerprintOf } from '../../protocol/reconcile/fingerprint.ts'
import type { RecordId } from '../../protocol/record/types.ts'
import { checkShard } from '../../storage/check-shard.ts'
import { keyOf, prefixEnd, tags, uintPart } from '../../storage/keys.ts'
import type { Kv } from '../../storage/kv.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { versionKey } from '../../storage/migrations.ts'
import { openStore, type Store } from '../../storage/store.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { IncomingRecord } from '../../storage/types.ts'
import { verifyStore } from '../../storage/verify-store.ts'
import { id, incomingRecord, type PlainRecord, sha256 } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const ada = id('ada')
const app = 'town.example'
const [phone, laptop] = [id('phone'), id('laptop')]
const hosted = { hosted: true }
const today = 20_000
const day = (days: number): number => (today + days) * dayMs
/** Long ago, so that nothing is counted from its arrival. */
const early = { ...createVirtualClock(), nowMs: () => 0 }
const big = (byte: number): Uint8Array => new Uint8Array(2_000).fill(byte)

let numbered = 0
const post = (ms: number, plain: PlainRecord = {}): IncomingRecord =>
  incomingRecord({ number: ++numbered, clock: clockOf(ms), sections: [big(numbered)], ...plain })

async function sweepAll(store: Store, cutMs: number, also?: (count: number) => void): Promise<number> {
  let bytes = 0
  for (let step = 0; ; step++) {
    expect(step).toBeLessThan(1_000)
    const swept = await store.records.sweep(ada, cutMs, (_, records) => also?.(records.length))
    bytes += swept.bytes
    if (!swept.more) return bytes
  }
}

const held = async (store: Store) =>
  (await store.records.getMany(ada, await store.records.refs(ada))).map((one) => {
    if (one === undefined) throw new Error('a record is nowhere')
    return decodeStored(one)
  })

async function bareIds(store: Store): Promise<string[]> {
  const records = await held(store)
  return records.flatMap((record) =>
    record.header.operation === 'put' && isBare(record) ? [toHex(record.id)] : [],
  )
}

const fingerprint = (store: Store) =>
  store.records.inOrder(ada, (order) => fingerprintOf(order.sum(0, order.size), order.size, sha256))

const nameOf = ({ id: name }: { readonly id: RecordId }): string => toHex(name)

interface Write {
  readonly item: number
  readonly ms: number
  readonly byLaptop: boolean
  readonly what: 'put' | 'delete' | 'short' | 'long'
}

const writes = fc.array(
  fc.record({
    item: fc.nat(3),
    ms: fc.integer({ min: day(-300), max: day(0) }),
    byLaptop: fc.boolean(),
    what: fc.constantFrom('put', 'delete', 'short', 'long'),
  }),
  { minLength: 1, maxLength: 25 },
)

function recordsOf(plan: readonly Write[]): IncomingRecord[] {
  return plan.map(({ item, ms, byLaptop, what }, i) =>
    incomingRecord({
      merge: 'register',
      key: Uint8Array.of(item),
      clock: clockOf(ms),
      device: byLaptop ? laptop : phone,
      number: i + 1,
      operation: what === 'delete' ? 'delete' : 'put',
      expiresMs: what === 'short' ? ms + dayMs : what === 'long' ? ms + 200 * dayMs : undefined,
    }),
  )
}

test('what is swept is what the rule says, whatever the order of arrival and of cuts; the set stays the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      writes,
      fc.array(fc.integer({ min: -300, max: 0 }), { maxLength: 4 }),
      async (plan, cuts) => {
        const records = recordsOf(plan)
        const kv = new MemoryKv()
        const store = await openStore(kv, { clock: early })
        const byRule = (some: readonly IncomingRecord[], cutMs: number): string[] =>
          [...Map.groupBy(some, ({ record }) => toHex(itemKey(record))).values()].flatMap((versions) =>
            sweptOf(
              versions.map(({ record }) => record),
              cutMs,
            )
              .filter(({ header }) => header.operation === 'put')
              .map(nameOf),
          )
        const share = Math.ceil(records.length / (cuts.length + 1))
        for (const [i, cut] of [...cuts.toSorted((a, b) => a - b), 0].entries()) {
          const some = records.slice(i * share, (i + 1) * share)
          if (some.length > 0) await store.records.put(some, hosted)
          await sweepAll(store, day(cut))
          // What comes below others is looked at when those are old enough, and never before.
          const allowed = byRule(records.slice(0, (i + 1) * share), day(cut))
          expect(allowed).toEqual(expect.arrayContaining(await bareIds(store)))
        }
        await sweepAll(store, day(100))
        const untouched = await openStore(new MemoryKv(), { clock: early })
        await untouched.records.put(records, hosted)
        expect((await bareIds(store)).toSorted()).toEqual(byRule(records, day(100)).toSorted())
        expect(await fingerprint(store)).toEqual(await fingerprint(untouched))
        expect(await store.records.seenAll(ada)).toEqual(await untouched.records.seenAll(ada))
        for (const { record } of records) {
          const [one, other] = [store, untouched].map((of) =>
            of.records.winnerEntry(ada, app, 'posts', itemKey(record)),
          )
          expect(one).toEqual(other)
        }
        const items = Map.groupBy(records, ({ record }) => toHex(itemKey(record)))
        const live = [...items.values()].filter((versions) => {
          const entry = store.records.winnerEntry(
            ada,
            app,
            'posts',
            itemKey((versions[0] as IncomingRecord).record),
          )
          return entry?.deleted === false && !(entry.expiresMs !== undefined && entry.expiresMs <= day(100))
        })
        expect(store.records.count(ada, app, 'posts')).toBe(live.length)
        const report = await checkShard(kv, ada, () => true)
        expect([...report.faults]).toEqual([])
        expect(report.bytes).toBe(store.shards.get(ada)?.recordBytes)
      },
    ),
    { numRuns: 150 },
  )
})

test('a step is bounded, takes nothing before its time, and goes on where it was cut', async () => {
  const store = await openStore(new MemoryKv(), { clock: early })
  const short = Array.from({ length: 300 }, () => post(day(-2), { expiresMs: day(-1) }))
  const kept = Array.from({ length: 10 }, () => post(day(-2), { expiresMs: day(3) }))
  await store.records.put([...short, ...kept], hosted)
  const before = store.shards.get(ada)?.recordBytes as number
  expect(await sweepAll(store, day(-2))).toBe(0)
  const steps: number[] = []
  const freed = await sweepAll(store, day(-1), (count) => steps.push(count))
  expect(Math.max(...steps)).toBeLessThanOrEqual(64)
  expect(steps.reduce((sum, count) => sum + count, 0)).toBe(short.length)
  expect(freed).toBeGreaterThan(300 * 2_000)
  expect(store.shards.get(ada)).toMatchObject({ records: 310, recordBytes: before - freed })
  expect(store.records.count(ada, app, 'posts')).toBe(10)
  expect(await sweepAll(store, day(-1))).toBe(0)
})

test('of an item with a thousand versions all go but the newest, step by step', async () => {
  const store = await openStore(new MemoryKv(), { clock: early })
  const key = { key: Uint8Array.of(1), merge: 'register' } as const
  const versions = Array.from({ length: 1_000 }, (_, i) => post(day(-200) + i, key))
  const after = Array.from({ length: 300 }, (_, i) => post(day(-100) + 1 + i, key))
  // As late as can be: each finds one above it.
  await store.records.put([post(day(-100), { ...key, operation: 'delete' }), ...after], hosted)
  await store.records.put(versions.toReversed(), hosted)
  await sweepAll(store, day(0))
  expect((await bareIds(store)).toSorted()).toEqual(
    [...versions, ...after.slice(0, -1)].map(({ record }) => nameOf(record)).toSorted(),
  )
})

test('what came today is covered in ninety days, however far back its delete is dated', async () => {
  const clock = createVirtualClock()
  const store = await openStore(new MemoryKv(), { clock: { ...clock, nowMs: () => day(0) } })
  const first = post(day(-200))
  const gone = { key: first.record.id, operation: 'delete' } as const
  await store.records.put([first, post(day(-150), gone)], hosted)
  await sweepAll(store, day(0))
  expect(await bareIds(store)).toEqual([])
  await sweepAll(store, day(0) + overriddenMs)
  expect(await bareIds(store)).toEqual([nameOf(first.record)])
})

test('what was swept is not taken in again, whoever brings it: neither shown nor filled', async () => {
  const store = await openStore(new MemoryKv(), { clock: early })
  const short = post(day(-2), { expiresMs: day(-1) })
  const [deleted, late] = [post(day(-200)), post(day(-201), { device: laptop })]
  await store.records.put([short, deleted], hosted)
  await store.records.put([post(day(-190), { key: deleted.record.id, operation: 'delete' })], hosted)
  await sweepAll(store, day(0))
  store.records.expireUpTo(day(0))
  const before = store.shards.get(ada)?.recordBytes
  const again = await store.records.put([short, deleted], hosted)
  expect(again.map(({ state }) => state)).toEqual(['known', 'filled'])
  // A box that was away for a hundred days brings what nobody here ever saw: it is taken, and what is over of it is not kept.
  const [outcome] = await store.records.put([late, post(day(-2), { expiresMs: day(-1) })], hosted)
  expect(outcome?.state).toBe('stored')
  await sweepAll(store, day(0))
  expect((await bareIds(store)).length).toBe(3)
  expect(store.records.winner(ada, app, 'posts', deleted.record.id)).toBeUndefined()
  expect((await store.records.latest(ada, app, 'posts')).map(({ ref }) => toHex(ref.id))).toEqual([
    nameOf(late.record),
  ])
  expect((store.shards.get(ada)?.recordBytes ?? 0) - (before ?? 0)).toBeLessThan(2_000 + 1_000)
})

test('a crash at any step of a sweep loses nothing but what was to go', async () => {
  const key = { key: Uint8Array.of(1), merge: 'register' } as const
  const records = [
    ...Array.from({ length: 90 }, () => post(day(-2), { expiresMs: day(-1) })),
    ...Array.from({ length: 20 }, (_, i) => post(day(-200) + i, key)),
    post(day(-150), { ...key, operation: 'delete' }),
    post(day(-2)),
  ]
  let crashes = 0
  for (let after = 0; ; after++) {
    const kv = new MemoryKv()
    const whole = await openStore(kv, { clock: early })
    await whole.records.put(records, hosted)
    let left = after
    const cut = await openStore(
      {
        get: (name) => kv.get(name),
        getMany: (names) => kv.getMany(names),
        range: (range) => kv.range(range),
        keys: (range) => kv.keys(range),
        async batch(staged) {
          if (left-- <= 0) throw new Error('the power is off')
          await kv.batch(staged)
        },
        close: () => kv.close(),
      },
      { clock: early },
    )
    const isCut = await sweepAll(cut, day(0)).then(
      () => false,
      () => true,
    )
    const again = await openStore(kv, { clock: early })
    expect([...(await checkShard(kv, ada, () => true)).faults]).toEqual([])
    await sweepAll(again, day(0))
    expect((await bareIds(again)).length).toBe(110)
    expect(again.records.count(ada, app, 'posts')).toBe(1)
    expect([...(await checkShard(kv, ada, () => true)).faults]).toEqual([])
    if (!isCut) break
    crashes++
  }
  expect(crashes).toBeGreaterThan(1)
})

test('a store of before is swept too, and one that is made anew', async () => {
  const kv = new MemoryKv()
  const store = await openStore(kv, { clock: early })
  const key = { key: Uint8Array.of(1), merge: 'register' } as const
  await store.records.put(
    [
      post(day(-2), { expiresMs: day(-1) }),
      ...Array.from({ length: 20 }, (_, i) => post(day(-200) + i, key)),
      post(day(-150), { ...key, operation: 'delete' }),
    ],
    hosted,
  )
  await removeUnder(kv, tags.end)
  await removeUnder(kv, tags.version)
  await kv.batch([{ type: 'put', key: versionKey, value: uintPart(2) }])
  const newer = await openStore(kv, { clock: early })
  await sweepAll(newer, day(0))
  expect((await bareIds(newer)).length).toBe(21)

  const seen = await fingerprint(newer)
  await removeUnder(kv, tags.winner)
  await verifyStore(kv, { isSigned: () => true, repair: { onDamaged: async () => undefined } })
  const mended = await openStore(kv, { clock: early })
  expect((await bareIds(mended)).length).toBe(21)
  expect(await fingerprint(mended)).toEqual(seen)
  await sweepAll(mended, day(0))
  expect(mended.records.count(ada, app, 'posts')).toBe(0)
  expect([...(await checkShard(kv, ada, () => true)).faults]).toEqual([])
})

test('what is swept leaves the files of a real disk', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'onehop-sweep-'))
  try {
    const kv = await openLevelKv(folder, { clock: early })
    await using store = await openStore(kv, { clock: early })
    const mark = (name: string, i: number): Uint8Array =>
      Uint8Array.from({ length: 16_384 }, (_, at) => {
        const word = `${name}-${i}-`
        return at < word.length ? word.charCodeAt(at) : (Math.imul(at + 1, 2_654_435_761 + i) >>> 13) & 255
      })
    const posts = Array.from({ length: 400 }, (_, i) =>
      post(day(-2), {
        sections: [mark(i % 2 === 0 ? 'short-lived' : 'meant-to-stay', i)],
        expiresMs: i % 2 === 0 ? day(-1) : undefined,
      }),
    )
    await store.records.put(posts, hosted)
    await store.records.reclaim(ada)
    const before = await inFiles(folder)
    expect(before.text.has('short-lived')).toBe(true)
    await sweepAll(store, day(0))
    await store.records.reclaim(ada)
    const after = await inFiles(folder)
    expect(after.text).toEqual(new Set(['meant-to-stay']))
    expect(after.bytes).toBeLessThan(before.bytes * 0.6)
  } finally {
    await rm(folder, { recursive: true })
  }
})

async function inFiles(folder: string): Promise<{ bytes: number; text: Set<string> }> {
  const text = new Set<string>()
  let bytes = 0
  for (const file of await readdir(join(folder, 'level'))) {
    // The log is of what came last; it goes with the next table.
    if (!file.endsWith('.ldb')) continue
    const content = await readFile(join(folder, 'level', file))
    bytes += content.length
    for (const word of ['short-lived', 'meant-to-stay']) if (content.includes(word)) text.add(word)
  }
  return { bytes, text }
}

async function removeUnder(kv: Kv, tag: number): Promise<void> {
  const gte = keyOf(tag).slice()
  const keys = await kv.keys({ gte, lt: prefixEnd(gte) as Uint8Array })
  await kv.batch(keys.map((key) => ({ type: 'del', key })))
}

test('what is left of an item after a revocation is swept by the rule, too', async () => {
  const drops = fc.array(fc.nat(24), { minLength: 1, maxLength: 6 })
  await fc.assert(
    fc.asyncProperty(writes, drops, async (plan, dropped) => {
      const records = recordsOf(plan)
      const store = await openStore(new MemoryKv(), { clock: early })
      for (const one of records) await store.records.put([one], hosted)
      const going = new Set(dropped.map((index) => records[index % records.length] as IncomingRecord))
      await store.records.drop(
        ada,
        [...going].map(({ record }) => ({ ref: { clock: record.header.clock, id: record.id } })),
      )
      const left = records.filter((one) => !going.has(one))
      const byItem = Map.groupBy(left, ({ record }) => toHex(itemKey(record)))
      const byRule = [...byItem.values()].flatMap((versions) =>
        sweptOf(
          versions.map(({ record }) => record),
          day(100),
        ),
      )
      await sweepAll(store, day(100))
      const puts = byRule.filter(({ header }) => header.operation === 'put')
      expect((await bareIds(store)).toSorted()).toEqual(puts.map(nameOf).toSorted())
    }),
  )
})
