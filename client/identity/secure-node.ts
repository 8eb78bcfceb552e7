import type { FrameLink, FrameTransport, FrameTransportOptions } from '../frame-link.ts'
import { frameTransport } from '../frame-link.ts'

export const pairingProtocol = '/onehop/pair/1'
export const apiProtocol = '/onehop/api/1'

/** A connection whose other end has proven that it is this node. */
export interface SecureNode {
  readonly node: Uint8Array
  /** The key that this end proved: made for this connection, and no device's. */
  readonly local: Uint8Array
  openStream(protocol: string): Promise<FrameLink>
  close(): Promise<void>
}

export interface DialNodeOptions {
  /** Its Ed25519 key, 32 bytes. */
  readonly node: Uint8Array
  /** Multiaddrs; those of WebSocket listeners are dialled. */
  readonly addresses: readonly string[]
  readonly signal?: AbortSignal | undefined
}

export type DialNode = (options: DialNodeOptions) => Promise<SecureNode>

/** libp2p in this page or process, loaded when it is first needed. UNREACHABLE, FORBIDDEN when another node answers. */
export const dialNode: DialNode = async (options) => {
  const { dialOverLibp2p } = await import('../libp2p.ts')
  return dialOverLibp2p(options)
}

/** Calls of the API over a stream that was opened for it. */
export function streamTransport(
  link: FrameLink,
  options: Partial<FrameTransportOptions> = {},
): FrameTransport {
  return frameTransport(link, { address: 'libp2p', ...options })
}
