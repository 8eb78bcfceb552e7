import { operations } from '../protocol/api/operations.ts'
import type { OperationName } from '../protocol/api/operations.ts'
import { signSession } from '../protocol/api/session.ts'
import { equalBytes } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { ErrorCode } from '../protocol/errors.ts'
import type { DeviceSecrets } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { systemClock } from './clock.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface SessionOptions {
  readonly crypto: CryptoProvider
  readonly owner: IdentityId
  readonly device: DeviceSecrets
  readonly clock?: Clock | undefined
  /** The key that the node must have: a session proven to one node is worth nothing at another. */
  readonly node?: Uint8Array | undefined
}

/** What a node answers that does not host this identity: its open parts can be read there without a session. */
const notHere: ReadonlySet<ErrorCode> = new Set(['UNKNOWN_IDENTITY', 'NOT_HOSTED', 'FORBIDDEN', 'NOT_FOUND'])

/** A session ends a little before the node forgets it. */
const marginMs = 5_000

/** How long a node that does not know this identity is read as a stranger before it is asked once more. */
const strangerMs = 30_000

interface Bound {
  readonly token: Uint8Array
  readonly endsMs: number
}

/**
 * A transport that speaks for a device. The session is opened by the first call that needs it or may see more with
 * it, and again when the node has forgotten it; nothing is sent before.
 */
export function openSession(inner: Transport, options: SessionOptions): Transport {
  const { crypto, owner, device, clock = systemClock } = options
  let session: Promise<Bound | undefined> | undefined
  /** Until then this node is not asked for a session again by calls that do without. */
  let strangerUntilMs = 0
  let liveSession: { readonly inner: Transport; readonly outer: Transport } | undefined

  const prove = async (callOptions: CallOptions): Promise<Bound> => {
    const challenge = await inner.call('session.challenge', { owner, device: device.key }, bare(callOptions))
    if (options.node !== undefined && !equalBytes(options.node, challenge.node)) {
      throw new OnehopError('FORBIDDEN', `${inner.address} is another node than the one expected there`)
    }
    const claim = { ...challenge, owner, device: device.key }
    const { nonce, expiresMs } = challenge
    const signature = signSession(crypto, claim, device.seed)
    const { token, lifetimeMs } = await inner.call(
      'session.open',
      { owner, device: device.key, nonce, expiresMs, signature },
      bare(callOptions),
    )
    return { token, endsMs: clock.monotonicMs() + lifetimeMs - Math.min(marginMs, lifetimeMs / 2) }
  }

  const bound = async (needed: boolean, callOptions: CallOptions): Promise<Bound | undefined> => {
    const current = await session?.catch(() => undefined)
    if (current !== undefined && current.endsMs > clock.monotonicMs()) return current
    if (!needed && clock.monotonicMs() < strangerUntilMs) return undefined
    // Calls made at once share one proof. A failed one is not remembered: the next call tries again.
    const started = (session = prove(callOptions))
    try {
      return await started
    } catch (cause) {
      const error = asOnehopError(cause)
      if (session === started) session = undefined
      if (needed || !notHere.has(error.code)) throw error
      strangerUntilMs = clock.monotonicMs() + strangerMs
      return undefined
    }
  }

  /** Calls once, and once more with a new session when the node no longer knows this one. */
  const withSession = async <T>(
    operation: OperationName,
    callOptions: CallOptions,
    action: (options: CallOptions) => Promise<T>,
  ): Promise<T> => {
    if (!speaksFor(operation)) return action(bare(callOptions))
    const needed = operations[operation].rule === 'session'
    const first = await bound(needed, callOptions)
    try {
      return await action(withToken(callOptions, first))
    } catch (cause) {
      if (asOnehopError(cause).code !== 'UNAUTHENTICATED' || first === undefined) throw cause
      session = undefined
      return action(withToken(callOptions, await bound(needed, callOptions)))
    }
  }

  const withToken = (callOptions: CallOptions, current: Bound | undefined): CallOptions =>
    current === undefined || inner.binds ? bare(callOptions) : { ...callOptions, token: current.token }

  const outer: Transport = {
    address: inner.address,
    binds: inner.binds,
    call: (operation, request, callOptions = {}) =>
      withSession(operation, callOptions, (ready) => inner.call(operation, request, ready)),
    async open(operation, request, callOptions = {}) {
      const live = await outer.live()
      if (live !== outer) return live.open(operation, request, callOptions)
      return withSession(operation, callOptions, (ready) => inner.open(operation, request, ready))
    },
    async live() {
      const live = await inner.live()
      if (live === inner) return outer
      if (liveSession?.inner !== live) liveSession = { inner: live, outer: openSession(live, options) }
      return liveSession.outer
    },
    close: () => inner.close(),
  }
  return outer
}

/** Records and documents that are signed prove themselves, and the calls about the node and its documents are the same for everybody. */
export function speaksFor(operation: OperationName): boolean {
  const { rule } = operations[operation]
  if (rule === 'session') return true
  if (rule !== 'anyone') return false
  return !/^(node|identity|schema|replica-set|session)\./.test(operation)
}

function bare({ token: _, ...options }: CallOptions): CallOptions {
  return options
}
