import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { formatAddress, fullAddress, parseAddress, peerIdOf } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'

const [node, relay] = [memoryNodeId(1), memoryNodeId(2)]
const [id, relayId] = [node, relay].map((one) => peerIdOf(one).toString()) as [string, string]
const direct = '/ip4/192.0.2.1/tcp/4181'
const relayed = `${direct}/p2p/${relayId}/p2p-circuit`

test.each([direct, '/dns4/box.example/tcp/4182/ws', '/ip6/2001:db8::1/tcp/4181', relayed])(
  '%s is handed on without the node, and whole with it',
  (address) => {
    const whole = fullAddress(node, address)
    expect(whole).toBe(`${address}/p2p/${id}`)
    expect(formatAddress(multiaddr(whole))).toBe(address)
    expect(formatAddress(multiaddr(address))).toBe(address)
    const read = [address, whole].map((text) => parseAddress(text))
    expect(read.map((one) => one?.transport.toString())).toEqual([address, address])
    expect(read.map((one) => one?.node)).toEqual([undefined, node])
  },
)

test('an address through a relay says who the relay is and where', () => {
  expect(parseAddress(direct)?.relay).toBe(undefined)
  const { relay: found } = parseAddress(fullAddress(node, relayed)) ?? {}
  expect([found?.node, found?.transport.toString()]).toEqual([relay, direct])
})

test.each([
  '',
  'x',
  `/p2p/${id}`,
  `${direct}/p2p/${id}/p2p/${relayId}`,
  `${direct}/p2p-circuit`,
  `${direct}/p2p-circuit/p2p/${id}`,
  `/p2p/${relayId}/p2p-circuit/p2p/${id}`,
  `${relayed}/p2p/${relayId}`,
  `${relayed}/p2p/${id}/p2p-circuit`,
  `${relayed}${direct}/p2p/${id}`,
  `/dns4/${'a'.repeat(600)}/tcp/1`,
])('%#: is no address of a node', (text) => {
  expect(parseAddress(text)).toBe(undefined)
})
