import { expect, test } from 'vitest'
import type { LinkSettings } from '../../daemon/net/rpc-memory.ts'
import { createMemoryNetwork, memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const never = new AbortController().signal
const [a, b, c] = [memoryNodeId(1), memoryNodeId(2), memoryNodeId(3)]

function create(seed: number, link: Partial<LinkSettings> = {}) {
  const clock = createVirtualClock()
  const network = createMemoryNetwork({ clock, random: createSeededRandom(seed), link, noticeMs: 5_000 })
  const nodes = [a, b, c].map((node) => network.join(node))
  for (const node of nodes) node.rpc.handle('test/echo', async ({ body }) => body)
  return { clock, network, nodes }
}

/** Outcome and time of each of `count` calls from a to b, started together. */
async function history(seed: number, count: number): Promise<string[]> {
  const { clock, nodes } = create(seed, { delayMs: 20, jitterMs: 30, lossRate: 0.1, reorder: true })
  const lines: string[] = []
  for (let i = 0; i < count; i++) {
    nodes[0]?.rpc.request(b, 'test/echo', Uint8Array.of(i), { signal: never, timeoutMs: 1_000 }).then(
      (reply) => lines.push(`${reply[0]} ok ${Math.round(clock.monotonicMs())}`),
      (error: OnehopError) => lines.push(`${i} ${error.code} ${Math.round(clock.monotonicMs())}`),
    )
  }
  await clock.advance(5_000)
  for (const node of nodes) await node[Symbol.asyncDispose]()
  // The last word of a stream may still be under way.
  await clock.advance(100)
  expect(clock.pending()).toBe(0)
  return lines
}

test('one seed gives one history, another seed another', async () => {
  const first = await history(1, 50)
  expect(first).toHaveLength(50)
  expect(await history(1, 50)).toEqual(first)
  expect(await history(2, 50)).not.toEqual(first)
})

test('frames are late and lost as the link says', async () => {
  const lines = await history(3, 200)
  const lost = lines.filter((line) => line.includes('TIMEOUT'))
  expect(lost.length).toBeGreaterThan(10)
  expect(lost.length).toBeLessThan(80)
  const firstMs = Number(lines[0]?.split(' ')[2])
  expect(firstMs).toBeGreaterThanOrEqual(40)
  expect(lines.map((line) => line.split(' ')[0])).not.toEqual(lines.map((_, i) => String(i)))
})

test('a cut is silent, then noticed, and heals', async () => {
  const { clock, network, nodes } = create(4, { delayMs: 10 })
  const [from] = nodes
  const states: string[] = []
  from?.rpc.onPeer((peer, state) => states.push(`${peer === b ? 'b' : 'c'} ${state}`))
  const ask = (to: string): Promise<string> =>
    (from as NonNullable<typeof from>).rpc
      .request(to, 'test/echo', new Uint8Array(1), { signal: never, timeoutMs: 2_000 })
      .then(
        () => 'ok',
        (error: OnehopError) => error.code,
      )
  const before = [ask(b), ask(c)]
  await clock.advance(100)
  expect(await Promise.all(before)).toEqual(['ok', 'ok'])

  network.partition([[a, b], [c]])
  const during = [ask(b), ask(c)]
  await clock.advance(2_500)
  expect(await Promise.all(during)).toEqual(['ok', 'TIMEOUT'])
  expect(states).toEqual(['b connected', 'c connected'])
  await clock.advance(3_000)
  expect(states.at(-1)).toBe('c disconnected')
  const cut = ask(c)
  await clock.advance(6_000)
  expect(await cut).toBe('TIMEOUT')

  network.heal()
  const after = ask(c)
  await clock.advance(100)
  expect(await after).toBe('ok')
  expect(states.at(-1)).toBe('c connected')
})

test('a denied peer is refused both ways', async () => {
  const { clock, nodes } = create(5)
  const [first, second] = nodes
  const outcome = (call: Promise<unknown> | undefined): Promise<unknown> =>
    (call as Promise<unknown>).then(
      () => 'ok',
      (error: OnehopError) => error.code,
    )
  const ask = (): Promise<unknown[]> =>
    Promise.all([
      outcome(first?.rpc.request(b, 'test/echo', new Uint8Array(1), { signal: never })),
      outcome(second?.rpc.request(a, 'test/echo', new Uint8Array(1), { signal: never })),
    ])
  const settled = async (answers: Promise<unknown[]>): Promise<unknown[]> => {
    await clock.advance(100)
    return answers
  }
  await second?.deny([a])
  expect(await settled(ask())).toEqual(['UNREACHABLE', 'UNREACHABLE'])
  await second?.deny([])
  expect(await settled(ask())).toEqual(['ok', 'ok'])
})

test('provider records are found by others until they run out', async () => {
  const { clock, nodes } = create(6)
  const [first, second] = nodes
  const key = new Uint8Array(32).fill(9)
  const found = async (): Promise<string[]> => {
    const providers: string[] = []
    for await (const { node } of second?.routing.findProviders(key, never) ?? []) providers.push(node)
    return providers
  }
  await first?.routing.provide(key, never)
  expect(await found()).toEqual([a])
  await clock.advance(49 * 3_600_000)
  expect(await found()).toEqual([])
  await first?.routing.provide(key, never)
  await first?.routing.withdraw(key)
  expect(await found()).toEqual([])
})
