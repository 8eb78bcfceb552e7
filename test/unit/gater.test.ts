import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { createGater } from '../../daemon/net/gater.ts'
import { fullAddress, peerIdOf } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'

const [self, peer, other] = [memoryNodeId(1), memoryNodeId(2), memoryNodeId(3)]
const at = (text: string): Multiaddr => multiaddr(text)
const create = (options: { allowDial?: string[]; configured?: string[] } = {}) =>
  createGater({ self: peerIdOf(self), allowDial: [], configured: [], ...options })

test('public addresses may be dialled, local ones and names may not', () => {
  const gater = create()
  const permits = (text: string): boolean => gater.permits(peerIdOf(peer), at(text))
  expect(permits('/ip4/8.8.8.8/tcp/4181')).toBe(true)
  expect(permits('/ip6/2a00:1450::1/tcp/4182/ws')).toBe(true)
  for (const text of [
    '/ip4/192.168.1.1/tcp/80',
    '/ip4/127.0.0.1/tcp/80',
    '/ip4/169.254.169.254/tcp/80',
    '/ip6/::ffff:10.0.0.1/tcp/80',
    '/dns4/router.local/tcp/80',
    '/dnsaddr/example.org',
    '/unix/%2ftmp%2fsocket',
  ]) {
    expect(permits(text), text).toBe(false)
  }
})

test('the operator allows ranges, and names in the config', () => {
  const gater = create({
    allowDial: ['10.0.0.0/8'],
    configured: [
      fullAddress(peer, '/dns4/door.example.org/tcp/4181'),
      fullAddress(peer, '/ip4/127.0.0.1/tcp/1'),
    ],
  })
  expect(gater.permits(undefined, at('/ip4/10.9.9.9/tcp/1'))).toBe(true)
  expect(gater.permits(undefined, at('/dns4/door.example.org/tcp/4181'))).toBe(true)
  expect(gater.permits(undefined, at('/dns4/other.example.org/tcp/4181'))).toBe(false)
  expect(gater.permits(undefined, at('/ip4/127.0.0.1/tcp/1'))).toBe(true)
  expect(gater.permits(undefined, at('/ip4/127.0.0.2/tcp/1'))).toBe(false)
})

test('what mDNS says holds for that neighbour alone, and never leads to loopback or metadata', () => {
  const gater = create()
  const addresses = ['/ip4/192.168.1.5/tcp/1', '/ip4/127.0.0.1/tcp/1', '/ip4/169.254.169.254/tcp/1'].map(at)
  gater.learn(peerIdOf(peer), addresses)
  expect(addresses.map((address) => gater.permits(peerIdOf(peer), address))).toEqual([true, false, false])
  expect(gater.permits(peerIdOf(other), addresses[0] as Multiaddr)).toBe(false)
})

test('a neighbour that has moved is dialled where it is now alone', () => {
  const gater = create()
  const homes = Array.from({ length: 20 }, (_, i) => at(`/ip4/192.168.${i + 1}.5/tcp/1`))
  for (const home of homes) gater.learn(peerIdOf(peer), [home])
  expect(homes.filter((home) => gater.permits(peerIdOf(peer), home))).toEqual(homes.slice(-1))
})

test('a learnt neighbour has at most eight addresses', () => {
  const gater = create()
  const addresses = Array.from({ length: 20 }, (_, i) => at(`/ip4/192.168.1.${i + 1}/tcp/1`))
  gater.learn(peerIdOf(peer), addresses)
  expect(addresses.filter((address) => gater.permits(peerIdOf(peer), address))).toHaveLength(8)
})

test('the denied are refused everywhere', () => {
  const gater = create()
  const dial = (text: string): unknown => gater.libp2p.denyDialMultiaddr?.(at(text))
  expect(dial(fullAddress(peer, '/ip4/8.8.8.8/tcp/1'))).toBe(false)
  gater.deny([peer])
  expect(dial(fullAddress(peer, '/ip4/8.8.8.8/tcp/1'))).toBe(true)
  expect(gater.libp2p.denyDialPeer?.(peerIdOf(peer))).toBe(true)
  gater.deny([])
  expect(gater.libp2p.denyDialPeer?.(peerIdOf(peer))).toBe(false)
})

test('a DHT query may ask about an address without saying whose it is', () => {
  const gater = create()
  const dial = (text: string): unknown => gater.libp2p.denyDialMultiaddr?.(at(text))
  expect(dial('/ip4/8.8.8.8/tcp/1')).toBe(false)
  expect(dial('/ip4/192.168.1.5/tcp/1')).toBe(true)
  gater.learn(peerIdOf(peer), [at('/ip4/192.168.1.5/tcp/1')])
  expect(dial('/ip4/192.168.1.5/tcp/1')).toBe(false)
})

test('a name that leads home is not followed', async () => {
  const gater = create()
  const resolve = (): Promise<unknown> =>
    new Promise((done) =>
      gater.lookup('localhost', { all: true }, (error, found) => done(error?.code ?? found)),
    )
  expect(await resolve()).toBe('EACCES')
})
