import { expect, test } from 'vitest'
import { peerAddresses } from '../../cli/peer-address.ts'
import { fullAddress, parseAddress } from '../../daemon/net/node-id.ts'
import { toHex } from '../../protocol/bytes.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(44)
const loopback = '/ip4/127.0.0.1/tcp/4001'

test('addresses are as a node reads them in its list of bootstrap nodes, those that others can dial first of all', () => {
  const node = crypto.signingPublicKey(crypto.random(32))
  const abroad = ['/ip4/192.0.2.1/tcp/4001', '/ip4/192.0.2.1/tcp/4002/ws', '/dns4/box.example/tcp/443/wss']
  const http = '/ip4/192.0.2.1/tcp/4180/http'
  const shown = peerAddresses(node, [loopback, '/ip6/::1/tcp/4001', ...abroad, http])
  expect(shown).toEqual(abroad.map((address) => fullAddress(toHex(node), address)))
  expect(shown.map((address) => parseAddress(address)?.node)).toEqual(abroad.map(() => toHex(node)))
  expect(peerAddresses(node, [loopback])).toEqual([fullAddress(toHex(node), loopback)])
  expect(peerAddresses(node, [http])).toEqual([])
})
