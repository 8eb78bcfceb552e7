import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { fingerprintOf } from '../../protocol/reconcile/fingerprint.ts'
import { setBelow, type ReconcileSet } from '../../protocol/reconcile/set.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { RefOrder, Store } from '../../storage/types.ts'

/** Of all that a shard holds below a bound. */
export interface Digest {
  readonly fingerprint: Uint8Array
  /** Where the arrival log stood, when nothing in it lies above the bound. */
  readonly logHead: number | undefined
}

/** What a shard holds, in the form that reconciliation compares: a few pages of the store, however much it is. */
export class Digests {
  readonly #store: Store
  readonly #crypto: CryptoProvider

  constructor(store: Store, crypto: CryptoProvider) {
    this.#store = store
    this.#crypto = crypto
  }

  /** Every record of the shard with a clock below the bound, as of the moment at which `read` runs. */
  over<T>(owner: IdentityId, until: bigint, read: (set: ReconcileSet) => T): Promise<T> {
    return this.#store.records.inOrder(owner, (order) => read(setBelow(this.#setOf(order), until)))
  }

  of(owner: IdentityId, until: bigint): Promise<Digest> {
    return this.#store.records.inOrder(owner, (order, logHead) => {
      const set = setBelow(this.#setOf(order), until)
      const isAll = set.size === order.size
      return { fingerprint: set.fingerprint(0, set.size), logHead: isAll ? logHead : undefined }
    })
  }

  #setOf(order: RefOrder): ReconcileSet {
    const { sha256 } = this.#crypto
    return {
      size: order.size,
      at: (index) => order.at(index),
      lowerBound: (bound) => order.lowerBound(bound),
      fingerprint: (from, to) => fingerprintOf(order.sum(from, to), to - from, sha256),
    }
  }
}
