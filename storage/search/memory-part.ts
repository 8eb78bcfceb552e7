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

/** Where a term stands, while more still comes: of each slot its number, how many places, and these. */
class Growing {
  readonly #numbers: number[] = []
  #slots = 0
  #places = 0
  /** Of the last slot. */
  #countAt = -1

  /** Slots and places ascend. */
  add(slot: number, place: number): void {
    this.#places++
    if (this.#numbers[this.#countAt - 1] === slot) {
      ;(this.#numbers[this.#countAt] as number)++
      this.#numbers.push(place)
      return
    }
    this.#slots++
    this.#countAt = this.#numbers.length + 1
    this.#numbers.push(slot, 1, place)
  }

  postings(): Postings {
    const slots = new Uint32Array(this.#slots)
    const frequencies = new Uint32Array(this.#slots)
    let at = 0
    for (let i = 0; i < this.#slots; i++) {
      slots[i] = this.#numbers[at] as number
      const count = this.#numbers[at + 1] as number
      frequencies[i] = count
      at += 2 + count
    }
    return { slots, frequencies }
  }

  places(): Uint32Array {
    const places = new Uint32Array(this.#places)
    let to = 0
    for (let at = 0; at < this.#numbers.length; ) {
      const count = this.#numbers[at + 1] as number
      for (let i = 0; i < count; i++) places[to++] = this.#numbers[at + 2 + i] as number
      at += 2 + count
    }
    return places
  }
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
      for (let place = 0; place < words.length; place++) {
        const word = words[place] as string
        let growing = this.#postings.get(word)
        if (growing === undefined) this.#postings.set(word, (growing = new Growing()))
        growing.add(slot, place)
      }
    }
    if (layers.length !== 1) this.isFlat = false
    this.#firstSlots.push(this.#slotDocuments.length)
  }

  postings(term: string): Postings | undefined {
    return this.#postings.get(term)?.postings()
  }

  places(term: string): Uint32Array {
    return (this.#postings.get(term) as Growing).places()
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

function idHead(id: Uint8Array): number {
  return (((id[0] as number) * 256 + (id[1] as number)) * 256 + (id[2] as number)) * 256 + (id[3] as number)
}
