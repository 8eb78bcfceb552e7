import { OnehopError } from '../protocol/errors.ts'
import { kvRangeLimit } from './kv.ts'
import type { Kv, KvEntry, KvRange, KvWrite } from './kv.ts'

/**
 * Keys are kept as latin-1 strings, whose order is the order of the bytes, in sorted blocks: one insertion moves
 * at most a block, so a hundred thousand keys stay cheap. For the simulator and tests; nothing survives.
 */
const blockKeysMax = 512

/** Copies are cut from slabs: a typed array with memory of its own costs more than what most keys and values hold. */
const slabBytes = 64 * 1024

export class MemoryKv implements Kv {
  readonly #entries = new Map<string, KvEntry>()
  readonly #blocks: string[][] = []
  #slab = new Uint8Array(0)
  #taken = 0
  #closed = false

  get(key: Uint8Array): Uint8Array | undefined {
    this.#assertOpen()
    return this.#entries.get(keyText(key))?.value
  }

  async getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return keys.map((key) => this.get(key))
  }

  async range(range: KvRange): Promise<KvEntry[]> {
    this.#assertOpen()
    return this.#select(range)
  }

  async keys(range: KvRange): Promise<Uint8Array[]> {
    this.#assertOpen()
    return this.#select(range).map((entry) => entry.key)
  }

  async batch(writes: readonly KvWrite[]): Promise<void> {
    this.#assertOpen()
    for (const write of writes) {
      const text = keyText(write.key)
      if (write.type === 'del') {
        if (this.#entries.delete(text)) this.#remove(text)
      } else {
        if (!this.#entries.has(text)) this.#insert(text)
        this.#entries.set(text, { key: this.#copy(write.key), value: this.#copy(write.value) })
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  #copy(bytes: Uint8Array): Uint8Array {
    if (bytes.length > slabBytes / 8) return bytes.slice()
    if (this.#taken + bytes.length > this.#slab.length) {
      this.#slab = new Uint8Array(slabBytes)
      this.#taken = 0
    }
    const copy = this.#slab.subarray(this.#taken, this.#taken + bytes.length)
    this.#taken += bytes.length
    copy.set(bytes)
    return copy
  }

  #assertOpen(): void {
    if (this.#closed) throw new OnehopError('CLOSED', 'the store is closed')
  }

  #select(range: KvRange): KvEntry[] {
    const limit = range.limit ?? kvRangeLimit
    const low = range.gt ?? range.gte
    const high = range.lt ?? range.lte
    const lowText = low === undefined ? undefined : keyText(low)
    const highText = high === undefined ? undefined : keyText(high)
    const inside = (text: string): boolean =>
      (lowText === undefined || text > lowText || (text === lowText && range.gt === undefined)) &&
      (highText === undefined || text < highText || (text === highText && range.lt === undefined))
    const found: KvEntry[] = []
    const step = range.reverse === true ? -1 : 1
    const start = range.reverse === true ? highText : lowText
    let blockIndex = start === undefined ? (step === 1 ? 0 : this.#blocks.length - 1) : this.#blockOf(start)
    let index: number | undefined
    if (start !== undefined && blockIndex >= 0) {
      const block = this.#blocks[blockIndex] as string[]
      const position = lowerBound(block, start)
      index = step === 1 ? position : block[position] === start ? position : position - 1
    }
    for (; blockIndex >= 0 && blockIndex < this.#blocks.length; blockIndex += step) {
      const block = this.#blocks[blockIndex] as string[]
      index ??= step === 1 ? 0 : block.length - 1
      for (; index >= 0 && index < block.length; index += step) {
        if (found.length >= limit) return found
        const text = block[index] as string
        if (inside(text)) found.push(this.#entries.get(text) as KvEntry)
        // Only the starting bound can be outside before the range begins.
        else if (text !== start) return found
      }
      index = undefined
    }
    return found
  }

  /** Index of the last block that begins at or before `text`; 0 when all begin later. */
  #blockOf(text: string): number {
    let low = 0
    let high = this.#blocks.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.#blocks[middle] as string[])[0]! <= text) low = middle + 1
      else high = middle
    }
    return this.#blocks.length === 0 ? -1 : Math.max(0, low - 1)
  }

  #insert(text: string): void {
    const blockIndex = this.#blockOf(text)
    if (blockIndex < 0) {
      this.#blocks.push([text])
      return
    }
    const block = this.#blocks[blockIndex] as string[]
    block.splice(lowerBound(block, text), 0, text)
    if (block.length > blockKeysMax) this.#blocks.splice(blockIndex + 1, 0, block.splice(blockKeysMax >> 1))
  }

  #remove(text: string): void {
    const blockIndex = this.#blockOf(text)
    const block = this.#blocks[blockIndex] as string[]
    block.splice(lowerBound(block, text), 1)
    if (block.length === 0) this.#blocks.splice(blockIndex, 1)
  }
}

/** A string per key whose order is byte order. */
export function keyText(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function lowerBound(sorted: readonly string[], text: string): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sorted[middle] as string) < text) low = middle + 1
    else high = middle
  }
  return low
}
