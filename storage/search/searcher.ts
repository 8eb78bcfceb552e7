import type { ParsedQuery, WeighedClause } from '../../protocol/search/clauses.ts'
import type { SearchFilter } from '../../protocol/search/document.ts'
import { sumStatistics, type Statistics } from '../../protocol/search/bm25.ts'
import { DocumentGroups } from '../../protocol/search/groups.ts'
import { scopeDepth } from '../../protocol/scope.ts'
import type { Part } from './part.ts'
import { Best, countHolding, type Found, Sums } from './scoring.ts'

export type GroupName = readonly [app: string, collection: string, scope: string]

export interface SearchOptions {
  readonly limit: number
  readonly match?: 'any' | 'all' | undefined
}

/** Counts and ranks over parts, as if all of their documents lay in one. */
export class Searcher {
  readonly #groups = new DocumentGroups()
  readonly #names: GroupName[] = []
  readonly #sums = new Sums()

  groupOf(name: GroupName): number {
    const [app, collection, scope] = name
    const group = this.#groups.of({ app, collection, scope })
    this.#names[group] = name
    return group
  }

  groupName(group: number): GroupName {
    return this.#names[group] as GroupName
  }

  /** A document comes (1) or goes (-1). */
  count(part: Part, document: number, sign: 1 | -1): void {
    const layers: { height: number; length: number }[] = []
    const end = part.firstSlots[document + 1] as number
    for (let slot = part.firstSlots[document] as number; slot < end; slot++)
      layers.push({ height: part.heights[slot] as number, length: part.lengths[slot] as number })
    this.#groups.add(part.groups[document] as number, layers, sign)
  }

  /** Exact counts over what the filter admits, in the order of the clauses. */
  statistics(parts: readonly Part[], filter: SearchFilter, clauses: readonly WeighedClause[]): Statistics {
    const depth = scopeDepth(filter.scope)
    const { admitted, documents, totalLength } = this.#groups.matching(filter, depth)
    const counted = clauses.map((clause) => ({
      term: clause.name,
      documents: parts.reduce((sum, part) => sum + countHolding(part, clause, { admitted, depth }), 0),
      idf: 0,
    }))
    const names = clauses.map(({ name }) => name)
    return sumStatistics([{ documents, totalLength, terms: counted }], names)
  }

  /** The best of those in which any (or all) of the clauses hold, scored with the statistics given; and how many there are. */
  search(
    parts: readonly Part[],
    query: ParsedQuery,
    statistics: Statistics,
    filter: SearchFilter,
    { limit, match }: SearchOptions,
  ): { readonly found: readonly Found[]; readonly total: number } {
    const depth = scopeDepth(filter.scope)
    const { admitted } = this.#groups.matching(filter, depth)
    const best = new Best(limit)
    const wanted = match === 'all' ? Math.max(1, query.clauses.length) : 1
    let total = 0
    for (const part of parts)
      total += this.#sums.search(part, query, statistics, { admitted, depth }, wanted, best)
    return { found: best.found, total }
  }
}
