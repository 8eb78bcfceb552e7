import { limits } from '../limits.ts'
import { scopeContains } from '../scope.ts'

interface Place {
  readonly app: string
  readonly collection: string
  readonly scope: string
}

interface Filter {
  readonly app: string
  readonly collection: string | undefined
  readonly scope: string
}

/** By height: documents whose lowest layer has it, and the length of all layers that have it. */
interface Counts {
  readonly documents: number[]
  readonly lengths: number[]
}

interface Group extends Place, Counts {}

/** A filter that was used lately: what it admits, kept up to date with every change. */
interface Table extends Counts {
  readonly filter: Filter
  /** One byte a group: 1 when the filter admits its documents. */
  admitted: Uint8Array
}

/** Strangers choose the filters; those of a page or a town come again and again. */
const tablesMax = 128

/** Documents of one app, collection and scope are counted together, so that totals need no walk over documents. */
export class DocumentGroups {
  readonly #groups: Group[] = []
  readonly #byName = new Map<string, number>()
  readonly #tables = new Map<string, Table>()

  of({ app, collection, scope }: Place): number {
    const name = JSON.stringify([app, collection, scope])
    const known = this.#byName.get(name)
    if (known !== undefined) return known
    const number = this.#groups.length
    const group: Group = { app, collection, scope, ...noCounts() }
    this.#groups.push(group)
    this.#byName.set(name, number)
    for (const table of this.#tables.values()) {
      if (number === table.admitted.length) {
        const grown = new Uint8Array(number * 2 + 16)
        grown.set(table.admitted)
        table.admitted = grown
      }
      table.admitted[number] = admits(table.filter, group) ? 1 : 0
    }
    return number
  }

  /** `sign` is 1 for a document that comes and -1 for one that goes; its layers ascend by height. */
  add(
    group: number,
    layers: readonly { readonly height: number; readonly length: number }[],
    sign: 1 | -1,
  ): void {
    count(this.#groups[group] as Group, layers, sign)
    for (const table of this.#tables.values()) {
      if (table.admitted[group] === 1) count(table, layers, sign)
    }
  }

  /** One byte a group, 1 where the filter admits it; and what the admitted count at the depth. */
  matching(
    filter: Filter,
    depth: number,
  ): { readonly admitted: Uint8Array; readonly documents: number; readonly totalLength: number } {
    const name = JSON.stringify([filter.app, filter.collection ?? null, filter.scope])
    let table = this.#tables.get(name)
    if (table === undefined) {
      table = this.#tableOf(filter)
      if (this.#tables.size === tablesMax) this.#tables.clear()
      this.#tables.set(name, table)
    }
    let documents = 0
    let totalLength = 0
    for (let height = 0; height <= Math.min(depth, limits.scopeDepthMax); height++) {
      documents += table.documents[height] as number
      totalLength += table.lengths[height] as number
    }
    return { admitted: table.admitted, documents, totalLength }
  }

  #tableOf({ app, collection, scope }: Filter): Table {
    const table: Table = {
      filter: { app, collection, scope },
      admitted: new Uint8Array(this.#groups.length + 16),
      ...noCounts(),
    }
    for (const [number, group] of this.#groups.entries()) {
      if (!admits(table.filter, group)) continue
      table.admitted[number] = 1
      for (let height = 0; height <= limits.scopeDepthMax; height++) {
        ;(table.documents[height] as number) += group.documents[height] as number
        ;(table.lengths[height] as number) += group.lengths[height] as number
      }
    }
    return table
  }
}

function admits(filter: Filter, place: Place): boolean {
  return (
    place.app === filter.app &&
    (filter.collection === undefined || filter.collection === place.collection) &&
    scopeContains(filter.scope, place.scope)
  )
}

function count(
  counts: Counts,
  layers: readonly { readonly height: number; readonly length: number }[],
  sign: 1 | -1,
): void {
  const [lowest] = layers
  if (lowest === undefined) return
  ;(counts.documents[lowest.height] as number) += sign
  for (const { height, length } of layers) (counts.lengths[height] as number) += sign * length
}

function noCounts(): Counts {
  const zeros = (): number[] => Array.from({ length: limits.scopeDepthMax + 1 }, () => 0)
  return { documents: zeros(), lengths: zeros() }
}
