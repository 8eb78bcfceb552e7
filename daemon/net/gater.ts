/**
 * Who may be dialled, and where. libp2p allows everything, and any stranger's message can bring addresses into
 * the peer store: without this, one could make a home box knock at every door of its LAN.
 */
import { lookup as systemLookup } from 'node:dns'
import type { LookupFunction } from 'node:net'
import type { ConnectionGater, PeerId } from '@libp2p/interface'
import type { Multiaddr } from '@multiformats/multiaddr'
import { addressRanges, classifyAddress, inRanges } from './address-class.ts'
import { netLimits } from './net-limits.ts'
import { isRelayed, nodeIdOf, parseAddress, peerIdOf } from './node-id.ts'
import type { NodeId } from './rpc.ts'

export interface Gater {
  readonly libp2p: ConnectionGater
  /** For every connection by name: names are resolved here and lead only where addresses may. */
  readonly lookup: LookupFunction
  /** Whether this address may be remembered for, and dialled to reach, this peer. */
  permits(peer: PeerId | undefined, address: Multiaddr): boolean
  /**
   * All addresses that mDNS vouches for now: local ones are dialled for this peer alone. Earlier ones are forgotten,
   * or a neighbour that moves often would run out of places, and dials would wait at doors that it has left.
   */
  learn(peer: PeerId, addresses: readonly Multiaddr[]): void
  denies(node: NodeId | undefined): boolean
  deny(nodes: readonly NodeId[]): void
}

/** A LAN's worth; the longest unheard of is forgotten first. */
const learntPeersMax = 1024

export function createGater(options: {
  readonly self: PeerId
  /** CIDR ranges that the operator allows. */
  readonly allowDial: readonly string[]
  /** Multiaddrs from the config: their names and addresses are the operator's own word. */
  readonly configured: readonly string[]
}): Gater {
  const allowed = addressRanges(options.allowDial)
  const named = new Set<string>()
  for (const text of options.configured) {
    const address = parseAddress(text)
    const host = hostOf(address?.relay?.transport ?? address?.transport)
    if (host !== undefined) named.add(host.host)
  }
  const learnt = new Map<string, Set<string>>()
  let denied = new Set<NodeId>()

  const permitsIp = (host: string): boolean => classifyAddress(host) === 'public' || inRanges(allowed, host)
  const permits = (peer: PeerId | undefined, address: Multiaddr): boolean => {
    if (peer !== undefined && options.self.equals(peer)) return true
    return isRelayed(address) ? permitsRelayed(address) : permitsDirect(peer, address)
  }
  /** Through a relay that we would dial for itself: an address leads nowhere by it that it would not lead to directly. */
  const permitsRelayed = (address: Multiaddr): boolean => {
    const { relay, node } = parseAddress(address.toString()) ?? {}
    if (relay === undefined || denies(relay.node) || (node !== undefined && denies(node))) return false
    return permitsDirect(peerIdOf(relay.node), relay.transport)
  }
  /** A relay tells others of ways through itself, and goes none of them. */
  const isThroughSelf = (address: Multiaddr): boolean => {
    const relay = parseAddress(address.toString())?.relay
    return relay !== undefined && options.self.equals(peerIdOf(relay.node))
  }
  const permitsDirect = (peer: PeerId | undefined, address: Multiaddr): boolean => {
    const host = hostOf(address)
    if (host === undefined) return false
    if (named.has(host.host)) return true
    // A stranger's name may resolve to one address now and to another when it is dialled.
    if (host.kind === 'name') return false
    return (
      permitsIp(host.host) || (peer !== undefined && learnt.get(peer.toString())?.has(host.host) === true)
    )
  }
  const learntByAny = (address: Multiaddr): boolean => {
    const host = hostOf(address)?.host
    return host !== undefined && [...learnt.values()].some((hosts) => hosts.has(host))
  }
  const denies = (node: NodeId | undefined): boolean => node === undefined || denied.has(node)

  return {
    permits,
    denies,
    deny(nodes) {
      denied = new Set(nodes.slice(0, netLimits.deniedNodesMax))
    },
    learn(peer, addresses) {
      const hosts = new Set<string>()
      for (const address of addresses) {
        const host = hostOf(address)
        if (host?.kind !== 'ip') continue
        const where = classifyAddress(host.host)
        // A neighbour on the LAN has a private or link-local address, never our own loopback.
        const local = where === 'private' || where === 'link-local' || where === 'carrier-nat'
        if (local && hosts.size < netLimits.addressesPerPeerMax) hosts.add(host.host)
      }
      learnt.delete(peer.toString())
      learnt.set(peer.toString(), hosts)
      if (learnt.size > learntPeersMax) {
        for (const oldest of learnt.keys()) {
          learnt.delete(oldest)
          break
        }
      }
    },
    lookup(host, lookupOptions, callback) {
      systemLookup(host, { ...lookupOptions, all: true }, (error, addresses) => {
        const found = error === null ? addresses.filter(({ address }) => permitsIp(address)) : []
        const first = found[0]
        if (first === undefined) {
          callback(
            error ??
              Object.assign(new Error(`${host} leads nowhere that may be dialled`), { code: 'EACCES' }),
            '',
          )
        } else if (lookupOptions.all === true) callback(null, found)
        else callback(null, first.address, first.family)
      })
    },
    libp2p: {
      denyDialPeer: (peer) => denies(nodeIdOf(peer)),
      denyDialMultiaddr: (address) => {
        // Nor is what a stranger says is our door to be noted as ours, as a dial would.
        if (isThroughSelf(address)) return true
        const node = parseAddress(address.toString())?.node
        // DHT queries ask about bare addresses before they go on to a peer; a real dial always names one.
        if (node === undefined) return !permits(undefined, address) && !learntByAny(address)
        return denies(node) || !permits(peerIdOf(node), address)
      },
      denyInboundRelayedConnection: (relay, peer) => denies(nodeIdOf(relay)) || denies(nodeIdOf(peer)),
      denyInboundEncryptedConnection: (peer) => denies(nodeIdOf(peer)),
      denyOutboundEncryptedConnection: (peer) => denies(nodeIdOf(peer)),
      filterMultiaddrForPeer: (peer, address) => permits(peer, address),
    },
  }
}

interface Host {
  readonly kind: 'ip' | 'name'
  readonly host: string
}

/** Undefined for ways through relays, and for what this node cannot dial anyway: unix sockets, dnsaddr, anything not TCP underneath. */
function hostOf(address: Multiaddr | undefined): Host | undefined {
  const parts = address?.getComponents() ?? []
  const first = parts.find((part) => part.name !== 'ip6zone')
  if (address === undefined || first?.value === undefined || isRelayed(address)) return undefined
  switch (first.name) {
    case 'ip4':
    case 'ip6':
      return { kind: 'ip', host: first.value }
    case 'dns':
    case 'dns4':
    case 'dns6':
      return { kind: 'name', host: first.value.toLowerCase() }
    default:
      return undefined
  }
}
