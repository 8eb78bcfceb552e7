import { concatBytes, utf8 } from '../../protocol/bytes.ts'
import type { StoreBatch, Table } from '../types.ts'
import { NumberWriter } from './leb128.ts'
import type { Part } from './part.ts'
import type { GroupName } from './searcher.ts'
import { PlacesWriter, type Postings, PostingsWriter } from './postings.ts'
import { documentsPerColumns, documentsPerNames, type SegmentInfo } from './segment.ts'
import { columnsKey, namesKey, placesKey, termKey, wordsKey } from './segment-keys.ts'

/** Of a term's postings in one row: some tens of kilobytes. */
const postingsPerBlock = 16_384
const wordsPerRow = 1_024

/** A part whose terms can be gone through in order. */
export interface Source {
  readonly part: Part
  /** By document, as it was when the work began: what goes meanwhile is marked afterwards. */
  readonly gone: Uint8Array
  /** In the order of their bytes. */
  readonly words: Iterable<string>
  /** Of a word of these. Not by way of what searches keep in memory. */
  postings(word: string): Postings
  /** Of a word whose postings are these. */
  places(word: string, postings: Postings): Uint32Array
}

export interface WriterPorts {
  readonly table: Table
  write<T>(prepare: (batch: StoreBatch) => T): Promise<T>
  /** Others get their turn. */
  pause(): Promise<void>
  groupName(group: number): GroupName
}

/** On their way in one batch, so that writes in between do not wait long. */
const sliceBytes = 2 * 2 ** 20
const sliceRows = 8_192

/** The rows of one segment, a slice at a time; nobody reads them before the list of segments names it. */
export class SegmentWriter {
  readonly #ports: WriterPorts
  readonly #segment: number
  #rows: { readonly key: Uint8Array; readonly value: Uint8Array }[] = []
  #pending = 0
  #written = 0
  #words: string[] = []
  #wordRows = 0

  constructor(ports: WriterPorts, segment: number) {
    this.#ports = ports
    this.#segment = segment
  }

  /** Of the documents of all sources that are not gone, in their order. Undefined where none is left. */
  async write(sources: readonly Source[]): Promise<SegmentInfo | undefined> {
    const kept = sources.map(keptOf)
    const documents = kept.reduce((sum, one) => sum + one.documents, 0)
    if (documents === 0) return undefined
    const [from, through] = await this.#writeDocuments(sources)
    await this.#writeTerms(sources, kept)
    await this.#flush()
    return {
      segment: this.#segment,
      documents,
      from,
      through,
      wordRows: this.#wordRows,
      bytes: this.#written,
    }
  }

  async #writeDocuments(sources: readonly Source[]): Promise<[from: number, through: number]> {
    let from = -1
    let through = 0
    let documents = 0
    let names: Uint8Array[] = []
    let columns = new Columns(this.#ports)
    for (const { part, gone } of sources) {
      for (let document = 0; document < part.documents; document++) {
        if (gone[document] === 1) continue
        through = part.positions[document] as number
        if (from < 0) from = through
        columns.add(part, document)
        const { item, id } = part.name(document)
        names.push(item, id)
        documents++
        if (documents % documentsPerNames === 0) {
          await this.#put(namesKey(this.#segment, documents / documentsPerNames - 1), concatBytes(...names))
          names = []
        }
        if (documents % documentsPerColumns === 0) {
          await this.#put(columnsKey(this.#segment, documents / documentsPerColumns - 1), columns.take())
          columns = new Columns(this.#ports)
        }
      }
    }
    if (names.length > 0)
      await this.#put(
        namesKey(this.#segment, Math.floor(documents / documentsPerNames)),
        concatBytes(...names),
      )
    if (documents % documentsPerColumns !== 0)
      await this.#put(columnsKey(this.#segment, Math.floor(documents / documentsPerColumns)), columns.take())
    return [from, through]
  }

  async #writeTerms(sources: readonly Source[], kept: readonly Kept[]): Promise<void> {
    const starts: number[] = []
    let slots = 0
    for (const one of kept) {
      starts.push(slots)
      slots += one.slots
    }
    for (const { term, at } of merged(sources.map(({ words }) => words))) {
      const blocks: Block[] = []
      const writer = new PostingsWriter()
      const placesWriter = new PlacesWriter()
      const end = (): void => {
        const { count } = writer
        if (count > 0) blocks.push({ count, postings: writer.take(), places: placesWriter.take() })
      }
      for (const index of at) {
        const source = sources[index] as Source
        const { slotAt } = kept[index] as Kept
        const postings = source.postings(term)
        const places = source.places(term, postings)
        let place = 0
        for (let i = 0; i < postings.slots.length; i++) {
          const frequency = postings.frequencies[i] as number
          const slot = slotAt[postings.slots[i] as number] as number
          if (slot !== goneSlot) {
            writer.add((starts[index] as number) + slot, frequency)
            placesWriter.add(places, place, frequency)
            if (writer.count === postingsPerBlock) end()
          }
          place += frequency
        }
      }
      end()
      if (blocks.length > 0) await this.#putTerm(term, blocks)
    }
    await this.#putWords()
  }

  async #putTerm(term: string, blocks: readonly Block[]): Promise<void> {
    const head = new NumberWriter()
    head.write(blocks.length)
    for (const { count } of blocks) head.write(count)
    for (const [i, { postings, places }] of blocks.entries()) {
      await this.#put(
        termKey(this.#segment, term, i),
        i === 0 ? concatBytes(head.take(), postings) : postings,
      )
      await this.#put(placesKey(this.#segment, term, i), places)
    }
    this.#words.push(term)
    if (this.#words.length === wordsPerRow) await this.#putWords()
  }

  async #putWords(): Promise<void> {
    if (this.#words.length === 0) return
    const words = this.#words
    this.#words = []
    await this.#put(wordsKey(this.#segment, this.#wordRows++), utf8(words.join('\n')))
  }

  async #put(key: Uint8Array, value: Uint8Array): Promise<void> {
    this.#rows.push({ key, value })
    this.#pending += key.length + value.length
    if (this.#pending >= sliceBytes || this.#rows.length >= sliceRows) await this.#flush()
  }

  async #flush(): Promise<void> {
    const rows = this.#rows
    this.#rows = []
    this.#written += this.#pending
    this.#pending = 0
    await this.#ports.write((batch) => {
      for (const { key, value } of rows) this.#ports.table.putIn(batch, key, value)
    })
    await this.#ports.pause()
  }
}

interface Block {
  readonly count: number
  readonly postings: Uint8Array
  readonly places: Uint8Array
}

const goneSlot = 0xffffffff

interface Kept {
  readonly documents: number
  readonly slots: number
  /** By slot of the source: the slot among those that are kept. */
  readonly slotAt: Uint32Array
}

function keptOf({ part, gone }: Source): Kept {
  const slotAt = new Uint32Array(part.firstSlots[part.documents] as number)
  let documents = 0
  let slots = 0
  for (let document = 0; document < part.documents; document++) {
    const isGone = gone[document] === 1
    if (!isGone) documents++
    const end = part.firstSlots[document + 1] as number
    for (let slot = part.firstSlots[document] as number; slot < end; slot++)
      slotAt[slot] = isGone ? goneSlot : slots++
  }
  return { documents, slots, slotAt }
}

/** The columns of one chunk of documents. */
class Columns {
  readonly #ports: Pick<WriterPorts, 'groupName'>
  readonly #numbers = new NumberWriter()
  readonly #groups = new Map<number, number>()
  #position = 0

  constructor(ports: Pick<WriterPorts, 'groupName'>) {
    this.#ports = ports
  }

  add(part: Part, document: number): void {
    const group = part.groups[document] as number
    let local = this.#groups.get(group)
    if (local === undefined) this.#groups.set(group, (local = this.#groups.size))
    const position = part.positions[document] as number
    const numbers = this.#numbers
    numbers.write(position - this.#position)
    this.#position = position
    numbers.write(local)
    numbers.write(part.idHeads[document] as number)
    const [first, end] = [part.firstSlots[document] as number, part.firstSlots[document + 1] as number]
    numbers.write(end - first)
    for (let slot = first; slot < end; slot++) {
      numbers.write(part.heights[slot] as number)
      numbers.write(part.lengths[slot] as number)
    }
  }

  take(): Uint8Array {
    const head = new NumberWriter()
    head.write(this.#groups.size)
    for (const group of this.#groups.keys()) {
      for (const name of this.#ports.groupName(group)) {
        const bytes = utf8(name)
        head.write(bytes.length)
        head.bytes(bytes)
      }
    }
    return concatBytes(head.take(), this.#numbers.take())
  }
}

/** Words of several sources in order, each once, and which of the sources have it. */
function* merged(
  sources: readonly Iterable<string>[],
): Generator<{ readonly term: string; readonly at: readonly number[] }> {
  const iterators = sources.map((words) => words[Symbol.iterator]())
  const next = iterators.map((one) => one.next().value as string | undefined)
  for (;;) {
    let term: string | undefined
    for (const word of next) if (word !== undefined && (term === undefined || word < term)) term = word
    if (term === undefined) return
    const at = next.flatMap((word, i) => (word === term ? [i] : []))
    yield { term, at }
    for (const i of at) next[i] = iterators[i]?.next().value as string | undefined
  }
}
