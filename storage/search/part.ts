import type { Postings } from './postings.ts'

/** Which item a document is, and the record that ties are broken by. */
export interface DocumentName {
  readonly item: Uint8Array
  readonly id: Uint8Array
}

/**
 * Documents that are searched together: those of one segment on disk, or those that are in memory still. They are numbered
 * from 0 in the order in which they came; each has slots, one for each height at which something of it may be read.
 */
export interface Part {
  readonly documents: number
  /** By document. */
  readonly positions: ArrayLike<number>
  readonly groups: ArrayLike<number>
  readonly firstSlots: ArrayLike<number>
  /** The first four bytes of the record's id: decides nearly all ties. */
  readonly idHeads: ArrayLike<number>
  /** 1 where it was deleted or replaced. */
  readonly gone: Uint8Array
  /** By slot. */
  readonly slotDocuments: ArrayLike<number>
  readonly heights: ArrayLike<number>
  readonly lengths: ArrayLike<number>
  /** Every document has one slot, so that the two are numbered alike. */
  readonly isFlat: boolean
  readonly maxHeight: number
  postings(term: string): Postings | undefined
  /** Of a term that is there: of all its slots, one after the other, the places within the text, ascending. */
  places(term: string): Uint32Array
  /** In the order of their code units, from this one on. */
  wordsFrom(start: string): Iterable<string>
  /** What was worked out for a clause, kept as rows are. */
  kept(name: string, make: () => Postings | undefined): Postings | undefined
  name(document: number): DocumentName
}

/** The number of the document that came at this position; -1 where it is not here. */
export function documentAt({ documents, positions }: Part, position: number): number {
  let low = 0
  let high = documents
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((positions[middle] as number) < position) low = middle + 1
    else high = middle
  }
  return low < documents && positions[low] === position ? low : -1
}

export function lengthAt(part: Part, document: number, depth: number): number {
  const end = part.firstSlots[document + 1] as number
  let length = 0
  for (let slot = part.firstSlots[document] as number; slot < end; slot++)
    if ((part.heights[slot] as number) <= depth) length += part.lengths[slot] as number
  return length
}
