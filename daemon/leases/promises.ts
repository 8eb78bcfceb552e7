import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { Store, StoreBatch } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'

const kind = 'lease-promised'
const shape = struct({ bytes: uint(), untilMs: uint() })

/** A promise that no replica set named so long after is withdrawn: its bytes are free again. */
const takeUpMs = 3_600_000

export interface PromisesParts {
  readonly store: Store
  readonly clock: Clock
  readonly log: Log
  readonly hosting: Pick<Hosting, 'has'>
}

interface Promised {
  readonly owner: IdentityId
  readonly bytes: number
  /** By the monotonic clock. */
  readonly untilMs: number
}

/**
 * Bytes that were promised for a shard and not yet taken up, so that two askers are not promised the same. On disk beside
 * the lease: a node that starts again still owes what it signed.
 */
export class Promises {
  readonly #parts: PromisesParts
  /** Oldest first. */
  readonly #byOwner = new Map<string, Promised>()
  #bytes = 0

  private constructor(parts: PromisesParts) {
    this.#parts = parts
  }

  static async open(parts: PromisesParts): Promise<Promises> {
    const { store, clock, hosting } = parts
    const promises = new Promises(parts)
    const found: Promised[] = []
    const taken: IdentityId[] = []
    let after: Uint8Array | undefined
    do {
      const page = await store.documents.list(kind, { ...(after && { gt: after }), limit: 1_000 })
      for (const { key: owner, bytes: stored } of page) {
        const { bytes, untilMs } = decodeAs(shape, stored, kind)
        // A clock that was set back meanwhile makes no promise last longer than a new one.
        const leftMs = Math.min(Math.max(0, untilMs - clock.nowMs()), takeUpMs)
        if (hosting.has(owner)) taken.push(owner)
        else found.push({ owner, bytes, untilMs: clock.monotonicMs() + leftMs })
      }
      after = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (after !== undefined)
    for (const promised of found.toSorted((a, b) => a.untilMs - b.untilMs)) promises.#keep(promised)
    promises.#erase(taken)
    return promises
  }

  get size(): number {
    return this.#byOwner.size
  }

  /** All of them together. */
  get bytes(): number {
    return this.#bytes
  }

  of(owner: IdentityId): number | undefined {
    return this.#byOwner.get(toHex(owner))?.bytes
  }

  /** In place of what was promised for the shard before. `stage` puts it on disk. */
  add(owner: IdentityId, bytes: number): void {
    this.#drop(owner)
    this.#keep({ owner, bytes, untilMs: this.#parts.clock.monotonicMs() + takeUpMs })
  }

  stage(batch: StoreBatch, owner: IdentityId): void {
    const bytes = this.of(owner)
    if (bytes === undefined) return
    const { store, clock } = this.#parts
    store.documents.putIn(batch, kind, owner, encode([bytes, Math.floor(clock.nowMs()) + takeUpMs]))
  }

  /** It became a shard. One whose erasure a crash prevents is erased at the next start. */
  taken(owner: IdentityId): void {
    if (this.#drop(owner)) this.#erase([owner])
  }

  /** Owners of those that were never taken up; they are forgotten here, and on disk within the batch of `unstage`. */
  dropLapsed(): readonly IdentityId[] {
    const lapsed: IdentityId[] = []
    for (const { owner, untilMs } of this.#byOwner.values()) {
      if (untilMs > this.#parts.clock.monotonicMs()) break
      lapsed.push(owner)
    }
    for (const owner of lapsed) this.#drop(owner)
    return lapsed
  }

  unstage(batch: StoreBatch, owner: IdentityId): void {
    this.#parts.store.documents.deleteIn(batch, kind, owner)
  }

  #keep(promised: Promised): void {
    this.#byOwner.set(toHex(promised.owner), promised)
    this.#bytes += promised.bytes
  }

  #drop(owner: IdentityId): boolean {
    this.#bytes -= this.of(owner) ?? 0
    return this.#byOwner.delete(toHex(owner))
  }

  #erase(owners: readonly IdentityId[]): void {
    if (owners.length === 0) return
    const { store, log } = this.#parts
    const erased = store.write((batch) => {
      for (const owner of owners) this.unstage(batch, owner)
    })
    erased.catch((error: unknown) => log.warn('lease.not-erased', { error: String(error) }))
  }
}
