import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { readLease, type SignedLease } from '../../protocol/placement/lease.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId } from '../net/rpc.ts'

/** Signed leases by owner; whoever asked for one is in it. */
export const grantedKind = 'lease-granted'

/** Undefined for one of a form that no release has any more: it is given anew when it is asked for. */
export function readGranted(bytes: Uint8Array): SignedLease | undefined {
  try {
    return readLease(bytes)
  } catch (cause) {
    if (asOnehopError(cause).code !== 'BAD_MESSAGE') throw cause
    return undefined
  }
}

export interface LedgerParts {
  readonly store: Pick<Store, 'documents'>
  readonly hosting: Pick<Hosting, 'get' | 'onRemoved'>
}

export interface Entry {
  readonly home: NodeId
  readonly bytes: number
}

/** How many bytes are reserved here for shards that each neighbour brought. Counted anew at each start, from the leases themselves. */
export class Ledger {
  readonly #entries = new Map<string, Entry>()
  readonly #byHome = new Map<NodeId, number>()

  private constructor(hosting: Pick<Hosting, 'onRemoved'>) {
    hosting.onRemoved((owner) => this.ended(owner))
  }

  static async open({ store, hosting }: LedgerParts): Promise<Ledger> {
    const ledger = new Ledger(hosting)
    let after: Uint8Array | undefined
    do {
      const page = await store.documents.list(grantedKind, { ...(after && { gt: after }), limit: 1_000 })
      for (const { key: owner, bytes } of page) {
        const lease = readGranted(bytes)
        const hosted = hosting.get(owner)
        // Of a person who lives here nothing is reserved for others; of a shard that went nothing is left.
        if (lease === undefined || hosted?.person === true) continue
        const isPromised = store.documents.get('lease-promised', owner) !== undefined
        if (hosted !== undefined || isPromised) ledger.gave(owner, toHex(lease.home), lease.bytes)
      }
      after = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (after !== undefined)
    return ledger
  }

  /** By neighbour. */
  given(): ReadonlyMap<NodeId, number> {
    return this.#byHome
  }

  givenTo(home: NodeId): number {
    return this.#byHome.get(home) ?? 0
  }

  has(owner: IdentityId): boolean {
    return this.#entries.has(toHex(owner))
  }

  /** By owner. */
  entries(): ReadonlyMap<string, Entry> {
    return this.#entries
  }

  /** Owners of the shards that are kept for this one. */
  shardsOf(home: NodeId): readonly string[] {
    return [...this.#entries].filter(([, entry]) => entry.home === home).map(([owner]) => owner)
  }

  gave(owner: IdentityId, home: NodeId, bytes: number): void {
    this.ended(owner)
    this.#entries.set(toHex(owner), { home, bytes })
    this.#byHome.set(home, this.givenTo(home) + bytes)
  }

  ended(owner: IdentityId): void {
    const name = toHex(owner)
    const entry = this.#entries.get(name)
    if (entry === undefined) return
    this.#entries.delete(name)
    const left = this.givenTo(entry.home) - entry.bytes
    if (left > 0) this.#byHome.set(entry.home, left)
    else this.#byHome.delete(entry.home)
  }
}
