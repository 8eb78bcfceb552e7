import type { Postings } from './postings.ts'

type Row = Uint8Array | Uint32Array | readonly string[] | Postings | undefined

/** Rows that were read lately, up to so many bytes: what is searched for again and again is read and unpacked once. */
export class RowCache {
  readonly #halfBytes: number
  #young = new Map<string, Row>()
  #old = new Map<string, Row>()
  #youngBytes = 0

  constructor(bytesMax: number) {
    this.#halfBytes = bytesMax / 2
  }

  postings(key: string, read: () => Postings | undefined): Postings | undefined {
    return this.#get(`t${key}`, read, (postings) => (postings === undefined ? 0 : postings.slots.length * 8))
  }

  places(key: string, read: () => Uint32Array): Uint32Array {
    return this.#get(`p${key}`, read, (places) => places.length * 4)
  }

  words(key: string, read: () => readonly string[]): readonly string[] {
    return this.#get(`w${key}`, read, (words) => words.length * wordBytes)
  }

  names(key: string, read: () => Uint8Array): Uint8Array {
    return this.#get(`n${key}`, read, (row) => row.length)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#youngBytes = 0
  }

  #get<T extends Row>(key: string, read: () => T, bytesOf: (value: T) => number): T {
    if (this.#young.has(key)) return this.#young.get(key) as T
    const value = this.#old.has(key) ? (this.#old.get(key) as T) : read()
    const bytes = bytesOf(value) + key.length * 2 + entryBytes
    if (this.#youngBytes + bytes > this.#halfBytes) {
      this.#old = this.#young
      this.#young = new Map()
      this.#youngBytes = 0
    }
    this.#young.set(key, value)
    this.#youngBytes += bytes
    return value
  }
}

/** What a Map and the objects take beside the bytes, roughly. */
const entryBytes = 100
const wordBytes = 40
