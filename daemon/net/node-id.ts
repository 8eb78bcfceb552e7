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
  /** Without the /p2p part. */
  readonly transport: Multiaddr
  /** From the /p2p part, if there is one. */
  readonly node: NodeId | undefined
}

/** Undefined when the text is no multiaddr, names a peer that is no node, or goes through a relay. */
export function parseAddress(text: string): Address | undefined {
  // Longest of ours: a DNS name of 253 characters, ports and a certificate hash.
  if (text.length > 512) return undefined
  try {
    const parts = multiaddr(text).getComponents()
    const peers = parts.filter((part) => part.name === 'p2p')
    const transport = multiaddr(parts.filter((part) => part.name !== 'p2p'))
    if (peers.length > 1 || transport.getComponents().length === 0) return undefined
    const id = peers[0]?.value
    if (id === undefined) return { transport, node: undefined }
    const node = nodeIdOf(peerIdFromString(id))
    return node === undefined ? undefined : { transport, node }
  } catch {
    return undefined
  }
}

/** The form in which addresses are handed on: without /p2p, as the node's id stands beside them. */
export function formatAddress(address: Multiaddr): string {
  return multiaddr(address.getComponents().filter((part) => part.name !== 'p2p')).toString()
}

/** The form in which a person passes an address on: with /p2p, so that the dialler knows whom to expect. */
export function fullAddress(node: NodeId, address: string): string {
  return `${address}/p2p/${peerIdOf(node).toString()}`
}
