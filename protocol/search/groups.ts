import { scopeWithin } from './scope-path.ts'

interface Group {
  readonly app: string
  readonly collection: string
  readonly scope: string
  /** By the lowest height of their layers: documents that are first seen from that depth on. */
  readonly documents: number[]
  /** By height: sum of the layers' lengths. */
  readonly lengths: number[]
}

interface Filter {
  readonly app: string
  readonly collection: string | undefined
  readonly scope: string
}

const heights = 32

/** Documents of one app, collection and scope are counted together, so that totals need no walk over documents. */
export class DocumentGroups {
  readonly #groups: Group[] = []
  readonly #byName = new Map<string, number>()
  /** Filters as lookup tables by group; made anew when a group is added. */
  readonly #tables = new Map<string, Uint8Array>()

  of(document: { readonly app: string; readonly collection: string; readonly scope: string }): number {
    const { app, collection, scope } = document
    const name = JSON.stringify([app, collection, scope])
    let number = this.#byName.get(name)
    if (number === undefined) {
      number = this.#groups.length
      const zeros = () => Array.from({ length: heights }, () => 0)
      this.#groups.push({ app, collection, scope, documents: zeros(), lengths: zeros() })
      this.#byName.set(name, number)
      this.#tables.clear()
    }
    return number
  }

  /** `sign` is 1 for a document that comes and -1 for one that goes. */
  add(
    group: number,
    layers: readonly { readonly height: number; readonly length: number }[],
    sign: 1 | -1,
  ): void {
    const { documents, lengths } = this.#groups[group] as Group
    const lowest = layers[0]
    if (lowest === undefined) return
    documents[lowest.height] = (documents[lowest.height] as number) + sign
    for (const { height, length } of layers) lengths[height] = (lengths[height] as number) + sign * length
  }

  /** One byte a group: 1 when the filter admits its documents. */
  matching({ app, collection, scope }: Filter): Uint8Array {
    const name = JSON.stringify([app, collection ?? null, scope])
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = Uint8Array.from(this.#groups, (group) =>
        group.app === app &&
        (collection === undefined || group.collection === collection) &&
        scopeWithin(group.scope, scope)
          ? 1
          : 0,
      )
      // Strangers choose the filters.
      if (this.#tables.size === 256) this.#tables.clear()
      this.#tables.set(name, table)
    }
    return table
  }

  totals(admitted: Uint8Array, depth: number): { documents: number; totalLength: number } {
    let documents = 0
    let totalLength = 0
    for (const [number, group] of this.#groups.entries()) {
      if (admitted[number] === 0) continue
      for (let height = 0; height <= depth && height < heights; height++) {
        documents += group.documents[height] as number
        totalLength += group.lengths[height] as number
      }
    }
    return { documents, totalLength }
  }
}
