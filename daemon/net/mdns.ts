/** Neighbours on the same cable or Wi-Fi, by multicast DNS. */
import type { EventEmitter } from 'node:events'
import { networkInterfaces } from 'node:os'
import type { PeerDiscovery, PeerInfo, Startable } from '@libp2p/interface'
import { mdns } from '@libp2p/mdns'
import { addressRanges, inRanges } from './address-class.ts'
import type { Gater } from './gater.ts'

/** Also how long a neighbour that was away may stay away after the link is whole again. */
const askEveryMs = 20_000

type Service = PeerDiscovery & Startable & { readonly mdns?: EventEmitter }

/**
 * Wraps libp2p's mDNS so that the gater hears of a neighbour before anything dials it, and so that every answer is
 * told: libp2p passes on who is new alone, and neighbours whose link was cut would stay strangers.
 *
 * Questions and answers leave by the default route alone. Where there is none, as on a bare cable between two boxes,
 * `ip route add 224.0.0.0/4 dev eth0` gives them a way.
 */
export function discoverByMdns(gater: Gater, onNeighbour: (neighbour: PeerInfo) => void) {
  const create = mdns({ serviceTag: '_onehop._udp.local', interval: askEveryMs })
  return (components: Parameters<typeof create>[0]): PeerDiscovery => {
    const service = create(components) as Service
    const start = service.start.bind(service)
    let sender: string | undefined
    service.start = async () => {
      await start()
      // Told before the service reads the packet, which it does at once.
      service.mdns?.on('packet', (_packet: unknown, from: { address: string }) => {
        sender = from.address
      })
    }
    service.addEventListener('peer', (event) => {
      if (sender === undefined || !isOnLink(sender)) {
        event.stopImmediatePropagation()
        return
      }
      gater.learn(event.detail.id, event.detail.multiaddrs)
      onNeighbour(event.detail)
    })
    return service
  }
}

/** Anybody who reaches the port can send an answer; only those beside us may say where in the LAN to dial. */
function isOnLink(address: string): boolean {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? [])
  return inRanges(addressRanges(own.flatMap(({ cidr }) => cidr ?? [])), address)
}
