import { fromUtf8 } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Table } from '../types.ts'
import { bytesColumn, positionsColumn, shortsColumn, wordsColumn } from './columns.ts'
import { NumberReader } from './leb128.ts'
import type { DocumentName, Part } from './part.ts'
import { readPlaces, readPostings, type Postings } from './postings.ts'
import type { RowCache } from './row-cache.ts'
import { columnsKey, namesKey, placesKey, termKey, wordsKey } from './segment-keys.ts'

export const documentsPerColumns = 4_096
export const documentsPerNames = 128
const nameBytes = 64

/** What the list of segments says of one. */
export interface SegmentInfo {
  readonly segment: number
  readonly documents: number
  /** Positions of its first and its last document. */
  readonly from: number
  readonly through: number
  /** How many rows its words take. */
  readonly wordRows: number
  /** What its rows take, roughly: which segments are merged is decided by that. */
  readonly bytes: number
}

/** Some megabytes of numbers in memory for each hundred thousand documents; words and names stay on disk. */
export class Segment implements Part {
  readonly info: SegmentInfo
  readonly documents: number
  readonly positions: Float64Array
  readonly groups: Uint32Array
  readonly firstSlots: Uint32Array
  readonly idHeads: Uint32Array
  readonly gone: Uint8Array
  readonly slotDocuments: Uint32Array
  readonly heights: Uint8Array
  readonly lengths: Uint16Array
  readonly isFlat: boolean
  readonly maxHeight: number
  readonly #table: Table
  readonly #cache: RowCache

  private constructor(
    table: Table,
    cache: RowCache,
    info: SegmentInfo,
    columns: ReturnType<typeof readColumns>,
  ) {
    this.#table = table
    this.#cache = cache
    this.info = info
    this.documents = info.documents
    this.positions = columns.positions.values
    this.groups = columns.groups.values
    this.firstSlots = columns.firstSlots.values
    this.idHeads = columns.idHeads.values
    this.gone = new Uint8Array(info.documents)
    this.slotDocuments = columns.slotDocuments.values
    this.heights = columns.heights.values
    this.lengths = columns.lengths.values
    this.isFlat = columns.isFlat
    this.maxHeight = columns.maxHeight
  }

  /** `groupOf` names a group by its app, collection and scope. Throws STORE_CORRUPT. */
  static open(
    table: Table,
    cache: RowCache,
    info: SegmentInfo,
    groupOf: (name: readonly [app: string, collection: string, scope: string]) => number,
  ): Segment {
    return new Segment(table, cache, info, readColumns(table, info, groupOf))
  }

  postings(term: string): Postings | undefined {
    return this.#cache.postings(`${this.info.segment} ${term}`, () =>
      readTerm(this.#table, this.info.segment, term),
    )
  }

  places(term: string): Uint32Array {
    const { segment } = this.info
    return this.#cache.places(`${segment} ${term}`, () =>
      readTermPlaces(this.#table, segment, term, this.postings(term) as Postings),
    )
  }

  *wordsFrom(start: string): Generator<string> {
    let chunk = this.#firstChunk(start)
    for (; ; chunk++) {
      const words = this.#words(chunk)
      if (words === undefined) return
      for (const word of words) if (word >= start) yield word
    }
  }

  kept(name: string, make: () => Postings | undefined): Postings | undefined {
    return this.#cache.postings(`${this.info.segment} ${name}`, make)
  }

  /** The last whose first word is not after `start`. */
  #firstChunk(start: string): number {
    let low = 0
    let high = this.info.wordRows
    while (high - low > 1) {
      const middle = (low + high) >>> 1
      const first = this.#words(middle)?.[0]
      if (first === undefined || first > start) high = middle
      else low = middle
    }
    return low
  }

  #words(chunk: number): readonly string[] | undefined {
    if (chunk >= this.info.wordRows) return undefined
    const { segment } = this.info
    return this.#cache.words(`${segment} ${chunk}`, () =>
      fromUtf8(rowOf(this.#table, wordsKey(segment, chunk))).split('\n'),
    )
  }

  name(document: number): DocumentName {
    const chunk = Math.floor(document / documentsPerNames)
    const key = `${this.info.segment} ${chunk}`
    const row = this.#cache.names(key, () => rowOf(this.#table, namesKey(this.info.segment, chunk)))
    const at = (document % documentsPerNames) * nameBytes
    return { item: row.slice(at, at + 32), id: row.slice(at + 32, at + nameBytes) }
  }
}

/** Of a term that the segment has not, nothing. */
export function readTerm(table: Table, segment: number, term: string): Postings | undefined {
  const first = table.get(termKey(segment, term))
  if (first === undefined) return undefined
  const { counts, at } = readHead(first)
  const total = counts.reduce((sum, count) => sum + count, 0)
  const postings = { slots: new Uint32Array(total), frequencies: new Uint32Array(total) }
  let to = 0
  for (const [block, count] of counts.entries()) {
    const row = block === 0 ? first : rowOf(table, termKey(segment, term, block))
    readPostings(row, block === 0 ? at : 0, postings, to, count)
    to += count
  }
  return postings
}

/** Of a term that the segment has. */
export function readTermPlaces(
  table: Table,
  segment: number,
  term: string,
  { frequencies }: Postings,
): Uint32Array {
  const { counts } = readHead(rowOf(table, termKey(segment, term)))
  const places = new Uint32Array(frequencies.reduce((sum, frequency) => sum + frequency, 0))
  let [from, to] = [0, 0]
  for (const [block, count] of counts.entries()) {
    to = readPlaces(rowOf(table, placesKey(segment, term, block)), frequencies, { from, count }, places, to)
    from += count
  }
  return places
}

function readHead(row: Uint8Array): { readonly counts: readonly number[]; readonly at: number } {
  const head = new NumberReader(row)
  const counts = Array.from({ length: head.read() }, () => head.read())
  return { counts, at: head.at }
}

function readColumns(
  table: Table,
  { segment, documents }: SegmentInfo,
  groupOf: (name: readonly [app: string, collection: string, scope: string]) => number,
) {
  const columns = {
    positions: positionsColumn(documents),
    groups: wordsColumn(documents),
    firstSlots: wordsColumn(documents + 1),
    idHeads: wordsColumn(documents),
    slotDocuments: wordsColumn(documents),
    heights: bytesColumn(documents),
    lengths: shortsColumn(documents),
    isFlat: true,
    maxHeight: 0,
  }
  columns.firstSlots.push(0)
  for (let chunk = 0; chunk * documentsPerColumns < documents; chunk++) {
    const row = rowOf(table, columnsKey(segment, chunk))
    const numbers = new NumberReader(row)
    const groups = Array.from({ length: numbers.read() }, () => groupOf(readGroup(numbers)))
    let position = 0
    while (!numbers.isAtEnd) {
      const document = columns.positions.length
      position += numbers.read()
      columns.positions.push(position)
      columns.groups.push(groups[numbers.read()] as number)
      columns.idHeads.push(numbers.read())
      const slots = numbers.read()
      if (slots !== 1) columns.isFlat = false
      for (let i = 0; i < slots; i++) {
        const height = numbers.read()
        columns.slotDocuments.push(document)
        columns.heights.push(height)
        columns.lengths.push(numbers.read())
        columns.maxHeight = Math.max(columns.maxHeight, height)
      }
      columns.firstSlots.push(columns.slotDocuments.length)
    }
  }
  if (columns.positions.length !== documents)
    throw new OnehopError(
      'STORE_CORRUPT',
      `segment ${segment} has ${columns.positions.length} documents, not ${documents}`,
    )
  return columns
}

function readGroup(numbers: NumberReader): readonly [string, string, string] {
  const name = (): string => {
    const length = numbers.read()
    return fromUtf8(numbers.bytes(length))
  }
  return [name(), name(), name()]
}

function rowOf(table: Table, key: Uint8Array): Uint8Array {
  const row = table.get(key)
  if (row === undefined) throw new OnehopError('STORE_CORRUPT', 'a row of a segment is missing')
  return row
}
