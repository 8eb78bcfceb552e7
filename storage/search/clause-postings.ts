import { type Clause, clauseName, nearWeights } from '../../protocol/search/clauses.ts'
import { nearWords } from './near-words.ts'
import type { Part } from './part.ts'
import type { Postings } from './postings.ts'

/** Near misses count in parts of one: frequencies are kept in quarters, so that they stay whole numbers. */
export const frequencyUnit = { term: 1, phrase: 1, prefix: 1, near: nearWeights[2] } as const

/** Where a clause holds in a part, as if it were a term: how often in units of `frequencyUnit`. */
export function clausePostings(part: Part, clause: Clause): Postings | undefined {
  if (clause.kind === 'term') return part.postings(clause.term)
  return part.kept(clauseName(clause), () => {
    switch (clause.kind) {
      case 'phrase':
        return phrase(part, clause.terms)
      case 'prefix':
        return union(part, beginning(part, clause.start))
      case 'near':
        return union(part, near(part, clause.term, clause.distance))
    }
  })
}

interface Weighted {
  readonly word: string
  readonly weight: number
}

function* beginning(part: Part, start: string): Generator<Weighted> {
  for (const word of part.wordsFrom(start)) {
    if (!word.startsWith(start)) return
    yield { word, weight: 1 }
  }
}

function* near(part: Part, term: string, most: 1 | 2): Generator<Weighted> {
  for (const { word, distance } of nearWords(part.wordsFrom(''), term, most))
    yield { word, weight: (nearWeights[distance] as number) / frequencyUnit.near }
}

/** Whatever has one of the words, and how often all of them. */
function union(part: Part, words: Iterable<Weighted>): Postings | undefined {
  const sums = new Map<number, number>()
  for (const { word, weight } of words) {
    const { slots, frequencies } = part.postings(word) as Postings
    for (let i = 0; i < slots.length; i++) {
      const slot = slots[i] as number
      sums.set(slot, (sums.get(slot) ?? 0) + weight * (frequencies[i] as number))
    }
  }
  return sums.size === 0 ? undefined : sorted(sums)
}

function sorted(sums: ReadonlyMap<number, number>): Postings {
  const slots = Uint32Array.from(sums.keys()).sort()
  return { slots, frequencies: slots.map((slot) => sums.get(slot) as number) }
}

/** Slots that have all of the terms, and in which they stand one right after the other. */
function phrase(part: Part, terms: readonly string[]): Postings | undefined {
  const each = terms.map((term) => part.postings(term))
  if (!each.every((postings) => postings !== undefined)) return undefined
  const readers = each.map((postings, i) => new PlaceReader(postings, part.places(terms[i] as string)))
  const found = new Map<number, number>()
  const [first, ...others] = readers as [PlaceReader, ...PlaceReader[]]
  for (; first.slot !== undefined; first.next()) {
    const slot = first.slot
    if (!others.every((reader) => reader.moveTo(slot))) continue
    const following = others.map((reader) => new Set(reader.places()))
    const count = first.places().filter((place) => following.every((set, i) => set.has(place + i + 1))).length
    if (count > 0) found.set(slot, count)
  }
  return found.size === 0 ? undefined : sorted(found)
}

class PlaceReader {
  readonly #postings: Postings
  readonly #places: Uint32Array
  #at = 0
  #place = 0

  constructor(postings: Postings, places: Uint32Array) {
    this.#postings = postings
    this.#places = places
  }

  get slot(): number | undefined {
    return this.#postings.slots[this.#at]
  }

  next(): void {
    this.#place += this.#postings.frequencies[this.#at] as number
    this.#at++
  }

  /** False where it has none of this slot. Only ever further on. */
  moveTo(slot: number): boolean {
    while (this.slot !== undefined && this.slot < slot) this.next()
    return this.slot === slot
  }

  places(): number[] {
    return [
      ...this.#places.subarray(this.#place, this.#place + (this.#postings.frequencies[this.#at] as number)),
    ]
  }
}
