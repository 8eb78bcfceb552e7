import { toHex } from '../../protocol/bytes.ts'
import { compareVersions, isTombstone, itemKey } from '../../protocol/record/merge.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'

export interface Issued {
  readonly name: string
  readonly owner: string
  readonly item: string
  readonly collection: string
  readonly key: Uint8Array
  readonly record: SignedRecord
  /** Nodes that said: it is on my disk. */
  readonly acknowledgedBy: Set<number>
}

/** The plain model: what clients wrote, who acknowledged it, and what each item must then show. */
export class History {
  readonly #issued = new Map<string, Issued>()
  readonly #byOwner = new Map<string, Issued[]>()
  /** Acknowledged by nodes that are gone for good, before anybody else had them. */
  readonly #exempt = new Set<string>()

  issue(record: SignedRecord): Issued {
    const key = itemKey(record)
    const owner = toHex(record.header.owner)
    const { collection } = record.header
    const issued: Issued = {
      name: toHex(record.id),
      owner,
      item: `${owner} ${collection} ${toHex(key)}`,
      collection,
      key,
      record,
      acknowledgedBy: new Set(),
    }
    this.#issued.set(issued.name, issued)
    const earlier = this.#byOwner.get(owner)
    if (earlier === undefined) this.#byOwner.set(owner, [issued])
    else earlier.push(issued)
    return issued
  }

  get(name: string): Issued | undefined {
    return this.#issued.get(name)
  }

  of(owner: string): readonly Issued[] {
    return this.#byOwner.get(owner) ?? []
  }

  exempt(name: string): void {
    this.#exempt.add(name)
  }

  isExempt({ name }: Issued): boolean {
    return this.#exempt.has(name)
  }

  /** What must be on every holder in the end. */
  acknowledged(owner: string): Issued[] {
    return this.of(owner).filter(
      ({ name, acknowledgedBy }) => acknowledgedBy.size > 0 && !this.#exempt.has(name),
    )
  }

  /** The item's winner among the records that are held, by nothing but a comparison of all of them. */
  winners(
    owner: string,
    held: ReadonlySet<string>,
  ): Map<string, { readonly name: string; readonly deleted: boolean }> {
    const best = new Map<string, Issued>()
    for (const issued of this.of(owner)) {
      if (!held.has(issued.name)) continue
      const other = best.get(issued.item)
      if (other === undefined || compareVersions(issued.record, other.record) > 0)
        best.set(issued.item, issued)
    }
    return new Map(
      [...best].map(([item, { name, record }]) => [item, { name, deleted: isTombstone(record) }]),
    )
  }
}
