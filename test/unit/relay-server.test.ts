import { TypedEventEmitter, type Libp2pEvents } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import { expect, test } from 'vitest'
import { createGater } from '../../daemon/net/gater.ts'
import { peerIdOf } from '../../daemon/net/node-id.ts'
import { relayService } from '../../daemon/net/relay-server.ts'
import { memoryNodeId } from '../../daemon/net/rpc-memory.ts'

test('who leaves leaves its place, and a place given later does not end when the first would have', () => {
  const [self, peer, other] = [1, 2, 3].map((number) => peerIdOf(memoryNodeId(number)))
  const events = new TypedEventEmitter<Libp2pEvents>()
  const log = Object.assign(() => {}, { error() {}, trace() {}, newScope: () => log })
  const create = relayService(createGater({ self: self!, allowDial: [], configured: [] }))
  const { reservations } = create({ events, logger: { forComponent: () => log } } as never)
  let running = 0
  for (const who of [peer!, other!]) {
    running++
    const signal = Object.assign(new AbortController().signal, { reset() {}, clear: () => void running-- })
    reservations.set(who, { addr: multiaddr('/ip4/192.0.2.1/tcp/1'), expiry: new Date(), signal })
  }
  events.dispatchEvent(new CustomEvent('peer:disconnect', { detail: peer! }))
  expect([reservations.has(peer!), reservations.has(other!), running]).toEqual([false, true, 1])
})
