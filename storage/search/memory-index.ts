import type { Statistics } from '../../protocol/search/bm25.ts'
import type { ParsedQuery, WeighedClause } from '../../protocol/search/clauses.ts'
import { analysedLayers, type SearchDocument, type SearchFilter } from '../../protocol/search/document.ts'
import type { Ranked, RankedList } from '../../protocol/search/merge.ts'
import { emptyBytes } from '../../protocol/bytes.ts'
import { MemoryPart } from './memory-part.ts'
import { Searcher, type SearchOptions } from './searcher.ts'

export interface Hit extends Ranked {
  readonly key: string
}

/** An index that is made for a while and never written: by key, and what is replaced stays in memory, marked. */
export class MemoryIndex {
  readonly #searcher = new Searcher()
  readonly #part = new MemoryPart()
  readonly #byKey = new Map<string, number>()
  readonly #keys: string[] = []

  /** Documents. */
  get size(): number {
    return this.#byKey.size
  }

  /** Adds, or replaces what has the same key. Gives the same statistics as if the old one had never been. */
  put(document: SearchDocument): void {
    this.remove(document.key)
    const { key, id, app, collection, scope } = document
    const number = this.#part.documents
    const group = this.#searcher.groupOf([app, collection, scope])
    this.#part.add({ position: number, item: emptyBytes, id, group, layers: analysedLayers(document) })
    this.#searcher.count(this.#part, number, 1)
    this.#byKey.set(key, number)
    this.#keys.push(key)
  }

  /** False when there was none. */
  remove(key: string): boolean {
    const number = this.#byKey.get(key)
    if (number === undefined) return false
    this.#byKey.delete(key)
    this.#part.gone[number] = 1
    this.#searcher.count(this.#part, number, -1)
    return true
  }

  statistics(filter: SearchFilter, clauses: readonly WeighedClause[]): Statistics {
    return this.#searcher.statistics([this.#part], filter, clauses)
  }

  search(
    query: ParsedQuery,
    statistics: Statistics,
    filter: SearchFilter,
    options: SearchOptions,
  ): RankedList<Hit> {
    const { found, total } = this.#searcher.search([this.#part], query, statistics, filter, options)
    const hits = found.map(({ document, score }) => ({
      key: this.#keys[document] as string,
      id: this.#part.name(document).id,
      score,
    }))
    return { hits, total }
  }
}
