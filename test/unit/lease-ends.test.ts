/** When a copy whose lease is over may go: never on what others only say. */
import { expect, test } from 'vitest'
import { fromHex } from '../../protocol/bytes.ts'
import { LeaseEnds, type LeaseEndsParts } from '../../daemon/leases/ends.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const self = 'aa'.repeat(32)
const home = 'bb'.repeat(32)
const friend = 'cc'.repeat(32)
const owner = new Uint8Array(32).fill(1)

/** Whether it went, within a day. `shown`: who proves it; `heard`: who answers at all; `whole`: who is known to have all. */
async function goes(holders: readonly string[], shown: readonly string[], heard = holders, whole = heard) {
  const clock = createVirtualClock()
  const removed: Uint8Array[] = []
  const members = [
    ...holders.map((node) => ({ node: fromHex(node, 32), role: 'replica' })),
    { node: fromHex(self, 32), role: 'guest' },
  ]
  const parts = {
    rpc: { self },
    clock,
    log: { debug() {}, info() {}, warn() {}, error() {} },
    config: { heartbeatMs: 60_000, leaseMs: 3_600_000 },
    hosting: {
      list: () => (removed.length > 0 ? [] : [{ owner, person: false }]),
      remove: async (one: Uint8Array) => removed.push(one),
    },
    replicaSets: { get: () => ({ newest: { members } }) },
    neighbours: { awayMs: (node: string) => (heard.includes(node) ? 0 : 60_000) },
    leases: { granted: () => undefined, hasNotice: () => false, forget: async () => undefined },
    isBehind: (node: string) => !whole.includes(node),
    proves: async (node: string) => shown.includes(node),
    isHandedOver: () => false,
  }
  const closing = new AbortController()
  const running = new LeaseEnds(parts as unknown as LeaseEndsParts).run(closing.signal).catch(() => undefined)
  await clock.advance(86_400_000)
  closing.abort()
  await running
  return removed.length > 0
}

test('a copy goes once all others but one have shown that they have it', async () => {
  const third = 'dd'.repeat(32)
  expect(await goes([home], [home])).toBe(true)
  expect(await goes([home], [])).toBe(false)
  expect(await goes([home, friend], [friend])).toBe(true)
  expect(await goes([home, friend], [])).toBe(false)
  expect(await goes([home, friend, third], [home, third])).toBe(true)
  expect(await goes([home, friend, third], [home])).toBe(false)
  // Who is away or behind shows nothing.
  expect(await goes([home, friend], [home, friend], [home])).toBe(true)
  expect(await goes([home, friend, third], [home, friend], [home])).toBe(false)
  expect(await goes([home], [home], [home], [])).toBe(false)
  expect(await goes([], [])).toBe(false)
})
