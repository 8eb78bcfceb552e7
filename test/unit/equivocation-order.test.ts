import { expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import type { IncomingRecord } from '../../storage/types.ts'
import { id, incomingRecord } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const ada = id('ada')
const app = 'town.example'
const clock = createVirtualClock()

/** A device that uses numbers twice and three times, beside an honest one, on the same items. */
const records: readonly IncomingRecord[] = [
  incomingRecord({ merge: 'register', key: Uint8Array.of(1), number: 1, clock: 5n, device: id('two-faced') }),
  incomingRecord({ merge: 'register', key: Uint8Array.of(1), number: 1, clock: 6n, device: id('two-faced') }),
  incomingRecord({ merge: 'register', key: Uint8Array.of(2), number: 1, clock: 4n, device: id('two-faced') }),
  incomingRecord({ merge: 'register', key: Uint8Array.of(1), number: 1, clock: 6n, device: id('honest') }),
  incomingRecord({
    merge: 'register',
    key: Uint8Array.of(2),
    number: 2,
    clock: 7n,
    operation: 'delete',
    device: id('two-faced'),
  }),
  incomingRecord({ merge: 'register', key: Uint8Array.of(2), number: 2, clock: 8n, device: id('two-faced') }),
]

/** What a replica holds and shows; which record of a doubled number came first is its own affair. */
async function heldAfter(order: readonly IncomingRecord[]) {
  await using store = await openStore(new MemoryKv(), { clock })
  for (const one of order) await store.records.put([one], { hosted: true })
  const doubled = await store.records.equivocations(ada)
  return {
    refs: await store.records.refs(ada),
    winners: records.map(({ record }) => store.records.winnerEntry(ada, app, 'posts', itemKey(record))?.ref),
    latest: (await store.records.latest(ada, app, 'posts')).map(({ ref }) => toHex(ref.id)),
    count: store.records.count(ada, app, 'posts'),
    proven: [...new Set(doubled.map(({ device, number }) => `${toHex(device)} ${number}`))].toSorted(),
  }
}

test('one device using a number twice never makes replicas differ, whatever the order', async () => {
  const expected = await heldAfter(records)
  expect(expected.refs).toHaveLength(records.length)
  expect(expected.proven).toHaveLength(2)
  let orders = 0
  for (const order of permutations(records)) {
    expect(await heldAfter(order)).toStrictEqual(expected)
    orders++
  }
  expect(orders).toBe(720)
})

function* permutations<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield []
  for (const [i, first] of items.entries()) {
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)])) yield [first, ...rest]
  }
}
