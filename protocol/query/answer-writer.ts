import { utf8 } from '../bytes.ts'
import { utf8Length } from '../codec-measure.ts'

/**
 * Writes deterministic CBOR of arrays, texts, integers and byte strings straight into its place: an answer is
 * mostly stored records, and each is copied once. (The codec walks every value twice and builds tokens.)
 */
export class AnswerWriter {
  readonly target: Uint8Array
  #offset = 0

  constructor(length: number) {
    this.target = new Uint8Array(length)
  }

  uint(value: number): void {
    this.#head(0, value)
  }

  u64(value: bigint): void {
    if (value < 0x1_0000_0000n) return this.#head(0, Number(value))
    this.target[this.#offset++] = 27
    new DataView(this.target.buffer).setBigUint64(this.#offset, value)
    this.#offset += 8
  }

  bytes(value: Uint8Array): void {
    this.#head(2, value.length)
    this.target.set(value, this.#offset)
    this.#offset += value.length
  }

  text(value: string): void {
    const bytes = utf8(value)
    this.#head(3, bytes.length)
    this.target.set(bytes, this.#offset)
    this.#offset += bytes.length
  }

  array(length: number): void {
    this.#head(4, length)
  }

  map(length: number): void {
    this.#head(5, length)
  }

  null(): void {
    this.target[this.#offset++] = 0xf6
  }

  #head(major: number, value: number): void {
    const { target } = this
    const lead = major << 5
    if (value < 24) target[this.#offset++] = lead | value
    else if (value < 0x100) {
      target[this.#offset++] = lead | 24
      target[this.#offset++] = value
    } else if (value < 0x1_0000) {
      target[this.#offset++] = lead | 25
      target[this.#offset++] = value >>> 8
      target[this.#offset++] = value & 0xff
    } else if (value < 0x1_0000_0000) {
      target[this.#offset++] = lead | 26
      for (let shift = 24; shift >= 0; shift -= 8) target[this.#offset++] = (value >>> shift) & 0xff
    } else {
      target[this.#offset++] = lead | 27
      new DataView(target.buffer).setBigUint64(this.#offset, BigInt(value))
      this.#offset += 8
    }
  }
}

/** Bytes of an integer, or of the head of what has this length. */
export function headLength(value: number | bigint): number {
  return value < 24 ? 1 : value < 0x100 ? 2 : value < 0x1_0000 ? 3 : value < 0x1_0000_0000 ? 5 : 9
}

export function bytesLength(value: Uint8Array): number {
  return headLength(value.length) + value.length
}

export function textLength(value: string): number {
  const length = utf8Length(value)
  return headLength(length) + length
}
