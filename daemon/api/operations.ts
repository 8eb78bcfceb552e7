/** What an implementation of the client API looks like to the transports that serve it. */
import type { AppGrant } from '../../protocol/api/app-token.ts'
import type {
  EventOf,
  ReplyOf,
  RequestOf,
  SubscriptionName,
  UnaryName,
} from '../../protocol/api/operations.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'

/** Who calls, as far as the transport could tell. */
export type Caller =
  | { readonly kind: 'anyone' }
  | { readonly kind: 'session'; readonly owner: IdentityId; readonly device: DeviceKey }
  | { readonly kind: 'admin' }
  /** An app with a token. Never seen by handlers: see app-scope.ts. */
  | { readonly kind: 'app'; readonly owner: IdentityId; readonly device: DeviceKey; readonly grant: AppGrant }

export interface Call {
  readonly caller: Caller
  /** Aborts when the call ends, however it does: answered, cancelled, caller gone, node closing. */
  readonly signal: AbortSignal
  /** The bearer token of the call or connection, where it has one. */
  readonly token: string | undefined
  /** Makes later calls of this connection speak for the session. Does nothing over HTTP: every request brings its token. */
  readonly bind: (token: string | undefined) => void
}

/** A reply, or the deterministic CBOR of one that was prepared before: it is passed on as it is. */
export type Answer<N extends UnaryName> = ReplyOf<N> | Uint8Array

export interface LiveAnswer<N extends SubscriptionName> {
  readonly reply: ReplyOf<N>
  /**
   * Pulled as fast as the client takes them. Must end when the call's signal aborts; whatever it holds is tied to
   * that signal, as nobody may ever begin to iterate.
   */
  readonly events: AsyncIterable<EventOf<N>>
}

export type UnaryHandler<N extends UnaryName> = (request: RequestOf<N>, call: Call) => Promise<Answer<N>>
export type LiveHandler<N extends SubscriptionName> = (
  request: RequestOf<N>,
  call: Call,
) => Promise<LiveAnswer<N>>

/** The caller met the operation's rule and the request has its shape; everything else is the handler's to check. */
export type Operations = {
  readonly [N in UnaryName]: UnaryHandler<N>
} & {
  readonly [N in SubscriptionName]: LiveHandler<N>
}
