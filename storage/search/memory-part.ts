import { bytesColumn, positionsColumn, shortsColumn, wordsColumn } from './columns.ts'
import type { DocumentName, Part } from './part.ts'
import type { Postings } from './postings.ts'

/** One document as it is indexed: the terms of each height, counted. */
export interface CountedDocument extends DocumentName {
  /** Where in the order of arrival; what comes later is higher. */
  readonly position: number
  readonly group: number
  /** Ascending by height. */
  readonly layers: readonly CountedLayer[]
}

export interface CountedLayer {
  readonly height: number
  readonly length: number
  readonly terms: ReadonlyMap<string, number>
}

/** Slots of a term and how often it stands there, while they still come. */
class Growing {
  readonly slots = wordsColumn(4)
  readonly frequencies = wordsColumn(4)
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
  /** Slots and distinct terms of each: what it takes in memory, roughly. */
  postingsCount = 0
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

  add({ position, group, layers, item, id }: CountedDocument): void {
    const document = this.#names.length
    this.#names.push({ item, id })
    this.#positions.push(position)
    this.#groups.push(group)
    this.#idHeads.push(idHead(id))
    this.#gone.push(0)
    for (const { height, length, terms } of layers) {
      const slot = this.#slotDocuments.length
      this.#slotDocuments.push(document)
      this.#heights.push(height)
      this.#lengths.push(length)
      this.maxHeight = Math.max(this.maxHeight, height)
      this.postingsCount += terms.size
      for (const [term, frequency] of terms) {
        let growing = this.#postings.get(term)
        if (growing === undefined) this.#postings.set(term, (growing = new Growing()))
        growing.slots.push(slot)
        growing.frequencies.push(frequency)
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

  name(document: number): DocumentName {
    return this.#names[document] as DocumentName
  }

  /** In the order of their code units. */
  terms(): string[] {
    return [...this.#postings.keys()].sort()
  }
}

export function idHead(id: Uint8Array): number {
  return (((id[0] as number) * 256 + (id[1] as number)) * 256 + (id[2] as number)) * 256 + (id[3] as number)
}
