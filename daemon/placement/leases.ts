import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import { signLease, verifyLease, type SignedLease } from '../../protocol/placement/lease.ts'
import {
  decodeLeaseAsks,
  decodeLeases,
  encodeLeaseAsks,
  encodeLeases,
  type LeaseAsk,
} from '../../protocol/placement/messages.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import { Promises } from './promises.ts'

const granted = 'lease-granted'
/** Leases of our own kept in the form that is asked for again and again while a shard arrives. */
const keptMax = 4_096

/** Promises that wait to be taken up: an import of ten thousand people fits. */
const promisesMax = 16_384

export interface LeasesParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly hosting: Hosting
  readonly seed: Uint8Array
  readonly config: Config['hosting']
}

/** Promises of bytes and time: those that this node gives, and those that it asks of others. */
export class Leases {
  readonly #parts: LeasesParts
  readonly #promises: Promises
  readonly #kept = new Map<string, SignedLease>()

  private constructor(parts: LeasesParts, promises: Promises) {
    this.#parts = parts
    this.#promises = promises
    parts.rpc.handle('shard/lease', async ({ from, body }) =>
      encodeLeases(await this.#grant(from, decodeLeaseAsks(body))),
    )
  }

  static async open(parts: LeasesParts): Promise<Leases> {
    return new Leases(parts, await Promises.open(parts))
  }

  /** What this node would still promise to that one. */
  offeredBytes(to: NodeId): number {
    const { offerBytes } = this.#parts.config
    this.#dropLapsed()
    return this.#isInvited(to)
      ? Math.max(0, offerBytes - this.#parts.hosting.leasedBytes() - this.#promises.bytes)
      : 0
  }

  #isInvited(node: NodeId): boolean {
    const { offerTo } = this.#parts.config
    return offerTo === 'anyone' || (offerTo !== 'nobody' && offerTo.includes(node))
  }

  /** The lease that this node gave for a shard and that has not run out. */
  granted(owner: IdentityId): SignedLease | undefined {
    const name = toHex(owner)
    const lease = this.#kept.get(name) ?? this.#stored(owner)
    if (lease === undefined || lease.expiresMs <= this.#parts.clock.nowMs()) return undefined
    this.#kept.delete(name)
    this.#kept.set(name, lease)
    if (this.#kept.size > keptMax) this.#kept.delete(this.#kept.keys().next().value as string)
    return lease
  }

  #stored(owner: IdentityId): SignedLease | undefined {
    const bytes = this.#parts.store.documents.get(granted, owner)
    return bytes && verifyLease(this.#parts.crypto, bytes)
  }

  /** The promise became a shard: its bytes are counted as leased from now on. */
  taken(lease: SignedLease): void {
    this.#promises.taken(lease.owner)
  }

  /** One answer per ask, in order; undefined where the host refused or signed something else. */
  async ask(
    host: NodeId,
    asks: readonly LeaseAsk[],
    signal: AbortSignal,
  ): Promise<(Uint8Array | undefined)[]> {
    const leases: (Uint8Array | undefined)[] = []
    for (let start = 0; start < asks.length; start += limits.placementShardsMax) {
      const part = asks.slice(start, start + limits.placementShardsMax)
      const reply = await this.#parts.rpc.request(host, 'shard/lease', encodeLeaseAsks(part), { signal })
      const answers = decodeLeases(reply)
      leases.push(...part.map((ask, i) => this.#check(host, ask, answers[i])))
    }
    return leases
  }

  #check(host: NodeId, ask: LeaseAsk, packed: Uint8Array | undefined): Uint8Array | undefined {
    const lease = packed && verifyLease(this.#parts.crypto, packed)
    const fits =
      lease !== undefined &&
      toHex(lease.host) === host &&
      equalBytes(lease.owner, ask.owner) &&
      equalBytes(lease.shard, ask.shard) &&
      lease.bytes >= ask.bytes
    return fits ? packed : undefined
  }

  async #grant(to: NodeId, asks: readonly LeaseAsk[]): Promise<(Uint8Array | undefined)[]> {
    const { store } = this.#parts
    const leases = asks.map((ask) => (this.#mayPromise(to, ask) ? this.#promise(to, ask) : undefined))
    // On disk before it is given away: a host that restarts keeps its word.
    await store.write((batch) => {
      for (const [i, lease] of leases.entries()) {
        if (lease === undefined) continue
        const { owner } = asks[i] as LeaseAsk
        store.documents.putIn(batch, granted, owner, lease)
        this.#promises.stage(batch, owner)
        this.#kept.delete(toHex(owner))
      }
    })
    return leases
  }

  /** What is promised or leased for a shard already: asked again, as a repair does until it succeeds, it is meant. */
  #counted({ owner }: LeaseAsk): number {
    // Who lives here and comes to live elsewhere, too: their next home may get the records from nobody else.
    return this.#promises.of(owner) ?? this.#parts.hosting.get(owner)?.quotaBytes ?? 0
  }

  #mayPromise(to: NodeId, ask: LeaseAsk): boolean {
    const { config, hosting } = this.#parts
    const counted = this.#counted(ask)
    const offered = this.offeredBytes(to)
    // What waits to be taken up is between this node and whom it invited; a shard that is held may get another home.
    const mayRenew = counted > 0 && (this.#isInvited(to) || hosting.has(ask.owner))
    if (offered === 0 && !mayRenew) return false
    return (
      ask.bytes > 0 &&
      ask.bytes <= config.leaseBytes &&
      ask.bytes <= offered + counted &&
      this.#promises.size < promisesMax
    )
  }

  #promise(to: NodeId, ask: LeaseAsk): Uint8Array {
    const { clock, config, crypto, hosting, rpc, seed } = this.#parts
    // Never less than before: else whoever asks for one byte leaves the shard without room for its records.
    const bytes = Math.max(ask.bytes, this.#counted(ask))
    if (!hosting.has(ask.owner)) this.#promises.add(ask.owner, bytes)
    const lease = {
      host: fromHex(rpc.self, 32) as Uint8Array,
      owner: ask.owner,
      shard: ask.shard,
      home: fromHex(to, 32) as Uint8Array,
      bytes,
      largestRecordBytes: limits.recordBytesMax,
      expiresMs: clock.nowMs() + config.leaseMs,
    }
    return signLease(crypto, lease, seed)
  }

  /** Withdraws what was never taken up, or strangers who ask and never come would fill the disk with promises. */
  #dropLapsed(): void {
    const { store } = this.#parts
    const lapsed = this.#promises.dropLapsed()
    if (lapsed.length === 0) return
    const withdrawn = store.write((batch) => {
      for (const owner of lapsed) {
        store.documents.deleteIn(batch, granted, owner)
        this.#promises.unstage(batch, owner)
      }
    })
    withdrawn.catch((error: unknown) => this.#parts.log.warn('lease.not-withdrawn', { error: String(error) }))
  }
}
