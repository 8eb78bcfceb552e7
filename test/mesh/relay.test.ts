/** Nodes that cannot dial each other, through one that relays. Each may dial the relay's address alone. */
import { type AddressInfo, createServer } from 'node:net'
import { sha256 } from '@noble/hashes/sha2.js'
import { afterEach, expect, test } from 'vitest'
import type { Libp2pNetwork } from '../../daemon/net/libp2p.ts'
import { netLimits } from '../../daemon/net/net-limits.ts'
import { fullAddress, peerIdOf } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import { fromUtf8, utf8 } from '../../protocol/bytes.ts'
import type { NetNodeOptions } from '../support/net-node.ts'
import { bootstrapOf, startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'

const nodes = new Set<Libp2pNetwork>()
afterEach(async () => {
  await Promise.all([...nodes].map((node) => node[Symbol.asyncDispose]()))
  nodes.clear()
})

async function start(options: NetNodeOptions): Promise<Libp2pNetwork> {
  const node = await startNetNode(options)
  nodes.add(node)
  node.rpc.handle('test/echo', async ({ body }) => body)
  return node
}

async function stop(node: Libp2pNetwork): Promise<void> {
  nodes.delete(node)
  await node[Symbol.asyncDispose]()
}

const startRelay = (options: Partial<NetNodeOptions> = {}) => start({ number: 1, relay: true, ...options })
/** As behind a router: dials the relay, and nobody else. */
const startHidden = (number: number, relay: string, options: Partial<NetNodeOptions> = {}) =>
  start({ number, allowDial: ['127.0.0.1'], relays: [relay], ...options })
const relayed = (node: Libp2pNetwork): string[] =>
  node.addresses().filter((address) => address.endsWith('/p2p-circuit'))
const portOf = (address: string): number => Number(/tcp\/(\d+)/.exec(address)?.[1])
const hello = utf8('hello')
const echo = (from: Libp2pNetwork, to: Libp2pNetwork): Promise<string> =>
  from.rpc.request(to.rpc.self, 'test/echo', hello, { signal: AbortSignal.timeout(10_000) }).then(fromUtf8)
const tell = (node: Libp2pNetwork, of: Libp2pNetwork): Promise<void> =>
  node.routing.learn({ node: of.rpc.self, addresses: of.addresses() })

test('two nodes behind routers reach each other through a relay, which they name in their addresses', async () => {
  const relay = await startRelay()
  const [a, b] = [await startHidden(2, bootstrapOf(relay)), await startHidden(3, bootstrapOf(relay))]
  await until(() => relayed(a).length > 0 && relayed(b).length > 0)
  const id = peerIdOf(relay.rpc.self).toString()
  expect(relayed(b).toSorted()).toEqual(
    relay
      .addresses()
      .map((address) => `${address}/p2p/${id}/p2p-circuit`)
      .toSorted(),
  )
  await tell(a, b)
  expect(await echo(a, b)).toBe('hello')
  expect(await echo(b, a)).toBe('hello')
})

test('a node behind a router is found by what the relay says of it', async () => {
  const relay = await startRelay()
  const bootstrap = [bootstrapOf(relay)]
  const hidden = await startHidden(2, bootstrapOf(relay))
  await until(() => relayed(hidden).length > 0 && hidden.routing.size() > 0)
  const key = sha256(utf8('a shard'))
  await hidden.routing.provide(key, AbortSignal.timeout(10_000))
  const asker = await start({ number: 3, allowDial: [], bootstrap })
  await until(() => asker.routing.size() > 0)
  for await (const { node, addresses } of asker.routing.findProviders(key, AbortSignal.timeout(10_000))) {
    expect(node).toBe(hidden.rpc.self)
    expect(addresses.toSorted()).toEqual(relayed(hidden).toSorted())
    break
  }
  expect(await echo(asker, hidden)).toBe('hello')
})

test('a relay that is down does not stop a start, and is asked again whenever it is back', async () => {
  const first = await startRelay()
  const address = bootstrapOf(first)
  const tcp = portOf(address)
  await stop(first)
  const hidden = await startHidden(2, address)
  expect(relayed(hidden)).toEqual([])
  const second = await startRelay({ tcp })
  await until(() => relayed(hidden).length > 0)
  await stop(second)
  await until(() => relayed(hidden).length === 0)
  const third = await startRelay({ tcp })
  await until(() => relayed(hidden).length > 0)
  const other = await startHidden(3, address)
  await until(() => other.rpc.connected().includes(third.rpc.self))
  await tell(other, hidden)
  expect(await echo(other, hidden)).toBe('hello')
})

test('a node that does not relay yet is asked again', async () => {
  const refusing = await startRelay({ relay: false })
  const address = bootstrapOf(refusing)
  const hidden = await startHidden(2, address)
  await until(() => hidden.rpc.connected().includes(refusing.rpc.self))
  await until(() => hidden.missingRelays()[0]?.refusal !== undefined)
  expect(hidden.missingRelays()).toMatchObject([
    { relay: refusing.rpc.self, refusal: 'it relays for nobody (network.relay there)' },
  ])
  expect(relayed(hidden)).toEqual([])
  await stop(refusing)
  await until(() => hidden.missingRelays()[0]?.refusal === undefined)
  await startRelay({ tcp: portOf(address) })
  await until(() => relayed(hidden).length > 0)
  await until(() => hidden.missingRelays().length === 0)
})

test('addresses that are announced in place of own ones stand beside those through relays', async () => {
  const relay = await startRelay()
  const announce = ['/ip4/198.51.100.7/tcp/4181']
  const hidden = await startHidden(2, bootstrapOf(relay), { announce })
  await until(() => relayed(hidden).length > 0)
  expect(hidden.addresses()).toEqual([...announce, ...relayed(hidden)])
})

test('of many relays four addresses are published, one of each first', async () => {
  const relays = [await startRelay(), await startRelay({ number: 4 }), await startRelay({ number: 5 })]
  const hidden = await start({ number: 2, relays: relays.map(bootstrapOf) })
  const ids = relays.map(({ rpc }) => peerIdOf(rpc.self).toString())
  const count = (id: string): number => relayed(hidden).filter((one) => one.includes(id)).length
  await until(() => ids.every((id) => count(id) > 0) && relayed(hidden).length === 4)
  expect(ids.map(count).toSorted((x, y) => x - y)).toEqual([1, 1, 2])
})

test('whoever is denied is not reached through a relay, and reaches nobody', async () => {
  const relay = await startRelay()
  const [a, b] = [await startHidden(2, bootstrapOf(relay)), await startHidden(3, bootstrapOf(relay))]
  await until(() => relayed(b).length > 0)
  await tell(a, b)
  expect(await echo(a, b)).toBe('hello')
  const isEchoed = (): Promise<boolean> =>
    echo(a, b).then(
      () => true,
      () => false,
    )
  for (const [by, whom] of [
    [b, a],
    [a, b],
    [a, relay],
    [b, relay],
    [relay, a],
    [relay, b],
  ] as const) {
    await by.deny([whom.rpc.self])
    await expect(echo(a, b)).rejects.toMatchObject({ code: 'UNREACHABLE' })
    await by.deny([])
    await until(isEchoed, 20_000)
  }
})

const [hop, stopped] = ['hop', 'stop'].map((name) => `/libp2p/circuit/relay/0.2.0/${name}`) as [
  string,
  string,
]
/** What a peer asks a relay, and a relay whom it puts through: the kind, and who it is about. */
function about(kind: number, { rpc }: Libp2pNetwork): Uint8Array {
  const id = peerIdOf(rpc.self).toMultihash().bytes
  return Uint8Array.of(8, kind, 18, id.length + 2, 10, id.length, ...id)
}

test('a stranger that calls as if it were a relay is not heard, and nothing of it is published', async () => {
  const [relay, stranger] = [await startRelay(), await start({ number: 4, relay: true })]
  const hidden = await startHidden(2, bootstrapOf(relay))
  await until(() => relayed(hidden).length > 0)
  const before = hidden.addresses()
  await tell(stranger, hidden)
  const answers: Uint8Array[] = []
  const call = async (): Promise<void> => {
    const stream = await stranger.openStream(hidden.rpc.self, stopped, AbortSignal.timeout(5_000))
    void stream.send(about(0, relay))
    for await (const frame of stream.source) answers.push(frame)
  }
  await call().catch(() => {})
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(answers).toEqual([])
  expect(hidden.addresses()).toEqual(before)
})

test('a peer has so many connections joined and no more', async () => {
  const relay = await startRelay()
  const [a, b] = [await startHidden(2, bootstrapOf(relay)), await startHidden(3, bootstrapOf(relay))]
  await until(() => relayed(b).length > 0 && a.rpc.connected().includes(relay.rpc.self))
  const ask = async (): Promise<Uint8Array | undefined> => {
    const stream = await a.openStream(relay.rpc.self, hop, AbortSignal.timeout(5_000))
    void stream.send(about(1, b))
    const { value } = await stream.source[Symbol.asyncIterator]().next()
    return value
  }
  const [ok, denied] = [Uint8Array.of(8, 2, 40, 100), Uint8Array.of(8, 2, 40, 202, 1)]
  for (let i = 0; i < netLimits.relayedPerPeerMax; i++) expect(await ask()).toEqual(ok)
  expect(await ask()).toEqual(denied)
  expect(await ask()).toEqual(denied)
})

test('ten thousand ways through relays are as few doors as other addresses of one peer', async () => {
  let knocks = 0
  const door = createServer((socket) => {
    knocks++
    socket.destroy()
  })
  await new Promise<void>((resolve) => door.listen(0, '127.0.0.1', resolve))
  const { port } = door.address() as AddressInfo
  const node = await start({ number: 2 })
  const peer = memoryNodeId(1)
  const addresses = Array.from(
    { length: 10_000 },
    (_, i) => `${fullAddress(memoryNodeId(2 + (i % 100)), `/ip4/127.0.0.1/tcp/${port}`)}/p2p-circuit`,
  )
  for (let i = 0; i < 100; i += 8) await node.routing.learn({ node: peer, addresses: addresses.slice(i) })
  const asking = node.rpc.request(peer, 'test/echo', hello, { signal: AbortSignal.timeout(10_000) })
  await expect(asking).rejects.toMatchObject({ code: 'UNREACHABLE' })
  door.close()
  expect(knocks).toBeGreaterThan(0)
  expect(knocks).toBeLessThanOrEqual(netLimits.addressesPerPeerMax)
})
