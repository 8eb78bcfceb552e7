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
import type { Clock } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'

const granted = 'lease-granted'

export interface LeasesParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly store: Store
  readonly hosting: Hosting
  readonly seed: Uint8Array
  readonly config: Config['hosting']
}

/** Promises of bytes and time: those that this node gives, and those that it asks of others. */
export class Leases {
  readonly #parts: LeasesParts
  /** Promised in this run and not yet taken up, so that two askers are not promised the same bytes. */
  #promisedBytes = 0

  constructor(parts: LeasesParts) {
    this.#parts = parts
    parts.rpc.handle('shard/lease', async ({ from, body }) =>
      encodeLeases(await this.#grant(from, decodeLeaseAsks(body))),
    )
  }

  /** What this node would still promise to that one. */
  offeredBytes(to: NodeId): number {
    const { offerTo, offerBytes } = this.#parts.config
    const willing = offerTo === 'anyone' || (offerTo !== 'nobody' && offerTo.includes(to))
    return willing ? Math.max(0, offerBytes - this.#parts.hosting.leasedBytes() - this.#promisedBytes) : 0
  }

  /** The lease that this node gave for a shard and that has not run out. */
  granted(owner: IdentityId): SignedLease | undefined {
    const bytes = this.#parts.store.documents.get(granted, owner)
    const lease = bytes && verifyLease(this.#parts.crypto, bytes)
    return lease && lease.expiresMs > this.#parts.clock.nowMs() ? lease : undefined
  }

  /** The promise became a shard: its bytes are counted as leased from now on. */
  taken(lease: SignedLease): void {
    this.#promisedBytes = Math.max(0, this.#promisedBytes - lease.bytes)
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
    const { crypto, clock, store, seed, config } = this.#parts
    const expiresMs = clock.nowMs() + config.leaseMs
    const leases = asks.map((ask) => {
      if (ask.bytes > config.leaseBytes || this.offeredBytes(to) < ask.bytes) return undefined
      this.#promisedBytes += ask.bytes
      return signLease(
        crypto,
        {
          host: fromHex(this.#parts.rpc.self, 32) as Uint8Array,
          owner: ask.owner,
          shard: ask.shard,
          home: fromHex(to, 32) as Uint8Array,
          bytes: ask.bytes,
          largestRecordBytes: limits.recordBytesMax,
          expiresMs,
        },
        seed,
      )
    })
    // On disk before it is given away: a host that restarts keeps its word.
    await store.write((batch) => {
      for (const [i, lease] of leases.entries()) {
        if (lease !== undefined) store.documents.putIn(batch, granted, (asks[i] as LeaseAsk).owner, lease)
      }
    })
    return leases
  }
}
