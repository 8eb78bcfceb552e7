import { encode } from '../../protocol/codec.ts'
import type { ParsedQuery, WeighedClause } from '../../protocol/search/clauses.ts'
import type { Statistics } from '../../protocol/search/bm25.ts'
import type { AnalysedLayer, SearchFilter } from '../../protocol/search/document.ts'
import { array, decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { StoreBatch, Table } from '../types.ts'
import { MemoryPart } from './memory-part.ts'
import { documentAt, type DocumentName, type Part } from './part.ts'
import { RowCache } from './row-cache.ts'
import { Searcher, type SearchOptions } from './searcher.ts'
import { readTerm, readTermPlaces, Segment, type SegmentInfo } from './segment.ts'
import { goneKey, listKey, positionOf, segmentOf, segmentPrefix } from './segment-keys.ts'
import { SegmentWriter, type Source } from './segment-writer.ts'
import type { Postings } from './postings.ts'

/** A document as it came, analysed. */
export interface NewDocument extends DocumentName {
  /** Higher than of all that came before. */
  readonly position: number
  readonly app: string
  readonly collection: string
  readonly scope: string
  /** Ascending by height. */
  readonly layers: readonly AnalysedLayer[]
}

export interface IndexHit extends DocumentName {
  /** In units of 2^-20. */
  readonly score: number
}

export interface PostingsIndexPorts {
  readonly table: Table
  write<T>(prepare: (batch: StoreBatch) => T): Promise<T>
  /** Others get their turn. */
  pause(): Promise<void>
  /** Of work in the background: waits until it may be tried again. Never rejects. */
  failed(error: unknown): Promise<void>
}

export interface PostingsIndexOptions {
  /** Rows kept in memory, unpacked. */
  readonly cacheBytes: number
  /** What came last stays in memory until it has so many words. */
  readonly memoryWords: number
}

const listShape = struct({
  next: uint(),
  through: uint(),
  segments: array(
    struct({
      segment: uint(),
      documents: uint(),
      from: uint(),
      through: uint(),
      wordRows: uint(),
      bytes: uint(),
    }),
    10_000,
  ),
})

/** So many segments of like size are merged into one. */
const mergeWidth = 4
const rowsPerRemoval = 1_000

/**
 * The postings of one hierarchy: segments on disk that never change, and what came since in memory. Segments are written and
 * merged in the background, a slice at a time; what reads meanwhile reads the old ones. Deleted documents stay in their
 * segment, marked, until it is merged.
 *
 * Nothing here is the only copy: `through` says up to which position documents are in segments, and whoever opens the
 * index adds those that came later once more.
 */
export class PostingsIndex {
  readonly #ports: PostingsIndexPorts
  readonly #cache: RowCache
  readonly #memoryWords: number
  readonly #searcher = new Searcher()
  #segments: Segment[] = []
  /** Being written as a segment. */
  #frozen: MemoryPart | undefined
  #memory = new MemoryPart()
  #next = 1
  #size = 0
  #through = 0
  #working: Promise<void> | undefined
  /** What went while a segment is written or merged: it is marked in the new one, too. */
  #wentMeanwhile: number[] = []

  private constructor(ports: PostingsIndexPorts, { cacheBytes, memoryWords }: PostingsIndexOptions) {
    this.#ports = ports
    this.#cache = new RowCache(cacheBytes)
    this.#memoryWords = memoryWords
  }

  /** Throws STORE_CORRUPT. Rows of a segment that was not finished go. */
  static async open(ports: PostingsIndexPorts, options: PostingsIndexOptions): Promise<PostingsIndex> {
    const index = new PostingsIndex(ports, options)
    const bytes = ports.table.get(listKey)
    const list = bytes && decodeAs(listShape, bytes, 'list of segments')
    index.#next = list?.next ?? 1
    index.#through = list?.through ?? 0
    for (const info of list?.segments ?? []) index.#segments.push(index.#openSegment(info))
    await index.#markGone()
    await index.#removeStrays()
    for (const segment of index.#segments) index.#countAll(segment)
    return index
  }

  /** Documents up to this position are in segments; later ones have to be added anew after a start. */
  get through(): number {
    return this.#through
  }

  /** Documents that are there. */
  get size(): number {
    return this.#size
  }

  get segments(): readonly SegmentInfo[] {
    return this.#segments.map(({ info }) => info)
  }

  /** Whoever reads has all of it at once: a document that is added replaces another by `remove`, in the same turn. */
  add(document: NewDocument): void {
    const { position, item, id, app, collection, scope, layers } = document
    const group = this.#searcher.groupOf([app, collection, scope])
    this.#memory.add({ position, item, id, group, layers })
    this.#searcher.count(this.#memory, this.#memory.documents - 1, 1)
    this.#size++
    if (this.#memory.words >= this.#memoryWords) this.#beginWork()
  }

  /** Into the batch in which the document goes. */
  stageRemoval(batch: StoreBatch, position: number): void {
    this.#ports.table.putIn(batch, goneKey(position), new Uint8Array(0))
  }

  /** After that batch. False where there is none at this position. */
  remove(position: number): boolean {
    for (const part of this.#parts()) {
      const document = documentAt(part, position)
      if (document < 0 || part.gone[document] === 1) continue
      part.gone[document] = 1
      this.#size--
      this.#searcher.count(part, document, -1)
      if (this.#working !== undefined) this.#wentMeanwhile.push(position)
      return true
    }
    return false
  }

  statistics(filter: SearchFilter, clauses: readonly WeighedClause[]): Statistics {
    return this.#searcher.statistics(this.#parts(), filter, clauses)
  }

  search(
    query: ParsedQuery,
    statistics: Statistics,
    filter: SearchFilter,
    options: SearchOptions,
  ): { readonly hits: readonly IndexHit[]; readonly total: number } {
    const { found, total } = this.#searcher.search(this.#parts(), query, statistics, filter, options)
    return { hits: found.map(({ part, document, score }) => ({ ...part.name(document), score })), total }
  }

  /** Everything in segments, and these merged as far as they want to be. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working
  }

  /** What is in memory becomes a segment now. */
  async flush(): Promise<void> {
    await this.settled()
    if (this.#memory.documents > 0) this.#beginWork()
    await this.settled()
  }

  #parts(): readonly Part[] {
    const parts: Part[] = [...this.#segments]
    if (this.#frozen !== undefined) parts.push(this.#frozen)
    parts.push(this.#memory)
    return parts
  }

  /** One at a time. What fails, as on a full disk, is tried again: what it was about is answered from memory meanwhile. */
  #beginWork(): void {
    this.#working ??= this.#work()
      .catch((error: unknown) => this.#ports.failed(error))
      .finally(() => {
        this.#working = undefined
        this.#wentMeanwhile = []
      })
  }

  async #work(): Promise<void> {
    this.#wentMeanwhile = []
    if (this.#frozen === undefined) {
      this.#frozen = this.#memory
      this.#memory = new MemoryPart()
    }
    const frozen = this.#frozen
    const source: Source = {
      part: frozen,
      gone: frozen.gone.slice(),
      words: frozen.terms(),
      postings: (word) => frozen.postings(word) as Postings,
      places: (word) => frozen.places(word),
    }
    await this.#replace([], [source], frozen.positions[frozen.documents - 1] as number, () => {
      this.#frozen = undefined
    })
    for (let run = this.#mergeable(); run !== undefined; run = this.#mergeable()) {
      this.#wentMeanwhile = []
      const sources = run.map((segment): Source => {
        const { table } = this.#ports
        const { segment: number } = segment.info
        const postings = (word: string): Postings => readTerm(table, number, word) as Postings
        const places = (word: string, of: Postings): Uint32Array => readTermPlaces(table, number, word, of)
        return { part: segment, gone: segment.gone.slice(), words: segment.wordsFrom(''), postings, places }
      })
      await this.#replace(run, sources, this.#through, () => undefined)
    }
  }

  /** Neighbours of like size: merged ones are one size up, so that each document is written few times. */
  #mergeable(): readonly Segment[] | undefined {
    for (let at = this.#segments.length - mergeWidth; at >= 0; at--) {
      const run = this.#segments.slice(at, at + mergeWidth)
      const sizes = run.map(({ info }) => info.bytes)
      if (Math.max(...sizes) <= mergeWidth * Math.min(...sizes)) return run
    }
    return undefined
  }

  async #replace(
    old: readonly Segment[],
    sources: readonly Source[],
    through: number,
    alsoSwap: () => void,
  ): Promise<void> {
    const { table, write, pause } = this.#ports
    const groupName = this.#searcher.groupName.bind(this.#searcher)
    const dropped = sources.flatMap(positionsGone)
    const info = await new SegmentWriter({ table, write, pause, groupName }, this.#next).write(sources)
    const next = info === undefined ? [] : [this.#openSegment(info)]
    for (const segment of next) for (const position of this.#wentMeanwhile) markGone(segment, position)
    const at = old.length === 0 ? this.#segments.length : this.#segments.indexOf(old[0] as Segment)
    const segments = this.#segments.toSpliced(at, old.length, ...next)
    await write((batch) => {
      const list = segments.map((one) => one.info)
      table.putIn(batch, listKey, encodeList(this.#next + 1, through, list))
    })
    // In the same turn as what was gone since the new one was opened.
    for (const segment of next) for (const position of this.#wentMeanwhile) markGone(segment, position)
    this.#segments = segments
    this.#next++
    this.#through = through
    alsoSwap()
    await this.#removeRows(dropped.map(goneKey))
    for (const {
      info: { segment },
    } of old)
      await this.#removeSegment(segment)
  }

  async #removeSegment(segment: number): Promise<void> {
    for (;;) {
      const keys = await this.#ports.table.keys({ prefix: segmentPrefix(segment), limit: rowsPerRemoval })
      await this.#removeRows(keys)
      if (keys.length < rowsPerRemoval) return
    }
  }

  async #removeRows(keys: readonly Uint8Array[]): Promise<void> {
    for (let start = 0; start < keys.length; start += rowsPerRemoval) {
      const some = keys.slice(start, start + rowsPerRemoval)
      await this.#ports.write((batch) => {
        for (const key of some) this.#ports.table.deleteIn(batch, key)
      })
      await this.#ports.pause()
    }
  }

  #openSegment(info: SegmentInfo): Segment {
    return Segment.open(this.#ports.table, this.#cache, info, (name) => this.#searcher.groupOf(name))
  }

  /** And lets go of those that name documents of no segment any more, as a crash after a merge leaves them. */
  async #markGone(): Promise<void> {
    const strays: Uint8Array[] = []
    for (let gt: Uint8Array | undefined; ; ) {
      const keys = await this.#ports.table.keys({
        ...(gt ? { gt } : { gte: goneKey(0) }),
        lte: goneKey(Number.MAX_SAFE_INTEGER),
        limit: rowsPerRemoval,
      })
      for (const key of keys) {
        const position = positionOf(key)
        const isKnown = this.#segments.filter((segment) => markGone(segment, position)).length > 0
        if (!isKnown && position <= this.#through) strays.push(key)
      }
      gt = keys.at(-1)
      if (keys.length < rowsPerRemoval) break
    }
    await this.#removeRows(strays)
  }

  /** After a crash: rows of segments that no list names. */
  async #removeStrays(): Promise<void> {
    const known = new Set(this.#segments.map(({ info }) => info.segment))
    let at = 0
    for (;;) {
      const [key] = await this.#ports.table.keys({
        gte: segmentPrefix(at),
        lt: new Uint8Array([0x74]),
        limit: 1,
      })
      if (key === undefined) return
      const segment = segmentOf(key)
      if (!known.has(segment)) await this.#removeSegment(segment)
      this.#next = Math.max(this.#next, segment + 1)
      at = segment + 1
    }
  }

  #countAll(part: Part): void {
    for (let document = 0; document < part.documents; document++) {
      if (part.gone[document] === 1) continue
      this.#size++
      this.#searcher.count(part, document, 1)
    }
  }
}

/** False where it is not of this segment. */
function markGone(segment: Segment, position: number): boolean {
  if (position < segment.info.from || position > segment.info.through) return false
  const document = documentAt(segment, position)
  if (document >= 0) segment.gone[document] = 1
  return document >= 0
}

function positionsGone({ part, gone }: Source): number[] {
  const positions: number[] = []
  for (let document = 0; document < part.documents; document++)
    if (gone[document] === 1) positions.push(part.positions[document] as number)
  return positions
}

function encodeList(next: number, through: number, segments: readonly SegmentInfo[]): Uint8Array {
  return encode([
    next,
    through,
    segments.map(({ segment, documents, from, through: last, wordRows, bytes }) => [
      segment,
      documents,
      from,
      last,
      wordRows,
      bytes,
    ]),
  ])
}
