/**
 * Sessions live in memory: a restart ends them all, and devices open new ones without asking anybody.
 */
import { concatBytes, equalBytes, fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock, Random } from '../../protocol/ports.ts'
import { verifySession } from '../../protocol/api/session.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import { serverLimits } from './limits.ts'
import type { Operations } from './operations.ts'

export type Admitted = 'resident' | 'visitor'

export interface SessionPorts {
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly random: Random
  /** This node's key. */
  readonly node: Uint8Array
  /**
   * Throws unless the device belongs to the identity, now: UNKNOWN_IDENTITY, FORBIDDEN, REVOKED. Asked again at every
   * call, so that a revocation ends sessions at once; answer from memory. Who lives here has room that no visitor takes.
   */
  readonly admit: (owner: IdentityId, device: DeviceKey) => Admitted
}

interface Session {
  readonly owner: IdentityId
  readonly device: DeviceKey
  readonly endsMs: number
}

export interface Sessions {
  /** A session of a device that has just proven itself in another way. Throws BUSY. */
  begin(owner: IdentityId, device: DeviceKey): Uint8Array
  /** The session of a token; undefined when it ended or never was. Throws what `admit` throws. */
  find(token: string): { readonly owner: IdentityId; readonly device: DeviceKey } | undefined
  readonly operations: Pick<Operations, 'session.challenge' | 'session.open' | 'session.close'>
}

export function createSessions(ports: SessionPorts): Sessions {
  const { crypto, clock, random, node } = ports
  const challengeKey = random.bytes(32)
  /** By hash of the token: how long a look-up takes tells nothing about any token. */
  const sessions = new Map<string, Session>()
  const tokensOfDevice = new Map<string, Set<string>>()
  /** Oldest first. */
  const visitors = new Set<string>()
  const usedNonces = new Map<string, number>()
  let sweptMs = 0

  // The nonce carries its own proof, so that strangers who ask for challenges cost no memory.
  const nonceFor = (
    salt: Uint8Array,
    owner: Uint8Array,
    device: Uint8Array,
    expiresMs: number,
  ): Uint8Array => {
    const tag = crypto.hmacSha256(challengeKey, encode([salt, owner, device, expiresMs]))
    return concatBytes(salt, tag.subarray(0, 16))
  }

  const keyOf = (token: string): string => toHex(crypto.sha256(utf8(token)))

  const forget = (key: string): void => {
    const session = sessions.get(key)
    if (session === undefined) return
    sessions.delete(key)
    visitors.delete(key)
    const device = toHex(session.device)
    const tokens = tokensOfDevice.get(device)
    tokens?.delete(key)
    if (tokens?.size === 0) tokensOfDevice.delete(device)
  }

  const sweep = (): void => {
    const nowMs = clock.nowMs()
    sweptMs = clock.monotonicMs()
    for (const [nonce, expiresMs] of usedNonces) if (expiresMs < nowMs) usedNonces.delete(nonce)
    for (const [key, session] of sessions) if (session.endsMs <= sweptMs) forget(key)
  }

  const isFull = (of: Admitted): boolean =>
    sessions.size >= serverLimits.sessionsMax ||
    (of === 'visitor' && visitors.size >= serverLimits.visitorSessionsMax)

  const remember = (key: string, session: Session, as: Admitted): void => {
    if (isFull(as) || clock.monotonicMs() - sweptMs > serverLimits.challengeLifetimeMs) sweep()
    if (isFull(as)) throw new OnehopError('BUSY', 'too many sessions at once')
    const device = toHex(session.device)
    const tokens = tokensOfDevice.get(device) ?? new Set()
    // The oldest makes way: a client that forgot its tokens must not lock itself out.
    const [oldest] = tokens
    if (oldest !== undefined && tokens.size >= serverLimits.sessionsPerDeviceMax) forget(oldest)
    tokens.add(key)
    tokensOfDevice.set(device, tokens)
    sessions.set(key, session)
    if (as === 'visitor') visitors.add(key)
  }

  const begin: Sessions['begin'] = (owner, device) => {
    const token = random.bytes(32)
    const endsMs = clock.monotonicMs() + serverLimits.sessionLifetimeMs
    remember(keyOf(toHex(token)), { owner, device, endsMs }, ports.admit(owner, device))
    return token
  }

  return {
    begin,
    find(token) {
      if (fromHex(token, 32) === undefined) return undefined
      const session = sessions.get(keyOf(token))
      if (session === undefined || session.endsMs <= clock.monotonicMs()) return undefined
      ports.admit(session.owner, session.device)
      return { owner: session.owner, device: session.device }
    },
    operations: {
      async 'session.challenge'({ owner, device }) {
        const expiresMs = clock.nowMs() + serverLimits.challengeLifetimeMs
        return { node, nonce: nonceFor(random.bytes(16), owner, device, expiresMs), expiresMs }
      },
      async 'session.open'({ owner, device, nonce, expiresMs, signature }, call) {
        const ours = equalBytes(nonce, nonceFor(nonce.subarray(0, 16), owner, device, expiresMs))
        if (!ours) throw new OnehopError('UNAUTHENTICATED', 'this node gave no such challenge')
        if (clock.nowMs() > expiresMs) throw new OnehopError('EXPIRED', 'the challenge is over its time')
        if (usedNonces.has(toHex(nonce))) throw new OnehopError('UNAUTHENTICATED', 'the challenge was used')
        if (!verifySession(crypto, { node, nonce, owner, device, expiresMs }, signature)) {
          throw new OnehopError('BAD_SIGNATURE', 'the device did not sign this challenge')
        }
        const token = begin(owner, device)
        usedNonces.set(toHex(nonce), expiresMs)
        call.bind(toHex(token))
        return { token, lifetimeMs: serverLimits.sessionLifetimeMs }
      },
      async 'session.close'(_request, call) {
        if (call.token !== undefined) forget(keyOf(call.token))
        call.bind(undefined)
        return {}
      },
    },
  }
}
