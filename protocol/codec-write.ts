import { encode as cborgEncode, rfc8949EncodeOptions } from 'cborg'
import { utf8Length } from './codec-measure.ts'

const textEncoder = new TextEncoder()
const shortTextUnits = 24

/**
 * Writes a value that was measured or decoded before, and so is known to be one of ours and shallow. cborg's
 * encoder makes the same bytes at a quarter of the speed, and every write and every read needs this; the tests
 * hold the two together.
 */
export class Writer {
  readonly #target: Uint8Array
  #at = 0
  /** Made for the first float. */
  #view: DataView | undefined

  constructor(target: Uint8Array) {
    this.#target = target
  }

  /** Returns how many bytes are written so far. Past the end of the target it throws or writes nothing. */
  write(value: unknown): number {
    if (typeof value === 'string') this.#text(value)
    else if (typeof value === 'number') this.#number(value)
    else if (value instanceof Uint8Array) this.#bytes(value)
    else if (Array.isArray(value)) {
      this.#head(0x80, value.length)
      for (const item of value) this.write(item)
    } else if (value === null) this.#byte(0xf6)
    else if (typeof value === 'boolean') this.#byte(value ? 0xf5 : 0xf4)
    else if (typeof value === 'bigint') this.#bigint(value)
    else this.#map(value as Readonly<Record<string, unknown>>)
    return this.#at
  }

  #byte(byte: number): void {
    this.#target[this.#at++] = byte
  }

  #head(major: number, argument: number): void {
    if (argument < 24) return this.#byte(major | argument)
    if (argument < 0x100) {
      this.#byte(major | 24)
    } else if (argument < 0x10000) {
      this.#byte(major | 25)
      this.#byte(argument >>> 8)
    } else if (argument < 0x1_0000_0000) {
      this.#byte(major | 26)
      this.#upper24(argument)
    } else {
      this.#byte(major | 27)
      const high = Math.floor(argument / 0x1_0000_0000)
      this.#upper24(high)
      this.#byte(high)
      this.#upper24(argument)
    }
    this.#byte(argument)
  }

  /** The three upper bytes of the low 32 bits. */
  #upper24(word: number): void {
    this.#byte(word >>> 24)
    this.#byte(word >>> 16)
    this.#byte(word >>> 8)
  }

  #number(value: number): void {
    if (!Number.isSafeInteger(value)) this.#float(value)
    else if (value < 0) this.#head(0x20, -1 - value)
    else this.#head(0x00, value)
  }

  #float(value: number): void {
    // Most are no shorter than eight bytes, and cborg tries each length by reading it back.
    if (Math.fround(value) === value) return this.#copy(cborgEncode(value, rfc8949EncodeOptions))
    this.#byte(0xfb)
    const { buffer, byteOffset, byteLength } = this.#target
    this.#view ??= new DataView(buffer, byteOffset, byteLength)
    this.#view.setFloat64(this.#at, value)
    this.#at += 8
  }

  #bigint(value: bigint): void {
    const argument = value < 0n ? -1n - value : value
    const major = value < 0n ? 0x20 : 0x00
    if (argument <= Number.MAX_SAFE_INTEGER) return this.#head(major, Number(argument))
    this.#byte(major | 27)
    for (const word of [Number(argument >> 32n), Number(argument & 0xffff_ffffn)]) {
      this.#upper24(word)
      this.#byte(word)
    }
  }

  #bytes(value: Uint8Array): void {
    this.#head(0x40, value.length)
    this.#copy(value)
  }

  #copy(bytes: Uint8Array): void {
    this.#target.set(bytes, this.#at)
    this.#at += bytes.length
  }

  #text(value: string): void {
    const length = utf8Length(value)
    this.#head(0x60, length)
    if (length === value.length && length <= shortTextUnits) {
      for (let i = 0; i < length; i++) this.#byte(value.charCodeAt(i))
    } else {
      this.#at += textEncoder.encodeInto(value, this.#target.subarray(this.#at)).written
    }
  }

  #map(value: Readonly<Record<string, unknown>>): void {
    const keys = Object.keys(value)
    this.#head(0xa0, keys.length)
    if (keys.length > 1) sortKeys(keys)
    for (const key of keys) {
      this.#text(key)
      this.write(value[key])
    }
  }
}

/**
 * Bytewise order of the encoded keys (RFC 8949 section 4.2.1): the head holds the length, so the shorter comes
 * first. UTF-16 units have the order of UTF-8 bytes except around surrogates; by code point they agree.
 */
function sortKeys(keys: string[]): void {
  keys.sort((a, b) => utf8Length(a) - utf8Length(b) || compareCodePoints(a, b))
}

function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue
    // Where the first halves of two pairs are equal, the second halves decide as they are.
    return (a.codePointAt(i) as number) - (b.codePointAt(i) as number)
  }
  return a.length - b.length
}
