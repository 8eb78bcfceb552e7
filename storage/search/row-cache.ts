import type { Postings } from './postings.ts'

/** Rows that were read lately, up to so many bytes: what is searched for again and again is read and unpacked once. */
export class RowCache {
  readonly #halfBytes: number
  #young = new Map<string, Uint8Array | Postings | undefined>()
  #old = new Map<string, Uint8Array | Postings | undefined>()
  #youngBytes = 0

  constructor(bytesMax: number) {
    this.#halfBytes = bytesMax / 2
  }

  postings(key: string, read: () => Postings | undefined): Postings | undefined {
    return this.#get(`t${key}`, read, (postings) => (postings === undefined ? 0 : postings.slots.length * 8))
  }

  names(key: string, read: () => Uint8Array): Uint8Array {
    return this.#get(`n${key}`, read, (row) => row.length)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#youngBytes = 0
  }

  #get<T extends Uint8Array | Postings | undefined>(
    key: string,
    read: () => T,
    bytesOf: (value: T) => number,
  ): T {
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
