import { concatBytes, fromHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { readLease, type SignedLease } from '../../protocol/placement/lease.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { bytes, decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { Store } from '../../storage/types.ts'
import type { NodeId } from '../net/rpc.ts'

/** By owner and host. */
const kind = 'lease-taken'
const shape = struct({ packed: bytes(1, 1_024), takenMs: uint() })

export interface Taken {
  readonly lease: SignedLease
  readonly packed: Uint8Array
  /** By this node's clock, which the host's need not agree with. */
  readonly takenMs: number
}

/** What others promised to keep for shards that this node speaks for. */
export class TakenLeases {
  readonly #store: Pick<Store, 'documents' | 'write'>
  readonly #clock: Clock

  constructor(store: Pick<Store, 'documents' | 'write'>, clock: Clock) {
    this.#store = store
    this.#clock = clock
  }

  get(owner: IdentityId, host: NodeId): Taken | undefined {
    const stored = this.#store.documents.get(kind, keyOf(owner, host))
    if (stored === undefined) return undefined
    const { packed, takenMs } = decodeAs(shape, stored, kind)
    return { lease: readLease(packed), packed, takenMs }
  }

  /** In the order asked; what was refused changes nothing. */
  async keep(
    host: NodeId,
    asks: readonly { readonly owner: IdentityId }[],
    leases: readonly (Uint8Array | undefined)[],
  ): Promise<void> {
    const takenMs = Math.max(0, Math.floor(this.#clock.nowMs()))
    await this.#store.write((batch) => {
      for (const [i, { owner }] of asks.entries()) {
        const packed = leases[i]
        if (packed !== undefined)
          this.#store.documents.putIn(batch, kind, keyOf(owner, host), encode([packed, takenMs]))
      }
    })
  }
}

function keyOf(owner: IdentityId, host: NodeId): Uint8Array {
  return concatBytes(owner, fromHex(host, 32) as Uint8Array)
}
