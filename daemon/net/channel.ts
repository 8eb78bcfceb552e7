import type { NodeId } from './rpc.ts'

/** An ordered, two-way stream of frames to one peer, below the requests. Transports make them. */
export interface Channel {
  /** Queues a frame and returns at once. Does nothing once closed. */
  send(frame: Uint8Array): void
  /** Bytes queued here that the peer has not taken. */
  queuedBytes(): number
  /** Resolves when at most half of `bytes` are queued, or the channel has closed. */
  drained(bytes: number): Promise<void>
  /** Starts delivery, once. Frames that came before are delivered first. */
  attach(events: ChannelEvents): void
  /** Sends what is queued, then closes. */
  close(): void
  /** Drops what is queued and resets the stream. */
  abort(error: Error): void
}

export interface ChannelEvents {
  /** While a returned promise is pending nothing more is read from the peer. Throwing resets the stream. */
  onFrame(frame: Uint8Array): void | Promise<void>
  /** Once, whoever closed it. */
  onClose(): void
}

/** What a network must be able to do so that requests can run over it. */
export interface RpcTransport {
  readonly self: NodeId
  /** Dials when needed. Rejects with UNREACHABLE or UNSUPPORTED. */
  open(to: NodeId, protocol: string, signal: AbortSignal): Promise<Channel>
  listen(protocol: string, accept: (from: NodeId, channel: Channel) => void): void
  connected(): readonly NodeId[]
  onPeer(listener: (peer: NodeId, state: 'connected' | 'disconnected') => void): () => void
}
