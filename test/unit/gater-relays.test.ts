import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { createGater } from '../../daemon/net/gater.ts'
import { fullAddress, peerIdOf } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'

const [self, peer, relay, second] = [memoryNodeId(1), memoryNodeId(2), memoryNodeId(3), memoryNodeId(4)]
const create = (options: { allowDial?: string[]; configured?: string[] } = {}) =>
  createGater({ self: peerIdOf(self), allowDial: [], configured: [], ...options })
const through = (door: string, by = relay): string => `${fullAddress(by, door)}/p2p-circuit`
/** As the peer store asks about what it is to keep, and as a dial asks. */
const asked = (gater: ReturnType<typeof create>, text: string): boolean[] => [
  gater.permits(peerIdOf(peer), multiaddr(text)),
  gater.libp2p.denyDialMultiaddr?.(multiaddr(fullAddress(peer, text))) === false,
]
const [yes, no] = [
  [true, true],
  [false, false],
]

test('a way through a relay is as good as the way to the relay', () => {
  const gater = create()
  expect(asked(gater, through('/ip4/8.8.8.8/tcp/4181'))).toEqual(yes)
  expect(asked(gater, through('/ip4/8.8.8.8/tcp/4182/ws'))).toEqual(yes)
  for (const door of [
    '/ip4/192.168.1.1/tcp/80',
    '/ip4/127.0.0.1/tcp/80',
    '/ip4/169.254.169.254/tcp/80',
    '/ip6/::ffff:10.0.0.1/tcp/80',
    '/dns4/router.local/tcp/80',
    '/dns4/relay.example.org/tcp/80',
  ]) {
    expect(asked(gater, through(door)), door).toEqual(no)
  }
})

test('ranges and the addresses of the config hold for relays too, also where the config names the way through one', () => {
  const [name, box] = ['/dns4/relay.example.org/tcp/4181', '/ip4/10.1.2.3/tcp/4181']
  expect(asked(create({ allowDial: ['10.0.0.0/8'] }), through(box))).toEqual(yes)
  expect(asked(create({ configured: [fullAddress(relay, name)] }), through(name))).toEqual(yes)
  expect(asked(create({ configured: [fullAddress(peer, through(name))] }), through(name))).toEqual(yes)
  expect(asked(create({ configured: [fullAddress(relay, name)] }), through(box))).toEqual(no)
})

test('what mDNS says of a relay holds for ways through that relay, and for no other', () => {
  const gater = create()
  const door = '/ip4/192.168.1.5/tcp/1'
  gater.learn(peerIdOf(relay), [multiaddr(door)])
  expect(asked(gater, through(door))).toEqual(yes)
  expect(asked(gater, through(door, second))).toEqual(no)
  // Nor for the neighbour behind it: what it says of itself is no word on a relay.
  gater.learn(peerIdOf(peer), [multiaddr('/ip4/192.168.1.6/tcp/1')])
  expect(asked(gater, through('/ip4/192.168.1.6/tcp/1'))).toEqual(no)
})

test('a DHT query may ask about a way through a relay, by the same rule', () => {
  const gater = create()
  const dial = (text: string): unknown => gater.libp2p.denyDialMultiaddr?.(multiaddr(text))
  gater.learn(peerIdOf(peer), [multiaddr('/ip4/192.168.1.5/tcp/1')])
  expect(dial(through('/ip4/8.8.8.8/tcp/1'))).toBe(false)
  expect(dial(through('/ip4/192.168.1.5/tcp/1'))).toBe(true)
})

test('through two relays, through nobody and through the one that is sought leads nowhere', () => {
  const gater = create()
  const door = '/ip4/8.8.8.8/tcp/1'
  for (const text of [
    `${through(door)}${fullAddress(second, '')}/p2p-circuit`,
    `${door}/p2p-circuit`,
    `${fullAddress(relay, '')}/p2p-circuit`,
    `${through(door)}/ip4/8.8.4.4/tcp/1`,
    // No Ed25519 key: no node of ours.
    `${door}/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N/p2p-circuit`,
  ]) {
    expect(asked(gater, text), text).toEqual(no)
  }
  expect(gater.libp2p.denyDialMultiaddr?.(multiaddr(fullAddress(relay, through(door))))).toBe(true)
})

test('a relay remembers the ways through itself, which others ask it for, and goes none of them', () => {
  const gater = create()
  expect(asked(gater, through('/ip4/8.8.8.8/tcp/1', self))).toEqual([true, false])
  expect(asked(gater, through('/ip4/192.168.1.1/tcp/80', self))).toEqual(no)
  expect(gater.libp2p.denyDialMultiaddr?.(multiaddr(through('/ip4/8.8.8.8/tcp/1', self)))).toBe(true)
})

test('neither a denied relay nor a denied peer behind one is dialled or heard', () => {
  const gater = create()
  const text = through('/ip4/8.8.8.8/tcp/1')
  const heard = (): unknown =>
    gater.libp2p.denyInboundRelayedConnection?.(peerIdOf(relay), peerIdOf(peer)) === false
  expect([...asked(gater, text), heard()]).toEqual([true, true, true])
  gater.deny([relay])
  expect([...asked(gater, text), heard()]).toEqual([false, false, false])
  gater.deny([peer])
  expect([asked(gater, text)[1], heard()]).toEqual([false, false])
  gater.deny([])
  expect([...asked(gater, text), heard()]).toEqual([true, true, true])
})
