import type { Method, NodeMethod } from '../../protocol/methods.ts'
import type { FrameStream } from './frame-stream.ts'

/** A node's Ed25519 public key as 64 hex digits. Its libp2p peer id is made from the same key. */
export type NodeId = string

export interface RpcRequest {
  /** The authenticated sender. */
  readonly from: NodeId
  readonly body: Uint8Array
  /** Aborts when the caller's deadline passes, the peer goes or the node closes. */
  readonly signal: AbortSignal
}

/** Throw an OnehopError to refuse: its code and message reach the caller. */
export type RpcHandler = (request: RpcRequest) => Promise<Uint8Array>

export interface RpcCallOptions {
  readonly signal: AbortSignal
  /** Ten seconds when not given. */
  readonly timeoutMs?: number
}

/**
 * Requests between nodes. At most once per call; callers make their requests safe to repeat. A node serves and asks the
 * methods that have a rule; the transports beneath carry any.
 */
export interface Rpc<M extends Method = NodeMethod> {
  readonly self: NodeId
  handle(method: M, handler: RpcHandler): void
  /** Dials when needed. Rejects with an {@link OnehopError}: UNREACHABLE, TIMEOUT, BUSY, or what the handler threw. */
  request(to: NodeId, method: M, body: Uint8Array, options: RpcCallOptions): Promise<Uint8Array>
  connected(): readonly NodeId[]
  /** Calls back on every peer that comes or goes; returns the way to stop. */
  onPeer(listener: (peer: NodeId, state: 'connected' | 'disconnected') => void): () => void
}

export interface PeerAddress {
  readonly node: NodeId
  /** Multiaddrs without the /p2p part. */
  readonly addresses: readonly string[]
}

/** The DHT as far as the rest of the daemon is concerned: hints where to ask, nothing more. */
export interface Routing {
  provide(key: Uint8Array, signal: AbortSignal): Promise<void>
  /** Yields providers as they are found; stop as soon as you have enough. */
  findProviders(key: Uint8Array, signal: AbortSignal): AsyncIterable<PeerAddress>
  /** Remember where a peer can be dialled (from a replica set, a lease, an advert). */
  learn(peer: PeerAddress): Promise<void>
  /** How many peers the routing table holds. Providing or finding with none is useless. */
  size(): number
  /** Forget that this node provides the key; elsewhere the record runs out by itself. */
  withdraw(key: Uint8Array): Promise<void>
}

/** A relay of `network.relays` at which this node has no place. */
export interface MissingRelay {
  readonly relay: NodeId
  /** What it answered when it was asked last; undefined where it was not reached. */
  readonly refusal: string | undefined
  /** Monotonic. */
  readonly sinceMs: number
}

export interface Network<M extends Method = NodeMethod> extends AsyncDisposable {
  readonly rpc: Rpc<M>
  readonly routing: Routing
  /** Own dialable multiaddrs. */
  addresses(): readonly string[]
  missingRelays(): readonly MissingRelay[]
  /** Peers that are neither dialled nor answered: the operator's deny list. Replaces the list. */
  deny(nodes: readonly NodeId[]): Promise<void>
  /** Closes the connection with this peer and all its streams, when what was sent has left. It may come again. */
  hangUp(node: NodeId): Promise<void>
  /** Peers to stay connected with: dialled again, with growing pauses, whenever they are away. Replaces the list. */
  keep(nodes: readonly NodeId[]): void
  /** Answers streams of a protocol such as `/onehop/api/1`, from nodes and from browsers. */
  serveStream(protocol: string, handler: (stream: FrameStream) => Promise<void>): void
  openStream(to: NodeId, protocol: string, signal: AbortSignal): Promise<FrameStream>
}
