import { generateKeyPairFromSeed, publicKeyFromRaw } from '@libp2p/crypto/keys'
import type { Ed25519PrivateKey, PeerId } from '@libp2p/interface'
import { peerIdFromPublicKey, peerIdFromString } from '@libp2p/peer-id'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { NodeId } from './rpc.ts'

/** The libp2p identity of a node is its device key: the same 32-byte seed signs for both. */
export function privateKeyOfSeed(seed: Uint8Array): Promise<Ed25519PrivateKey> {
  if (seed.length !== 32) throw new OnehopError('INTERNAL', 'a node key is made from 32 bytes')
  return generateKeyPairFromSeed('Ed25519', seed)
}

/** Throws BAD_REQUEST when the text is no node id. */
export function peerIdOf(node: NodeId): PeerId {
  const raw = fromHex(node, 32)
  if (raw === undefined) throw new OnehopError('BAD_REQUEST', 'a node id is 64 lower-case hex digits')
  const key = publicKeyFromRaw(raw)
  if (key.type !== 'Ed25519') throw new OnehopError('BAD_REQUEST', 'a node id is an Ed25519 key')
  return peerIdFromPublicKey(key)
}

/** Undefined for peers with another kind of key: they are no nodes of ours. */
export function nodeIdOf(peer: PeerId): NodeId | undefined {
  return peer.type === 'Ed25519' ? toHex(peer.publicKey.raw) : undefined
}

export interface Address {
  /** Without the /p2p part of the node; of one through a relay, with the relay's. */
  readonly transport: Multiaddr
  /** From the /p2p part, if there is one. */
  readonly node: NodeId | undefined
  /** Whom the way leads through, if it does. */
  readonly relay: { readonly node: NodeId; readonly transport: Multiaddr } | undefined
}

/** Undefined when the text is no multiaddr, names a peer that is no node, or goes through two relays. */
export function parseAddress(text: string): Address | undefined {
  // Longest of ours: a DNS name of 253 characters, ports, a certificate hash, a relay's id.
  if (text.length > 512) return undefined
  try {
    const [direct = [], after, ...further] = hops(multiaddr(text))
    if (further.length > 0) return undefined
    const first = readHop(direct)
    if (first === undefined || first.transport.getComponents().length === 0) return undefined
    if (after === undefined) return { ...first, relay: undefined }
    const last = readHop(after)
    if (last === undefined || last.transport.getComponents().length > 0) return undefined
    if (first.node === undefined || first.node === last.node) return undefined
    const relay = { node: first.node, transport: first.transport }
    return { transport: throughRelay(relay.node, relay.transport), node: last.node, relay }
  } catch {
    return undefined
  }
}

type Component = ReturnType<Multiaddr['getComponents']>[number]

/** What lies before, between and behind relays. */
function hops(address: Multiaddr): Component[][] {
  const found: Component[][] = [[]]
  for (const part of address.getComponents()) {
    if (part.name === 'p2p-circuit') found.push([])
    else found.at(-1)?.push(part)
  }
  return found
}

function readHop(parts: readonly Component[]): Omit<Address, 'relay'> | undefined {
  const peers = parts.filter((part) => part.name === 'p2p')
  if (peers.length > 1) return undefined
  const transport = multiaddr(parts.filter((part) => part.name !== 'p2p'))
  const id = peers[0]?.value
  if (id === undefined) return { transport, node: undefined }
  const node = nodeIdOf(peerIdFromString(id))
  return node === undefined ? undefined : { transport, node }
}

export function isRelayed(address: Multiaddr): boolean {
  return address.getComponents().some((part) => part.name === 'p2p-circuit')
}

/** The way through a relay that is at this address. Whom it leads to is not in it. */
export function throughRelay(relay: NodeId, address: Multiaddr): Multiaddr {
  return address.encapsulate(`/p2p/${peerIdOf(relay).toString()}/p2p-circuit`)
}

/** The address without the /p2p part of the node that it leads to; a relay's stays. */
export function transportOf(address: Multiaddr): Multiaddr {
  const parts = address.getComponents()
  const relayed = parts.findLastIndex((part) => part.name === 'p2p-circuit')
  return multiaddr(parts.filter((part, i) => part.name !== 'p2p' || i < relayed))
}

/** The form in which addresses are handed on: without /p2p, as the node's id stands beside them. */
export function formatAddress(address: Multiaddr): string {
  return transportOf(address).toString()
}

/** The form in which a person passes an address on: with /p2p, so that the dialler knows whom to expect. */
export function fullAddress(node: NodeId, address: string): string {
  return `${address}/p2p/${peerIdOf(node).toString()}`
}
