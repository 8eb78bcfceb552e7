import type { EventOf, ReplyOf, RequestOf, SubscriptionName, UnaryName } from '../protocol/api/operations.ts'

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
  readonly timeoutMs?: number | undefined
  /** Where each request brings its own (HTTP). Streams and sockets are bound by session.open itself. */
  readonly token?: Uint8Array | undefined
}

export interface LiveReply<N extends SubscriptionName> {
  readonly reply: ReplyOf<N>
  /** Ends when the node ends it or the signal aborts; throws when the connection breaks. For one reader. */
  readonly events: AsyncIterable<EventOf<N>>
}

/**
 * Calls to one node, whatever carries them. Every reply was bounded and shaped; nothing in it was verified yet.
 * Rejects with OnehopError: what the node refused, UNREACHABLE, TIMEOUT, ABORTED or CLOSED.
 */
export interface Transport {
  /** For people and logs. */
  readonly address: string
  /** Does a session stay with the connection, or does each call bring its token? */
  readonly binds: boolean
  call<N extends UnaryName>(operation: N, request: RequestOf<N>, options?: CallOptions): Promise<ReplyOf<N>>
  open<N extends SubscriptionName>(
    operation: N,
    request: RequestOf<N>,
    options?: CallOptions,
  ): Promise<LiveReply<N>>
  /** The transport on which live queries run: itself, or for HTTP a WebSocket to the same node. */
  live(): Promise<Transport>
  close(): Promise<void>
}
