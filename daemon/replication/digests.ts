import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { setBelow, type ReconcileSet } from '../../protocol/reconcile/set.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import { refAfter } from '../../storage/keys.ts'
import type { OrderRange, Store } from '../../storage/types.ts'
import { RunningSums } from './running-sums.ts'

/** Whole sets kept in memory, for the messages of one exchange. A set costs 41 bytes a record. */
const setsMax = 4
const pageRecords = 10_000

/** What a shard holds, in the form that reconciliation compares. */
export class Digests {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #sets = new Map<string, { logHead: number; set: ReconcileSet }>()
  readonly sums: RunningSums

  constructor(store: Store, crypto: CryptoProvider) {
    this.#store = store
    this.#crypto = crypto
    this.sums = new RunningSums(crypto.sha256)
  }

  /** Every record of the shard with a clock below the bound. A snapshot: later writes do not change it. */
  async set(owner: IdentityId, until: bigint): Promise<ReconcileSet> {
    const name = toHex(owner)
    const logHead = this.#store.records.logHead(owner)
    let kept = this.#sets.get(name)
    if (kept?.logHead !== logHead || kept.set.size !== this.#count(owner)) {
      kept = { logHead, set: reconcileVector(await this.#refs(owner), this.#crypto.sha256) }
      this.#sets.delete(name)
      this.#sets.set(name, kept)
      if (this.#sets.size > setsMax) this.#sets.delete(this.#sets.keys().next().value as string)
    }
    return setBelow(kept.set, until)
  }

  /** One fingerprint over the whole shard below the bound; the disk is read for the first, seldom later. */
  async fingerprint(owner: IdentityId, until: bigint): Promise<Uint8Array> {
    const logHead = this.#store.records.logHead(owner)
    const kept = this.sums.fingerprint(owner, { logHead, records: this.#count(owner) }, until)
    if (kept !== undefined) return kept
    const refs = await this.#refs(owner)
    // Writes that came in meanwhile may or may not be among them.
    if (this.#store.records.logHead(owner) === logHead) this.sums.begin(owner, logHead, refs)
    const below = setBelow(reconcileVector(refs, this.#crypto.sha256), until)
    return below.fingerprint(0, below.size)
  }

  /** True when the fingerprint below the bound was over everything up to this place of the arrival log. */
  covers(owner: IdentityId, logHead: number, until: bigint): boolean {
    return this.sums.covers(owner, logHead, until)
  }

  /** A version that was not shown is dropped without a word in the log: then there are fewer than were summed up. */
  #count(owner: IdentityId): number {
    return this.#store.shards.get(owner)?.records ?? 0
  }

  async #refs(owner: IdentityId): Promise<RecordRef[]> {
    const refs: RecordRef[] = []
    let range: OrderRange = { limit: pageRecords }
    for (;;) {
      const page = await this.#store.records.refs(owner, range)
      refs.push(...page)
      const last = page.at(-1)
      if (page.length < pageRecords || last === undefined) return refs
      range = { limit: pageRecords, from: refAfter(last) }
    }
  }
}
