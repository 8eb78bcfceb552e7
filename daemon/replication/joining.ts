import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { array, bytes, decodeAs } from '../../protocol/shape.ts'
import type { Store } from '../../storage/types.ts'
import { wholeKind, type Hosting } from '../hosting.ts'
import type { NodeId } from '../net/rpc.ts'

/** By owner: who held the shard before its home was here, and is to bring the records. */
const kind = 'brought-by'
const shape = array(bytes(32), limits.replicaSetMembersMax)

interface Joined {
  readonly owner: IdentityId
  /** Of a new home, which leads and so has no better copy to ask for by its seat. */
  readonly sources: readonly NodeId[]
}

/** Shards that joined and were not yet found equal to another copy; over a restart, too. */
export class Joining {
  readonly #store: Store
  readonly #joined = new Map<string, Joined>()

  constructor({ store, hosting }: { store: Store; hosting: Pick<Hosting, 'list'> }) {
    this.#store = store
    for (const { owner, person } of hosting.list()) {
      const noted = store.documents.get(kind, owner)
      // A home has all that is written there, save what it had to be brought when its person came to live there.
      const isWhole = person ? noted === undefined : store.documents.get(wholeKind, owner) !== undefined
      const sources = noted === undefined ? [] : decodeAs(shape, noted, kind).map(toHex)
      if (!isWhole) this.#joined.set(toHex(owner), { owner, sources })
    }
  }

  get owners(): readonly IdentityId[] {
    return [...this.#joined.values()].map(({ owner }) => owner)
  }

  has(owner: IdentityId): boolean {
    return this.#joined.has(toHex(owner))
  }

  sourcesOf(owner: IdentityId): readonly NodeId[] {
    return this.#joined.get(toHex(owner))?.sources ?? []
  }

  add(owner: IdentityId, sources: readonly NodeId[]): void {
    this.#joined.set(toHex(owner), { owner, sources })
  }

  /** What a new home was not brought yet nobody would bring any more after a restart, were it not noted. */
  async note(owner: IdentityId, sources: readonly NodeId[]): Promise<void> {
    await this.#store.documents.put(kind, owner, encode(sources.map((node) => fromHex(node, 32))))
  }

  /** On disk first: a copy that was still filling when the power went is not announced. Answers those that had joined. */
  async complete(owners: readonly IdentityId[]): Promise<readonly IdentityId[]> {
    const { documents } = this.#store
    await this.#store.write((batch) => {
      for (const owner of owners) {
        documents.putIn(batch, wholeKind, owner, new Uint8Array(0))
        documents.deleteIn(batch, kind, owner)
      }
    })
    return owners.filter((owner) => this.#joined.delete(toHex(owner)))
  }
}
