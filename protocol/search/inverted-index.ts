import { limits } from '../limits.ts'
import { scopeDepth } from '../scope.ts'
import { type Analyser, analyse, countTerms, type QueryTerm } from './analysis.ts'
import { BestHits, type Hit } from './best-hits.ts'
import { averageLength, roundScore, type Statistics, sumStatistics, termScore, weightOf } from './bm25.ts'
import { DocumentGroups } from './groups.ts'
import type { RankedList } from './merge.ts'
import type { Layer } from './searchable.ts'

/** One item as an index knows it. An index serves one hierarchy: a scope and the layers' heights are of that. */
export interface SearchDocument {
  /** Names the item: a later document with the same key takes the place of the earlier. */
  readonly key: string
  /** The record's id: breaks ties. */
  readonly id: Uint8Array
  readonly app: string
  readonly collection: string
  /** Where the item's owner stands in the hierarchy. */
  readonly scope: string
  readonly analyser: Analyser
  readonly layers: readonly Layer[]
}

export interface SearchFilter {
  readonly app: string
  /** All of the app when undefined. */
  readonly collection: string | undefined
  /** Documents at or below it, and of them only layers that reach its depth. */
  readonly scope: string
}

interface Entry {
  readonly key: string
  readonly id: Uint8Array
  readonly group: number
  /** Its layers are the slots from this one on. */
  readonly firstSlot: number
  readonly slots: number
  live: boolean
}

/**
 * An inverted index in memory. Every layer of a document is a slot; postings are (slot, frequency) pairs in slot
 * order, so the layers of one document lie together and are added up before they are scored. What is removed stays
 * in the postings until it is half of all, then they are made anew.
 */
export class SearchIndex {
  readonly #groups = new DocumentGroups()
  readonly #byKey = new Map<string, number>()
  #entries: Entry[] = []
  #slotEntry: number[] = []
  #slotHeight: number[] = []
  #slotLength: number[] = []
  #postings = new Map<string, number[]>()
  #deadSlots = 0
  #sums = new Float64Array(1024)
  #matched = new Uint8Array(1024)

  /** Documents. */
  get size(): number {
    return this.#byKey.size
  }

  has(key: string): boolean {
    return this.#byKey.has(key)
  }

  /** Adds, or replaces what has the same key. Gives the same statistics as if the old one had never been. */
  put(document: SearchDocument): void {
    this.remove(document.key)
    // No scope is as deep as the layers left out here.
    const layers = document.layers
      .filter(({ height }) => height <= limits.scopeDepthMax)
      .sort((a, z) => a.height - z.height)
    const number = this.#entries.length
    const firstSlot = this.#slotEntry.length
    const group = this.#groups.of(document)
    this.#entries.push({
      key: document.key,
      id: document.id,
      group,
      firstSlot,
      slots: layers.length,
      live: true,
    })
    this.#byKey.set(document.key, number)
    for (const { height, text } of layers) {
      const slot = this.#slotEntry.length
      const terms = analyse(text, document.analyser)
      this.#slotEntry.push(number)
      this.#slotHeight.push(height)
      this.#slotLength.push(terms.length)
      for (const [term, frequency] of countTerms(terms)) {
        const postings = this.#postings.get(term)
        if (postings === undefined) this.#postings.set(term, [slot, frequency])
        else postings.push(slot, frequency)
      }
    }
    this.#groups.add(group, this.#layersOf(number), 1)
    if (this.#sums.length < this.#entries.length) this.#grow()
  }

  /** False when there was none. */
  remove(key: string): boolean {
    const number = this.#byKey.get(key)
    if (number === undefined) return false
    const entry = this.#entries[number] as Entry
    entry.live = false
    this.#byKey.delete(key)
    this.#groups.add(entry.group, this.#layersOf(number), -1)
    this.#deadSlots += entry.slots
    if (this.#deadSlots > 1024 && this.#deadSlots * 2 > this.#slotEntry.length) this.#compact()
    return true
  }

  /** Exact counts over what the filter admits. `terms` gives the order. */
  statistics(filter: SearchFilter, terms: readonly string[]): Statistics {
    const depth = scopeDepth(filter.scope)
    const { admitted, documents, totalLength } = this.#groups.matching(filter, depth)
    const counted = terms.map((term) => {
      let holding = 0
      this.#walk(term, admitted, depth, () => holding++)
      return { term, documents: holding, idf: 0 }
    })
    return sumStatistics([{ documents, totalLength, terms: counted }], terms)
  }

  /**
   * The best `limit` of the documents that hold any (or all) of the terms, scored with the statistics given, which
   * need not be this index's own; and how many there are.
   */
  search(
    query: readonly QueryTerm[],
    statistics: Statistics,
    filter: SearchFilter,
    options: { readonly limit: number; readonly match?: 'any' | 'all' },
  ): RankedList<Hit> {
    const depth = scopeDepth(filter.scope)
    const { admitted } = this.#groups.matching(filter, depth)
    const average = averageLength(statistics)
    const idfs = new Map(statistics.terms.map(({ term, idf }) => [term, idf]))
    const touched: number[] = []
    for (const { term, times } of query) {
      const weight = weightOf(idfs.get(term) ?? 0, times)
      this.#walk(term, admitted, depth, (number, frequency) => {
        if (this.#matched[number] === 0) touched.push(number)
        ;(this.#matched[number] as number)++
        ;(this.#sums[number] as number) += termScore(
          weight,
          frequency,
          this.#lengthAt(number, depth),
          average,
        )
      })
    }
    const wanted = options.match === 'all' ? query.length : 1
    const best = new BestHits(options.limit)
    let total = 0
    for (const number of touched) {
      const { id, key } = this.#entries[number] as Entry
      if ((this.#matched[number] as number) >= wanted) {
        total++
        best.offer(roundScore(this.#sums[number] as number), id, key)
      }
      this.#matched[number] = 0
      this.#sums[number] = 0
    }
    return { hits: best.hits, total }
  }

  /** Calls back once for each admitted document that holds the term in layers that reach the depth. */
  #walk(
    term: string,
    admitted: Uint8Array,
    depth: number,
    visit: (number: number, frequency: number) => void,
  ): void {
    const postings = this.#postings.get(term)
    if (postings === undefined) return
    let current = -1
    let frequency = 0
    for (let at = 0; at < postings.length; at += 2) {
      const slot = postings[at] as number
      const number = this.#slotEntry[slot] as number
      if (number !== current) {
        if (frequency > 0) visit(current, frequency)
        current = number
        frequency = 0
      }
      const entry = this.#entries[number] as Entry
      if (!entry.live || admitted[entry.group] === 0 || (this.#slotHeight[slot] as number) > depth) continue
      frequency += postings[at + 1] as number
    }
    if (frequency > 0) visit(current, frequency)
  }

  #lengthAt(number: number, depth: number): number {
    const { firstSlot, slots } = this.#entries[number] as Entry
    let length = 0
    for (let slot = firstSlot; slot < firstSlot + slots; slot++) {
      if ((this.#slotHeight[slot] as number) <= depth) length += this.#slotLength[slot] as number
    }
    return length
  }

  #layersOf(number: number): { height: number; length: number }[] {
    const { firstSlot, slots } = this.#entries[number] as Entry
    return Array.from({ length: slots }, (_, layer) => ({
      height: this.#slotHeight[firstSlot + layer] as number,
      length: this.#slotLength[firstSlot + layer] as number,
    }))
  }

  /** Numbers documents and slots anew without the dead, in the same order. */
  #compact(): void {
    const newSlot = new Map<number, number>()
    const entries: Entry[] = []
    const slotEntry: number[] = []
    const slotHeight: number[] = []
    const slotLength: number[] = []
    for (const entry of this.#entries) {
      if (!entry.live) continue
      this.#byKey.set(entry.key, entries.length)
      for (let slot = entry.firstSlot; slot < entry.firstSlot + entry.slots; slot++) {
        newSlot.set(slot, slotEntry.length)
        slotEntry.push(entries.length)
        slotHeight.push(this.#slotHeight[slot] as number)
        slotLength.push(this.#slotLength[slot] as number)
      }
      entries.push({ ...entry, firstSlot: slotEntry.length - entry.slots })
    }
    const postings = new Map<string, number[]>()
    for (const [term, old] of this.#postings) {
      const kept: number[] = []
      for (let at = 0; at < old.length; at += 2) {
        const slot = newSlot.get(old[at] as number)
        if (slot !== undefined) kept.push(slot, old[at + 1] as number)
      }
      if (kept.length > 0) postings.set(term, kept)
    }
    this.#entries = entries
    this.#slotEntry = slotEntry
    this.#slotHeight = slotHeight
    this.#slotLength = slotLength
    this.#postings = postings
    this.#deadSlots = 0
  }

  #grow(): void {
    // Both are all zero between searches.
    this.#sums = new Float64Array(this.#entries.length * 2)
    this.#matched = new Uint8Array(this.#entries.length * 2)
  }
}
