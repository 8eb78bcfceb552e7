import fc from 'fast-check'
import { expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import type { IncomingRecord, Store } from '../../storage/types.ts'
import { id, incomingRecord } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const ada = id('ada')
const app = 'town.example'
const [phone, thief] = [id('phone'), id('thief')]
const hosted = { hosted: true }
const clock = createVirtualClock()
const open = (): Promise<Store> => openStore(new MemoryKv(), { clock })
const refOf = ({ record }: IncomingRecord) => ({ clock: record.header.clock, id: record.id })

interface Write {
  readonly item: number
  readonly clock: bigint
  readonly byThief: boolean
  readonly deletes: boolean
  readonly late: boolean
}

const writes = fc.array(
  fc.record({
    item: fc.nat(4),
    clock: fc.bigInt(1n, 5n),
    byThief: fc.boolean(),
    deletes: fc.boolean(),
    late: fc.boolean(),
  }),
  { minLength: 1, maxLength: 30 },
)

function recordsOf(plan: readonly Write[]): { incoming: IncomingRecord; write: Write }[] {
  const numbers = [0, 0]
  return plan.map((write) => {
    const of = write.byThief ? 1 : 0
    numbers[of] = (numbers[of] as number) + 1
    const incoming = incomingRecord({
      merge: 'register',
      collection: write.item < 2 ? 'profile' : 'posts',
      key: Uint8Array.of(write.item + 1),
      clock: write.clock,
      device: write.byThief ? thief : phone,
      number: numbers[of] as number,
      operation: write.deletes ? 'delete' : 'put',
      expiresMs: !write.deletes && write.item === 1 ? clock.nowMs() + 1_000 : undefined,
    })
    return { incoming, write }
  })
}

/** All that a reader can see. */
async function shown(store: Store, items: readonly IncomingRecord[]) {
  const winners = items.map(({ record }) => {
    const { collection } = record.header
    return [
      store.records.winnerEntry(ada, app, collection, itemKey(record)),
      store.records.winner(ada, app, collection, itemKey(record))?.bytes,
    ]
  })
  const collections = await Promise.all(
    ['profile', 'posts'].map(async (collection) => [
      (await store.records.latest(ada, app, collection)).map(({ ref }) => toHex(ref.id)),
      store.records.count(ada, app, collection),
    ]),
  )
  const { records = 0, recordBytes = 0 } = store.shards.get(ada) ?? {}
  return { winners, collections, refs: await store.records.refs(ada), records, recordBytes }
}

test('what is dropped leaves the store as if it had never come, whatever comes in meanwhile', async () => {
  await fc.assert(
    fc.asyncProperty(writes, async (plan) => {
      const all = recordsOf(plan)
      const gone = all.filter(({ write }) => write.byThief).map(({ incoming }) => incoming)
      const stays = all.filter(({ write }) => !write.byThief).map(({ incoming }) => incoming)
      const [early, late] = [
        all.filter(({ write }) => write.byThief || !write.late).map(({ incoming }) => incoming),
        stays.filter((incoming) => !all.some((one) => one.incoming === incoming && !one.write.late)),
      ]
      await using store = await open()
      await store.records.put(early, hosted)
      const dropping = store.records.drop(
        ada,
        gone.map((incoming) => ({ ref: refOf(incoming) })),
      )
      await Promise.all([dropping, store.records.put(late, hosted)])

      await using other = await open()
      await other.records.put(stays, hosted)
      const everything = all.map(({ incoming }) => incoming)
      expect(await shown(store, everything)).toStrictEqual(await shown(other, everything))
      for (const incoming of gone) expect(store.records.get(ada, refOf(incoming))).toBeUndefined()
      // And put again, it is as if it had never left.
      expect(await store.records.allDropped(ada)).toHaveLength(gone.length)
      await store.records.put(gone, hosted)
      await other.records.put(gone, hosted)
      expect(await shown(store, everything)).toStrictEqual(await shown(other, everything))
      expect(await store.records.allDropped(ada)).toHaveLength(0)
      expect(await store.records.equivocations(ada)).toStrictEqual([])
    }),
    { numRuns: 150 },
  )
})

test('a restored version arrives again, and of an item that is gone the log still tells', async () => {
  await using store = await open()
  const put = (number: number, key: number, at: bigint, device = phone): IncomingRecord =>
    incomingRecord({ merge: 'register', key: Uint8Array.of(key), number, clock: at, device })
  const [mine, theirs, alone] = [put(1, 1, 1n), put(1, 1, 2n, thief), put(2, 2, 3n, thief)]
  await store.records.put([mine, theirs, alone], hosted)
  const dropped = await store.records.drop(ada, [{ ref: refOf(theirs) }, { ref: refOf(alone) }])
  expect(dropped).toMatchObject([
    { collection: 'posts', itemKey: Uint8Array.of(1), restored: { ref: refOf(mine), bytes: mine.bytes } },
    { collection: 'posts', itemKey: Uint8Array.of(2), restored: undefined },
  ])
  const log = await store.records.log(ada, 3, 10)
  expect(log).toStrictEqual([
    { position: 4, ref: refOf(theirs) },
    { position: 5, ref: refOf(mine) },
    { position: 6, ref: refOf(alone) },
  ])
  expect(store.records.dropped(ada, refOf(alone))?.bytes).toStrictEqual(alone.bytes)
  expect(store.records.dropped(ada, refOf(mine))).toBeUndefined()
  expect(await store.records.drop(ada, [{ ref: refOf(theirs) }])).toStrictEqual([])
})

test('the number of a dropped record is given to the one that rightly bears it', async () => {
  await using store = await open()
  const [forged, rightful, later] = [
    incomingRecord({ number: 1, clock: 1n }),
    incomingRecord({ number: 1, clock: 2n }),
    incomingRecord({ number: 2, clock: 3n }),
  ]
  await store.records.put([forged, rightful, incomingRecord({ number: 2, clock: 4n })], hosted)
  const other = store.records.byNumber(ada, phone, 2) as { clock: bigint; id: Uint8Array }
  await store.records.drop(ada, [
    { ref: refOf(forged), rightful: { ref: refOf(rightful) } },
    { ref: other, rightful: { ref: undefined } },
  ])
  expect(await store.records.numbers(ada, phone)).toStrictEqual([{ number: 1, ref: refOf(rightful) }])
  expect(await store.records.put([later], hosted)).toMatchObject([{ state: 'stored', winner: true }])
  expect(await store.records.numbers(ada, phone)).toHaveLength(2)
})
