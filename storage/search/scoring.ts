import { averageLength, roundScore, type Statistics, weightOf } from '../../protocol/search/bm25.ts'
import type { ParsedQuery, WeighedClause } from '../../protocol/search/clauses.ts'
import { compareBytes } from '../../protocol/bytes.ts'
import { clausePostings, frequencyUnit } from './clause-postings.ts'
import { lengthAt, type Part } from './part.ts'
import type { Postings } from './postings.ts'

/** Which documents are asked for: by group, one byte each; and how deep the scope lies. */
export interface Admission {
  readonly admitted: Uint8Array
  readonly depth: number
}

export interface Found {
  readonly part: Part
  readonly document: number
  /** In units of 2^-20. */
  readonly score: number
}

/** In how many of a part's documents the clause holds, where they may be read. */
export function countHolding(part: Part, { clause }: WeighedClause, { admitted, depth }: Admission): number {
  const postings = clausePostings(part, clause)
  if (postings === undefined) return 0
  const { slots } = postings
  const { gone, groups, heights, isFlat, slotDocuments } = part
  const isOpen = part.maxHeight <= depth
  let holding = 0
  if (isFlat) {
    for (let i = 0; i < slots.length; i++) {
      const document = slots[i] as number
      if (gone[document] === 0 && admitted[groups[document] as number] === 1)
        if (isOpen || (heights[document] as number) <= depth) holding++
    }
    return holding
  }
  let last = -1
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number
    const document = slotDocuments[slot] as number
    if (document === last || (heights[slot] as number) > depth) continue
    if (gone[document] === 1 || admitted[groups[document] as number] === 0) continue
    last = document
    holding++
  }
  return holding
}

interface Scored {
  readonly postings: Postings
  readonly weight: number
  readonly unit: number
}

/** Room for sums, shared by the parts of one index: taken for one query at a time, which never waits for anything. */
export class Sums {
  #sums = new Float64Array(1024)
  #matched = new Uint8Array(1024)
  #touched = new Uint32Array(1024)
  readonly #norms = new Float64Array(256)
  readonly #left = new Set<number>()

  /** Offers what matches to `best`; answers how many do. Terms are added in query order: another order is another number. */
  search(
    part: Part,
    { clauses, without }: ParsedQuery,
    statistics: Statistics,
    admission: Admission,
    wanted: number,
    best: Best,
  ): number {
    this.#makeRoom(part.documents)
    const average = averageLength(statistics)
    const idfs = new Map(statistics.terms.map(({ term, idf }) => [term, idf]))
    let touched = 0
    for (const { clause, name, times } of clauses) {
      const postings = clausePostings(part, clause)
      if (postings === undefined) continue
      const weight = weightOf(idfs.get(name) ?? 0, times)
      const scored = { postings, weight, unit: frequencyUnit[clause.kind] }
      touched = part.isFlat
        ? this.#addFlat(part, scored, average, admission, touched)
        : this.#add(part, scored, average, admission, touched)
    }
    for (const { clause } of without) this.#leaveOut(part, clausePostings(part, clause), admission.depth)
    let total = 0
    for (let i = 0; i < touched; i++) {
      const document = this.#touched[i] as number
      if ((this.#matched[document] as number) >= wanted && !this.#left.has(document)) {
        total++
        best.offer(part, document, roundScore(this.#sums[document] as number))
      }
      this.#matched[document] = 0
      this.#sums[document] = 0
    }
    this.#left.clear()
    return total
  }

  #addFlat(
    part: Part,
    { postings: { slots, frequencies }, weight, unit }: Scored,
    average: number,
    { admitted, depth }: Admission,
    before: number,
  ): number {
    const { gone, groups, heights, lengths } = part
    const sums = this.#sums
    const matched = this.#matched
    const touchedList = this.#touched
    const isOpen = part.maxHeight <= depth
    const norms = this.#normsFor(average)
    let touched = before
    for (let i = 0; i < slots.length; i++) {
      const document = slots[i] as number
      if (gone[document] === 1 || admitted[groups[document] as number] === 0) continue
      if (!isOpen && (heights[document] as number) > depth) continue
      if (matched[document] === 0) touchedList[touched++] = document
      ;(matched[document] as number)++
      const frequency = (frequencies[i] as number) * unit
      const length = lengths[document] as number
      const norm = length < norms.length ? (norms[length] as number) : normOf(length, average)
      ;(sums[document] as number) += (weight * (frequency * (k1 + 1))) / (frequency + norm)
    }
    return touched
  }

  #add(
    part: Part,
    { postings: { slots, frequencies }, weight, unit }: Scored,
    average: number,
    { admitted, depth }: Admission,
    before: number,
  ): number {
    const { gone, groups, heights, slotDocuments } = part
    let touched = before
    let i = 0
    while (i < slots.length) {
      const document = slotDocuments[slots[i] as number] as number
      let frequency = 0
      // The slots of a document lie together, and are added up before they are scored.
      for (; i < slots.length && slotDocuments[slots[i] as number] === document; i++)
        if ((heights[slots[i] as number] as number) <= depth) frequency += (frequencies[i] as number) * unit
      if (frequency === 0 || gone[document] === 1 || admitted[groups[document] as number] === 0) continue
      if (this.#matched[document] === 0) this.#touched[touched++] = document
      ;(this.#matched[document] as number)++
      const norm = normOf(lengthAt(part, document, depth), average)
      ;(this.#sums[document] as number) += (weight * (frequency * (k1 + 1))) / (frequency + norm)
    }
    return touched
  }

  /** Marked as matching nothing; only what was touched is looked at afterwards. */
  #leaveOut(part: Part, postings: Postings | undefined, depth: number): void {
    if (postings === undefined) return
    for (const slot of postings.slots)
      if ((part.heights[slot] as number) <= depth) this.#left.add(part.slotDocuments[slot] as number)
  }

  #normsFor(average: number): Float64Array {
    for (let length = 0; length < this.#norms.length; length++) this.#norms[length] = normOf(length, average)
    return this.#norms
  }

  #makeRoom(documents: number): void {
    if (documents <= this.#sums.length) return
    const room = Math.max(documents, this.#sums.length * 2)
    this.#sums = new Float64Array(room)
    this.#matched = new Uint8Array(room)
    this.#touched = new Uint32Array(room)
  }
}

const k1 = 1.2
const b = 0.75

/** What is the same for all texts of one length: see `termScore`, of which this is a part. */
function normOf(length: number, average: number): number {
  return k1 * (1 - b + b * (length / average))
}

/** The best so far, in order: higher scores first, then lower ids. */
export class Best {
  readonly found: Found[] = []
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  offer(part: Part, document: number, score: number): void {
    const { found } = this
    if (found.length === this.#limit) {
      const last = found.at(-1)
      if (last === undefined || score < last.score) return
      if (score === last.score && !isBefore(part, document, last)) return
      found.pop()
    }
    let low = 0
    let high = found.length
    while (low < high) {
      const middle = (low + high) >>> 1
      const other = found[middle] as Found
      const isBetter = score === other.score ? isBefore(part, document, other) : score > other.score
      if (isBetter) high = middle
      else low = middle + 1
    }
    found.splice(low, 0, { part, document, score })
  }
}

function isBefore(part: Part, document: number, other: Found): boolean {
  const head = part.idHeads[document] as number
  const otherHead = other.part.idHeads[other.document] as number
  if (head !== otherHead) return head < otherHead
  return compareBytes(part.name(document).id, other.part.name(other.document).id) < 0
}
