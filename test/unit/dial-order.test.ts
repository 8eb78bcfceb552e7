import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { dialOrder } from '../../daemon/net/dial-order.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'

test('a direct way comes before a relay, and a relay before another try at the same door', () => {
  const order = [
    '/ip4/8.8.8.8/tcp/4181',
    '/ip4/192.168.1.5/tcp/4181',
    '/ip4/127.0.0.1/tcp/4181',
    `${fullAddress(memoryNodeId(1), '/ip4/8.8.4.4/tcp/4181')}/p2p-circuit`,
    '/ip4/8.8.8.8/tcp/4182/ws',
    '/ip4/192.168.1.5/tcp/4182/ws',
  ]
  const addresses = order.map((text) => ({ multiaddr: multiaddr(text), isCertified: false }))
  const sorted = addresses.toReversed().sort(dialOrder)
  expect(sorted.map((address) => address.multiaddr.toString())).toEqual(order)
})

test('of two that are alike the signed one comes first', () => {
  const [plain, signed] = [false, true].map((isCertified) => ({
    multiaddr: multiaddr('/ip4/8.8.8.8/tcp/1'),
    isCertified,
  }))
  expect([plain!, signed!].sort(dialOrder)).toEqual([signed, plain])
})
