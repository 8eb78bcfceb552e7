import { afterEach, expect, test } from 'vitest'
import type { ProvideQueue } from '../../daemon/net/provide-queue.ts'
import { createProvideQueue } from '../../daemon/net/provide-queue.ts'
import type { Routing } from '../../daemon/net/rpc.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const hour = 3_600_000
const key = (number: number): Uint8Array => new Uint8Array(32).fill(number)
const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

let queue: ProvideQueue | undefined
afterEach(() => queue?.[Symbol.asyncDispose]())

function create(perS = 1) {
  const clock = createVirtualClock()
  const calls: { key: number; atMs: number }[] = []
  const withdrawn: number[] = []
  const world = { peers: 1, fails: false, tookMs: 0 }
  const routing: Routing = {
    async provide(bytes, signal) {
      calls.push({ key: bytes[0] ?? 0, atMs: clock.monotonicMs() })
      if (world.tookMs > 0) await clock.sleep(world.tookMs, signal)
      if (world.fails) throw new OnehopError('UNREACHABLE', 'no')
    },
    async *findProviders() {},
    async learn() {},
    size: () => world.peers,
    async withdraw(bytes) {
      withdrawn.push(bytes[0] ?? 0)
    },
  }
  queue = createProvideQueue({
    routing,
    clock,
    random: createSeededRandom(7),
    log,
    perS,
    validityMs: 48 * hour,
    concurrency: 2,
  })
  return { queue, clock, calls, withdrawn, world, keys: () => calls.map((call) => call.key) }
}

test('keys go out at the set pace, urgent ones first and faster', async () => {
  const { queue, clock, calls, keys, world } = create()
  world.peers = 0
  for (const number of [1, 2, 3]) queue.add(key(number))
  queue.add(key(4), { urgent: true })
  queue.add(key(3), { urgent: true })
  await clock.advance(10_000)
  expect(keys()).toEqual([])
  expect(queue.stats()).toMatchObject({ keys: 4, queued: 4, provided: 0 })

  world.peers = 1
  await clock.advance(10_000)
  expect(keys()).toEqual([4, 3, 1, 2])
  const pauses = calls.slice(1).map((call, i) => call.atMs - (calls[i]?.atMs ?? 0))
  // 1 went with the last urgent one out of the way, so at the pace that was set.
  expect(pauses).toEqual([0, 1_000, 1_000])
  expect(queue.stats()).toMatchObject({ keys: 4, queued: 0, provided: 4, failed: 0 })
})

test('who asks again hears whether the record is still to come, also where its key was through before', async () => {
  const { queue, clock, world, calls } = create(0.01)
  const isToCome = (number: number): boolean => queue.add(key(number), { urgent: true })
  queue.add(key(1))
  await clock.advance(10)
  expect([isToCome(1), isToCome(2)]).toEqual([false, true])
  await clock.advance(10)
  expect([isToCome(1), isToCome(2)]).toEqual([false, false])
  world.tookMs = 1_000
  isToCome(3)
  await clock.advance(500)
  expect([calls.length, isToCome(3)]).toEqual([3, true])
  await clock.advance(600)
  expect(isToCome(3)).toBe(false)
  world.fails = true
  isToCome(4)
  await clock.advance(5_000)
  expect(isToCome(4)).toBe(true)
})

test('one that somebody waits for does not wait for the pace of the others', async () => {
  const { queue, clock, keys } = create(0.01)
  for (const number of [1, 2, 3]) queue.add(key(number))
  await clock.advance(10)
  expect(keys()).toEqual([1])
  queue.add(key(3), { urgent: true })
  await clock.advance(10)
  expect(keys()).toEqual([1, 3])
})

test('what failed is tried again before thousands that are fresh, and at once where somebody waits', async () => {
  const { queue, clock, keys, world } = create(0.1)
  world.fails = true
  queue.add(key(1), { urgent: true })
  await clock.advance(10)
  expect(keys()).toEqual([1, 1, 1, 1])
  for (let number = 2; number < 22; number++) queue.add(key(number))
  world.fails = false
  await clock.advance(60_000)
  expect(keys().slice(4)).toContain(1)
  expect(keys().slice(4)).not.toContain(21)
})

test('every record is renewed within its validity, not all at one moment', async () => {
  const { queue, clock, calls } = create(100)
  for (let number = 0; number < 50; number++) queue.add(key(number))
  await clock.advance(100 * hour)
  const times = new Map<number, number[]>()
  for (const call of calls) times.set(call.key, [...(times.get(call.key) ?? []), call.atMs])
  expect(times.size).toBe(50)
  for (const atMs of times.values()) {
    expect(atMs.length).toBeGreaterThanOrEqual(4)
    for (let i = 1; i < atMs.length; i++) {
      expect((atMs[i] ?? 0) - (atMs[i - 1] ?? 0)).toBeLessThanOrEqual(24 * hour + 60_000)
      expect((atMs[i] ?? 0) - (atMs[i - 1] ?? 0)).toBeGreaterThan(19 * hour)
    }
  }
  const second = [...times.values()].map((atMs) => atMs[1] ?? 0)
  expect(Math.max(...second) - Math.min(...second)).toBeGreaterThan(hour)
})

test('what fails is tried again, later each time', async () => {
  const { queue, clock, calls, world } = create()
  world.fails = true
  queue.add(key(1))
  await clock.advance(120_000)
  const pauses = calls.slice(1).map((call, i) => call.atMs - (calls[i]?.atMs ?? 0))
  expect(pauses.length).toBeGreaterThanOrEqual(3)
  for (let i = 1; i < pauses.length; i++) expect(pauses[i]).toBeGreaterThan(pauses[i - 1] ?? 0)
  expect(queue.stats()).toMatchObject({ queued: 1, provided: 0, failed: calls.length })
  world.fails = false
  await clock.advance(hour)
  expect(queue.stats()).toMatchObject({ queued: 0, provided: 1 })
})

test('at most two are under way, and a removed key is neither sent nor renewed', async () => {
  const { queue, clock, keys, withdrawn, world } = create(10)
  world.tookMs = 20_000
  for (const number of [1, 2, 3]) queue.add(key(number))
  await clock.advance(10_000)
  expect(keys()).toEqual([1, 2])
  queue.remove(key(3))
  queue.remove(key(1))
  await clock.advance(100 * hour)
  expect(new Set(keys())).toEqual(new Set([1, 2]))
  expect(keys().filter((number) => number === 1)).toHaveLength(1)
  expect(withdrawn).toEqual([3, 1])
})

test('a closed queue leaves no timer', async () => {
  const { queue, clock, world } = create()
  world.tookMs = 60_000
  queue.add(key(1))
  await clock.advance(100)
  await queue[Symbol.asyncDispose]()
  expect(clock.pending()).toBe(0)
})
