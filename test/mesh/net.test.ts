import { afterEach, expect, test } from 'vitest'
import type { Libp2pNetwork } from '../../daemon/net/libp2p.ts'
import { sha256 } from '@noble/hashes/sha2.js'
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import type { NetNodeOptions } from '../support/net-node.ts'
import { bootstrapOf, startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'

const nodes: Libp2pNetwork[] = []
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node[Symbol.asyncDispose]()))
})

async function start(options: NetNodeOptions): Promise<Libp2pNetwork> {
  const node = await startNetNode(options)
  nodes.push(node)
  node.rpc.handle('test/echo', async ({ body }) => body)
  return node
}

const soon = (): AbortSignal => AbortSignal.timeout(10_000)
const hello = utf8('hello')
const echo = (from: Libp2pNetwork, to: Libp2pNetwork): Promise<string> =>
  from.rpc.request(to.rpc.self, 'test/echo', hello, { signal: soon() }).then(fromUtf8)

async function firstProvider(node: Libp2pNetwork, key: Uint8Array) {
  for await (const provider of node.routing.findProviders(key, soon())) return provider
  return undefined
}

test('who knows one address finds what others provide, and reaches them by id', async () => {
  const door = await start({ number: 1 })
  const bootstrap = [bootstrapOf(door)]
  const home = await start({ number: 2, bootstrap })
  const key = sha256(utf8('a shard'))
  await until(() => home.routing.size() > 0)
  await home.routing.provide(key, soon())

  const guest = await start({ number: 3, bootstrap })
  const found = await firstProvider(guest, key)
  expect(found?.node).toBe(home.rpc.self)
  expect(found?.addresses.every((address) => address.startsWith('/ip4/127.0.0.2/tcp/'))).toBe(true)
  expect(await echo(guest, home)).toBe('hello')
})

test('a node lists an address for browsers', async () => {
  const node = await start({ number: 1 })
  expect(node.addresses()).toContainEqual(expect.stringMatching(/^\/ip4\/127\.0\.0\.1\/tcp\/\d+\/ws$/))
  expect(node.addresses()).toHaveLength(2)
})

test('a bootstrap address that is down does not stop a start, and is dialled until it is up', async () => {
  const door = await start({ number: 1 })
  const address = bootstrapOf(door)
  await door[Symbol.asyncDispose]()
  const node = await start({ number: 2, bootstrap: [address] })
  expect(node.rpc.connected()).toEqual([])
  const port = Number(/tcp\/(\d+)/.exec(address)?.[1])
  const again = await startNetNode({ number: 1, tcp: port })
  nodes.push(again)
  await until(() => node.rpc.connected().includes(again.rpc.self))
})

test('a deny list cuts both ways and heals', async () => {
  const door = await start({ number: 1 })
  const node = await start({ number: 2, bootstrap: [bootstrapOf(door)] })
  await until(() => door.rpc.connected().includes(node.rpc.self))
  expect(await echo(door, node)).toBe('hello')

  await door.deny([node.rpc.self])
  await until(() => !door.rpc.connected().includes(node.rpc.self))
  await expect(echo(node, door)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  await expect(echo(door, node)).rejects.toMatchObject({ code: 'UNREACHABLE' })

  await door.deny([])
  await until(() =>
    echo(node, door).then(
      () => true,
      () => false,
    ),
  )
  expect(await echo(door, node)).toBe('hello')
})

test('a stranger cannot make a node dial where its operator did not allow', async () => {
  const door = await start({ number: 1 })
  const careful = await start({ number: 2, allowDial: [], bootstrap: [bootstrapOf(door)] })
  const other = await start({ number: 3, bootstrap: [bootstrapOf(door)] })
  // The bootstrap address is the operator's own word; others on loopback are not.
  await until(() => careful.rpc.connected().includes(door.rpc.self))
  await careful.routing.learn({ node: other.rpc.self, addresses: other.addresses() })
  await expect(echo(careful, other)).rejects.toMatchObject({ code: 'UNREACHABLE' })
  expect(await echo(other, careful)).toBe('hello')
})

test.each(['tcp', 'ws'])(
  'a bootstrap name is dialled by %s where its address is allowed, and else not',
  async (kind) => {
    const door = await start({ number: 1, host: '127.0.0.1' })
    const address = door.addresses().find((one) => one.endsWith('/ws') === (kind === 'ws')) as string
    const named = fullAddress(door.rpc.self, address.replace('/ip4/127.0.0.1', '/dns4/localhost'))
    const careful = await start({ number: 2, allowDial: [], bootstrap: [named] })
    const allowed = await start({ number: 3, bootstrap: [named] })
    await until(() => allowed.rpc.connected().includes(door.rpc.self))
    expect(careful.rpc.connected()).toEqual([])
  },
)

test('a kept peer is dialled again whenever it is away', async () => {
  const door = await start({ number: 1 })
  const node = await start({ number: 2 })
  await node.routing.learn({ node: door.rpc.self, addresses: door.addresses() })
  node.keep([door.rpc.self])
  await until(() => node.rpc.connected().includes(door.rpc.self))
  await door.deny([node.rpc.self])
  await until(() => !node.rpc.connected().includes(door.rpc.self))
  await door.deny([])
  await until(() => node.rpc.connected().includes(door.rpc.self))
})

test('look-ups find a provider with its addresses for as long as its record lasts', async () => {
  // Days scaled down to seconds. With the usual ages of addresses the answers go blank after a fraction of it.
  const providerValidityMs = 3_000
  const door = await start({ number: 1, providerValidityMs })
  const bootstrap = [bootstrapOf(door)]
  const home = await start({ number: 2, bootstrap, providerValidityMs })
  const asker = await start({ number: 3, bootstrap })
  const key = sha256(utf8('a lasting shard'))
  await until(() => home.routing.size() > 0 && asker.routing.size() > 0)
  const startMs = performance.now()
  await home.routing.provide(key, soon())
  await home[Symbol.asyncDispose]()
  let looked = 0
  while (performance.now() - startMs < providerValidityMs * 0.8) {
    const found = await firstProvider(asker, key)
    expect(found?.node).toBe(home.rpc.self)
    expect(found?.addresses.length).toBeGreaterThan(0)
    looked++
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect(looked).toBeGreaterThan(5)
})

test('a port in use is named', async () => {
  const node = await start({ number: 1 })
  const port = Number(/tcp\/(\d+)$/.exec(node.addresses()[0] ?? '')?.[1])
  await expect(startNetNode({ number: 2, host: '127.0.0.1', tcp: port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
  })
})

const throughTwo = fullAddress(
  memoryNodeId(2),
  `${fullAddress(memoryNodeId(1), '/ip4/127.0.0.1/tcp/1')}/p2p-circuit`,
)
test.each([
  ['network.announce', { announce: ['x'] }],
  ['network.bootstrap', { bootstrap: ['/ip4/127.0.0.1/tcp/1'] }],
  ['network.relays', { relays: ['/ip4/127.0.0.1/tcp/1'] }],
  ['network.relays', { relays: [throughTwo] }],
  // Of a network for documentation: no machine has it.
  ['listen.host', { host: '192.0.2.1' }],
])('a %s that cannot be is named', async (path, setting) => {
  await expect(startNetNode({ number: 1, ...setting })).rejects.toMatchObject({
    code: 'BAD_CONFIG',
    message: expect.stringContaining(`${path}: `),
  })
})

test('a closed node leaves no socket, listener or timer', async () => {
  const before = process.getActiveResourcesInfo().toSorted()
  const door = await startNetNode({ number: 1 })
  const node = await startNetNode({ number: 2, bootstrap: [bootstrapOf(door)] })
  await until(() => node.rpc.connected().length > 0)
  await node[Symbol.asyncDispose]()
  await door[Symbol.asyncDispose]()
  const left = (): string[] => {
    const known = [...before]
    return process.getActiveResourcesInfo().filter((resource) => {
      const at = known.indexOf(resource)
      if (at < 0) return true
      known.splice(at, 1)
      return false
    })
  }
  await until(() => left().filter((resource) => /TCP|Server|Pipe|UDP/.test(resource)).length === 0)
})
