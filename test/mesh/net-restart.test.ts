import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sha256 } from '@noble/hashes/sha2.js'
import { systemClock } from '../../daemon/clock.ts'
import type { Libp2pNetwork } from '../../daemon/net/libp2p.ts'
import { createProvideQueue } from '../../daemon/net/provide-queue.ts'
import { systemRandom } from '../../daemon/random.ts'
import { utf8 } from '../../protocol/bytes.ts'
import type { NetNodeOptions } from '../support/net-node.ts'
import { bootstrapOf, startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'

const nodes = new Set<Libp2pNetwork>()
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-net-'))
})
afterEach(async () => {
  await Promise.all([...nodes].map((node) => node[Symbol.asyncDispose]()))
  nodes.clear()
  await rm(folder, { recursive: true, force: true })
})
async function start(options: NetNodeOptions): Promise<Libp2pNetwork> {
  const node = await startNetNode(options)
  nodes.add(node)
  node.rpc.handle('test/echo', async ({ body }) => body)
  return node
}
const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

test('peers and provider records outlive a restart when they have a folder', async () => {
  const kept = { number: 1, folder: join(folder, 'door') }
  let door = await start(kept)
  const home = await start({ number: 2, bootstrap: [bootstrapOf(door)] })
  const key = sha256(utf8('a shard'))
  await until(() => home.routing.size() > 0)
  await home.routing.provide(key, soon())
  await door[Symbol.asyncDispose]()
  nodes.delete(door)

  door = await start(kept)
  // Nobody told it where the other is: it remembers.
  expect(await door.rpc.request(home.rpc.self, 'test/echo', utf8('hi'), { signal: soon() })).toEqual(
    utf8('hi'),
  )
  const found: string[] = []
  for await (const { node } of door.routing.findProviders(key, soon())) {
    found.push(node)
    break
  }
  expect(found).toEqual([home.rpc.self])
})

test('a queue provides many keys, and a newcomer finds each of them', async () => {
  const door = await start({ number: 1 })
  const bootstrap = [bootstrapOf(door)]
  const homes = await Promise.all([2, 3, 4].map((number) => start({ number, bootstrap })))
  const keys = Array.from({ length: 30 }, (_, i) => sha256(utf8(`shard ${i}`)))
  const queues = homes.map((home) =>
    createProvideQueue({
      routing: home.routing,
      clock: systemClock,
      random: systemRandom,
      log: silent,
      perS: 50,
      validityMs: 48 * 3_600_000,
    }),
  )
  try {
    for (const queue of queues) for (const key of keys) queue.add(key, { urgent: true })
    await until(() => queues.every((queue) => queue.stats().queued === 0), 20_000)
  } finally {
    await Promise.all(queues.map((queue) => queue[Symbol.asyncDispose]()))
  }

  const newcomer = await start({ number: 5, bootstrap })
  for (const key of keys) {
    const found = new Set<string>()
    for await (const { node } of newcomer.routing.findProviders(key, soon())) {
      found.add(node)
      if (found.size === homes.length) break
    }
    expect(found).toEqual(new Set(homes.map((home) => home.rpc.self)))
  }
})

test('a folder that another process has open is named, and nothing starts', async () => {
  await start({ number: 1, folder: join(folder, 'door') })
  await expect(startNetNode({ number: 2, folder: join(folder, 'door') })).rejects.toMatchObject({
    code: 'STORE_LOCKED',
  })
})

test('what this node provided before is not announced again by itself', async () => {
  const kept = { number: 1, folder: join(folder, 'door') }
  const other = await start({ number: 2 })
  let door = await start({ ...kept, bootstrap: [bootstrapOf(other)] })
  const key = sha256(utf8('a shard that left'))
  await until(() => door.routing.size() > 0 && other.routing.size() > 0)
  await door.routing.provide(key, soon())
  await door[Symbol.asyncDispose]()
  nodes.delete(door)
  await other[Symbol.asyncDispose]()
  nodes.delete(other)
  door = await start(kept)
  const asker = await start({ number: 3, bootstrap: [bootstrapOf(door)] })
  await until(() => asker.routing.size() > 0)
  for await (const { node } of asker.routing.findProviders(key, soon())) expect(node).toBe(undefined)
})
