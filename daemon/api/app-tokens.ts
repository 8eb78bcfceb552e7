import { equalBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import { verifyAppGrant } from '../../protocol/api/app-token.ts'
import type { SignedAppGrant } from '../../protocol/api/app-token.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { Clock, Random } from '../../protocol/ports.ts'
import { bytes, decodeAs, nullable, struct, uint } from '../../protocol/shape.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { Store } from '../../storage/types.ts'
import { serverLimits } from './limits.ts'
import type { Caller } from './operations.ts'

export interface AppTokenPorts {
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly random: Random
  readonly store: Store
  /** This node's key. */
  readonly node: Uint8Array
  /** Throws unless the device is one of the identity's owners, now. Asked at every call; answer from memory. */
  readonly admitOwner: (owner: IdentityId, device: DeviceKey) => void
}

export interface AppToken {
  readonly grant: SignedAppGrant
  readonly grantedMs: number
  readonly revokedMs: number | undefined
  /** Since the node started. */
  readonly usedMs: number | undefined
}

export interface ListedToken extends AppToken {
  /** What its app gets now though nobody revoked it, as when the device that granted it is revoked. */
  readonly refused: ErrorCode | undefined
}

const kind = 'app-token'
const shape = struct({
  tokenHash: bytes(32),
  grant: bytes(1, apiLimits.tokenGrantBytesMax + 128),
  grantedMs: uint(),
  revokedMs: nullable(uint()),
})

interface Kept extends AppToken {
  readonly key: Uint8Array
  /** Of the token's hex digits. The token itself is nowhere. */
  readonly tokenHash: Uint8Array
  readonly packed: Uint8Array
}

/**
 * Tokens that people granted to apps. All in memory, asked at every request, and on disk, so that a restart ends none.
 * Revoked ones are kept until they would have expired: their grants must not be handed in again, and their apps are told.
 */
export class AppTokens {
  readonly #ports: AppTokenPorts
  readonly #byHash = new Map<string, Kept>()
  readonly #byKey = new Map<string, Kept>()
  readonly #listeners = new Set<(owner: IdentityId) => void>()

  private constructor(ports: AppTokenPorts) {
    this.#ports = ports
  }

  static async open(ports: AppTokenPorts): Promise<AppTokens> {
    const tokens = new AppTokens(ports)
    let after: Uint8Array | undefined
    do {
      const page = await ports.store.documents.list(kind, { ...(after && { gt: after }), limit: 1_000 })
      for (const { key, bytes: stored } of page) {
        const { grant: packed, revokedMs, ...rest } = decodeAs(shape, stored, kind)
        const grant = verifyAppGrant(ports.crypto, packed)
        if (grant === undefined) throw new OnehopError('STORE_CORRUPT', 'a grant in the store is not signed')
        tokens.#keep({ ...rest, key, packed, grant, revokedMs, usedMs: undefined })
      }
      after = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (after !== undefined)
    return tokens
  }

  /** The token for the app. Throws BAD_SIGNATURE, FORBIDDEN, EXPIRED, BAD_REQUEST, BUSY, and what `admitOwner` throws. */
  async grant(
    packed: Uint8Array,
    /** Throws unless whoever hands the grant in may do so for this identity. */
    authorise: (identity: IdentityId) => void,
  ): Promise<{ token: Uint8Array; grant: SignedAppGrant }> {
    const { crypto, clock, random, node, admitOwner } = this.#ports
    const grant = verifyAppGrant(crypto, packed)
    if (grant === undefined) throw new OnehopError('BAD_SIGNATURE', 'the device did not sign this grant')
    authorise(grant.identity)
    if (!equalBytes(grant.node, node)) throw new OnehopError('BAD_REQUEST', 'the grant is for another node')
    const nowMs = clock.nowMs()
    if (grant.expiresMs <= nowMs) throw new OnehopError('EXPIRED', 'the grant is over its time')
    if (grant.expiresMs > nowMs + serverLimits.appTokenLifetimeMsMax)
      throw new OnehopError('BAD_REQUEST', 'a grant lasts 90 days at most')
    admitOwner(grant.identity, grant.device)
    await this.#dropExpired(nowMs)
    const key = keyOf(grant.identity, grant.id)
    if (this.#byKey.has(toHex(key))) throw new OnehopError('BAD_REQUEST', 'this grant was handed in already')
    if (this.#of(grant.identity).length >= serverLimits.appTokensPerIdentityMax)
      throw new OnehopError('BAD_REQUEST', 'a person has 256 tokens at a node at most', {
        help: 'Revoked ones count until they would have expired; grant for a shorter time.',
      })
    if (this.#byKey.size >= serverLimits.appTokensMax)
      throw new OnehopError('BUSY', 'this node keeps no more tokens')
    const token = random.bytes(32)
    const kept: Kept = {
      key,
      tokenHash: this.#hash(toHex(token)),
      packed,
      grant,
      grantedMs: nowMs,
      revokedMs: undefined,
      usedMs: undefined,
    }
    this.#keep(kept)
    try {
      await this.#write(kept)
    } catch (cause) {
      this.#forget(kept)
      throw cause
    }
    return { token, grant }
  }

  /** Newest first; of everybody when no owner is named. */
  list(owner: IdentityId | undefined): readonly ListedToken[] {
    const found = owner === undefined ? [...this.#byKey.values()] : this.#of(owner)
    return found
      .filter(({ grant }) => grant.expiresMs > this.#ports.clock.nowMs())
      .toSorted((a, b) => b.grantedMs - a.grantedMs)
      .map((token) => ({ ...token, refused: this.#refusalOf(token) }))
  }

  /** False for one that is not there, or no longer. It ends in memory first: a disk that fails must not keep it alive. */
  async revoke(owner: IdentityId, id: Uint8Array): Promise<boolean> {
    const found = this.#byKey.get(toHex(keyOf(owner, id)))
    if (found === undefined || found.revokedMs !== undefined) return false
    const revoked = { ...found, revokedMs: this.#ports.clock.nowMs() }
    this.#keep(revoked)
    for (const listener of this.#listeners) listener(owner)
    await this.#write(revoked)
    return true
  }

  /** Calls back with whose token was revoked; returns the way to stop. */
  onRevoked(listener: (owner: IdentityId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Who brings this token; undefined when it is none of these. `origin` as the request has it. Throws UNAUTHENTICATED
   * for one that is over or revoked, FORBIDDEN for pages of another site, and what `admitOwner` throws.
   */
  find(token: string, origin: string | undefined): Extract<Caller, { kind: 'app' }> | undefined {
    const found = this.#byHash.get(toHex(this.#hash(token)))
    if (found === undefined) return undefined
    const { grant, revokedMs } = found
    const nowMs = this.#ports.clock.nowMs()
    if (revokedMs !== undefined) throw over('this token was revoked')
    if (grant.expiresMs <= nowMs) throw over('this token is over its time')
    if (origin !== undefined && grant.origin !== undefined && origin !== grant.origin)
      throw new OnehopError('FORBIDDEN', `this token is for pages of ${grant.origin}`)
    this.#ports.admitOwner(grant.identity, grant.device)
    this.#keep({ ...found, usedMs: nowMs })
    return { kind: 'app', owner: grant.identity, device: grant.device, grant }
  }

  /** Whether somebody granted pages of this site a token that is still good. */
  admitsOrigin(origin: string): boolean {
    const nowMs = this.#ports.clock.nowMs()
    for (const { grant, revokedMs } of this.#byKey.values())
      if (grant.origin === origin && revokedMs === undefined && grant.expiresMs > nowMs) return true
    return false
  }

  /** Asked anew each time: a revocation of the device may be undone by the log, and then the token is good again. */
  #refusalOf({ grant }: AppToken): ErrorCode | undefined {
    try {
      this.#ports.admitOwner(grant.identity, grant.device)
      return undefined
    } catch (cause) {
      return asOnehopError(cause).code
    }
  }

  #of(owner: IdentityId): Kept[] {
    return [...this.#byKey.values()].filter(({ grant }) => equalBytes(grant.identity, owner))
  }

  #hash(token: string): Uint8Array {
    return this.#ports.crypto.sha256(utf8(token))
  }

  #keep(kept: Kept): void {
    this.#byHash.set(toHex(kept.tokenHash), kept)
    this.#byKey.set(toHex(kept.key), kept)
  }

  #forget({ tokenHash, key }: Kept): void {
    this.#byHash.delete(toHex(tokenHash))
    this.#byKey.delete(toHex(key))
  }

  async #write({ key, tokenHash, packed, grantedMs, revokedMs }: Kept): Promise<void> {
    await this.#ports.store.documents.put(
      kind,
      key,
      encode([tokenHash, packed, grantedMs, revokedMs ?? null]),
    )
  }

  async #dropExpired(nowMs: number): Promise<void> {
    const over = [...this.#byKey.values()].filter(({ grant }) => grant.expiresMs <= nowMs)
    for (const kept of over) {
      this.#forget(kept)
      await this.#ports.store.documents.delete(kind, kept.key)
    }
  }
}

function keyOf(owner: IdentityId, id: Uint8Array): Uint8Array {
  const key = new Uint8Array(64)
  key.set(owner)
  key.set(id, 32)
  return key
}

function over(message: string): OnehopError {
  return new OnehopError('UNAUTHENTICATED', message, { help: 'Ask the person for another one.' })
}
