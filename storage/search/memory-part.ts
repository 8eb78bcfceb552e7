import type { AnalysedLayer } from '../../protocol/search/document.ts'
import { bytesColumn, positionsColumn, shortsColumn, wordsColumn } from './columns.ts'
import type { DocumentName, Part } from './part.ts'
import type { Postings } from './postings.ts'

/** One document as it is indexed. */
export interface PartDocument extends DocumentName {
  /** Where in the order of arrival; what comes later is higher. */
  readonly position: number
  readonly group: number
  /** Ascending by height. */
  readonly layers: readonly AnalysedLayer[]
}

/** Slots of a term and how often it stands there, while they still come. */
class Growing {
  readonly slots = wordsColumn(4)
  readonly frequencies = wordsColumn(4)
  readonly places = wordsColumn(4)
}

/** What came last, until there is enough of it for a segment. */
export class MemoryPart implements Part {
  readonly #positions = positionsColumn()
  readonly #groups = wordsColumn()
  readonly #firstSlots = wordsColumn()
  readonly #idHeads = wordsColumn()
  readonly #gone = bytesColumn()
  readonly #slotDocuments = wordsColumn()
  readonly #heights = bytesColumn()
  readonly #lengths = shortsColumn()
  readonly #names: DocumentName[] = []
  readonly #postings = new Map<string, Growing>()
  /** Words of all texts: what it takes in memory, roughly. */
  words = 0
  isFlat = true
  maxHeight = 0

  constructor() {
    this.#firstSlots.push(0)
  }

  get documents(): number {
    return this.#names.length
  }
  get positions(): Float64Array {
    return this.#positions.values
  }
  get groups(): Uint32Array {
    return this.#groups.values
  }
  get firstSlots(): Uint32Array {
    return this.#firstSlots.values
  }
  get idHeads(): Uint32Array {
    return this.#idHeads.values
  }
  get gone(): Uint8Array {
    return this.#gone.values
  }
  get slotDocuments(): Uint32Array {
    return this.#slotDocuments.values
  }
  get heights(): Uint8Array {
    return this.#heights.values
  }
  get lengths(): Uint16Array {
    return this.#lengths.values
  }

  add({ position, group, layers, item, id }: PartDocument): void {
    const document = this.#names.length
    this.#names.push({ item, id })
    this.#positions.push(position)
    this.#groups.push(group)
    this.#idHeads.push(idHead(id))
    this.#gone.push(0)
    for (const { height, words } of layers) {
      const slot = this.#slotDocuments.length
      this.#slotDocuments.push(document)
      this.#heights.push(height)
      this.#lengths.push(words.length)
      this.maxHeight = Math.max(this.maxHeight, height)
      this.words += words.length
      for (const [word, places] of placesOf(words)) {
        let growing = this.#postings.get(word)
        if (growing === undefined) this.#postings.set(word, (growing = new Growing()))
        growing.slots.push(slot)
        growing.frequencies.push(places.length)
        for (const place of places) growing.places.push(place)
      }
    }
    if (layers.length !== 1) this.isFlat = false
    this.#firstSlots.push(this.#slotDocuments.length)
  }

  postings(term: string): Postings | undefined {
    const growing = this.#postings.get(term)
    if (growing === undefined) return undefined
    const { slots, frequencies } = growing
    return {
      slots: slots.values.subarray(0, slots.length),
      frequencies: frequencies.values.subarray(0, frequencies.length),
    }
  }

  places(term: string): Uint32Array {
    const { places } = this.#postings.get(term) as Growing
    return places.values.subarray(0, places.length)
  }

  /** Small enough to be looked through. */
  wordsFrom(start: string): string[] {
    return this.terms().filter((word) => word >= start)
  }

  /** Nothing is: there is more with every document. */
  kept(_name: string, make: () => Postings | undefined): Postings | undefined {
    return make()
  }

  name(document: number): DocumentName {
    return this.#names[document] as DocumentName
  }

  /** In the order of their code units. */
  terms(): string[] {
    return [...this.#postings.keys()].sort()
  }
}

function placesOf(words: readonly string[]): Map<string, number[]> {
  const places = new Map<string, number[]>()
  for (const [place, word] of words.entries()) {
    const known = places.get(word)
    if (known === undefined) places.set(word, [place])
    else known.push(place)
  }
  return places
}

function idHead(id: Uint8Array): number {
  return (((id[0] as number) * 256 + (id[1] as number)) * 256 + (id[2] as number)) * 256 + (id[3] as number)
}
