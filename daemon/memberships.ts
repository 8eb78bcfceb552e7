import { concatBytes, emptyBytes, fromHex, toHex } from '../protocol/bytes.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Store, StoreBatch } from '../storage/types.ts'

/** Empty documents by person and group: whose logs a group's is read by. */
const kind = 'group-member'
const pageSize = 1_000

/** Which groups known here name a person, now or once. In memory too: every call of a member's session asks. */
export class Memberships {
  readonly #store: Pick<Store, 'documents'>
  readonly #groups = new Map<string, Set<string>>()

  constructor(store: Pick<Store, 'documents'>) {
    this.#store = store
  }

  /** What earlier runs of the node noted. */
  async load(): Promise<void> {
    let gt: Uint8Array | undefined
    do {
      const page = await this.#store.documents.list(kind, { ...(gt && { gt }), limit: pageSize })
      for (const { key } of page) this.#remember(key.slice(0, 32), key.slice(32))
      gt = page.length < pageSize ? undefined : page.at(-1)?.key
    } while (gt !== undefined)
  }

  noteIn(batch: StoreBatch, people: readonly IdentityId[], group: IdentityId): void {
    for (const person of people) {
      this.#store.documents.putIn(batch, kind, concatBytes(person, group), emptyBytes)
      this.#remember(person, group)
    }
  }

  groupsOf(person: IdentityId): IdentityId[] {
    return [...(this.#groups.get(toHex(person)) ?? [])].map((name) => fromHex(name) as IdentityId)
  }

  #remember(person: IdentityId, group: IdentityId): void {
    const name = toHex(person)
    const known = this.#groups.get(name)
    if (known === undefined) this.#groups.set(name, new Set([toHex(group)]))
    else known.add(toHex(group))
  }
}
