/**
 * Headers as nearly all of them are, read by hand: every record of every replica passes here, and the codec with its
 * shapes takes five times as long. Whatever looks unusual is left to them: what this reader takes they take with the
 * same outcome (a test holds it to that), and only they refuse.
 */
import { utf8 } from '../bytes.ts'
import { contexts } from '../context.ts'
import { limits } from '../limits.ts'

export interface WireSection {
  readonly audience: 'public' | 'followers' | 'private' | Uint8Array
  readonly heights: Record<string, number>
  readonly epoch: number
  readonly length: number
  readonly hash: Uint8Array
}

/** The fields of a header as they stand on the wire, each within its own bounds; rules between them are header.ts's. */
export interface WireHeader {
  readonly owner: Uint8Array
  readonly author: Uint8Array | undefined
  readonly app: string
  readonly collection: string
  readonly key: Uint8Array
  readonly merge: 'register' | 'append'
  readonly device: Uint8Array
  readonly number: number
  readonly clock: bigint
  readonly operation: 'put' | 'delete'
  readonly schema: Uint8Array
  readonly expiresMs: number | undefined
  readonly sections: WireSection[]
}

export interface SectionBounds {
  readonly lengthMin: number
}

const audiences = ['public', 'followers', 'private'] as const
const nullByte = 0xf6
/** Array of 15, the context, version 1. */
const opening = Uint8Array.of(0x8f, 0x60 + contexts.record.length, ...utf8(contexts.record), 1)

/** Undefined when the codec should have a look. */
export function readHeader(bytes: Uint8Array, bounds: SectionBounds): WireHeader | undefined {
  if (bytes.length > limits.recordHeaderBytesMax || bytes.length < opening.length) return undefined
  for (let i = 0; i < opening.length; i++) if (bytes[i] !== opening[i]) return undefined
  const reader = new HeaderReader(bytes, opening.length)
  const header: WireHeader = {
    owner: reader.id(),
    author: reader.isNull() ? undefined : reader.id(),
    app: reader.name(),
    collection: reader.name(),
    key: reader.key(),
    merge: reader.uint(1) === 0 ? 'register' : 'append',
    device: reader.id(),
    number: reader.uint(Number.MAX_SAFE_INTEGER, 1),
    clock: reader.clock(),
    operation: reader.uint(1) === 0 ? 'put' : 'delete',
    schema: reader.id(),
    expiresMs: reader.isNull() ? undefined : reader.uint(Number.MAX_SAFE_INTEGER),
    sections: reader.sections(bounds),
  }
  return reader.isWhole() ? header : undefined
}

const noBytes = new Uint8Array(0)

/** The same few apps, collections and scopes in record after record: a name that was met is compared, not made again. */
const metMax = 64
const met = new Array<string>(metMax).fill('')

/** Once something is unusual it stays so, whatever is read after it. */
class HeaderReader {
  readonly #bytes: Uint8Array
  #at: number
  #isUnusual = false

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  isWhole(): boolean {
    return !this.#isUnusual && this.#at === this.#bytes.length
  }

  isNull(): boolean {
    if (this.#bytes[this.#at] !== nullByte) return false
    this.#at++
    return true
  }

  id(): Uint8Array {
    if (this.#bytes[this.#at] !== 0x58 || this.#bytes[this.#at + 1] !== 32) return this.#unusual(noBytes)
    return this.#take(2, 32)
  }

  key(): Uint8Array {
    const initial = this.#bytes[this.#at] ?? 0
    if (initial >= 0x40 && initial < 0x58) return this.#take(1, initial - 0x40)
    const length = this.#bytes[this.#at + 1] ?? 0
    if (initial !== 0x58 || length < 24 || length > limits.recordKeyBytesMax) return this.#unusual(noBytes)
    return this.#take(2, length)
  }

  /** Plain ASCII, not empty. */
  name(): string {
    const initial = this.#bytes[this.#at++] ?? 0
    let length = initial - 0x60
    if (initial === 0x78) {
      length = this.#bytes[this.#at++] ?? 0
      if (length < 24) return this.#unusual('')
    } else if (length >= 24) return this.#unusual('')
    if (length < 1 || length > limits.nameBytesMax) return this.#unusual('')
    const end = this.#at + length
    const slot = (length * 31 + (this.#bytes[this.#at] ?? 0) * 7 + (this.#bytes[end - 1] ?? 0)) % metMax
    const known = met[slot] as string
    if (known.length === length && this.#isNext(known)) {
      this.#at = end
      return known
    }
    let text = ''
    for (; this.#at < end; this.#at++) {
      const code = this.#bytes[this.#at] ?? 0
      if (code < 0x20 || code > 0x7e) return this.#unusual('')
      text += String.fromCharCode(code)
    }
    met[slot] = text
    return text
  }

  #isNext(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (this.#bytes[this.#at + i] !== text.charCodeAt(i)) return false
    return true
  }

  uint(max: number, min = 0): number {
    const value = this.#head(0)
    return value >= min && value <= max ? value : this.#unusual(0)
  }

  /** Clocks of our age take all eight bytes; 2^64-1 is none. */
  clock(): bigint {
    const bytes = this.#bytes
    if (bytes[this.#at] !== 0x1b || this.#at + 9 > bytes.length) return this.#unusual(0n)
    const high = this.#uint32(this.#at + 1)
    const low = this.#uint32(this.#at + 5)
    if (high === 0 || (high === 0xffff_ffff && low === 0xffff_ffff)) return this.#unusual(0n)
    this.#at += 9
    return (BigInt(high) << 32n) | BigInt(low)
  }

  sections(bounds: SectionBounds): WireSection[] {
    const count = (this.#bytes[this.#at++] ?? 0) - 0x80
    const sections: WireSection[] = []
    if (count < 0 || count > Math.min(limits.recordSectionsMax, 23)) return this.#unusual(sections)
    for (let i = 0; i < count && !this.#isUnusual; i++) {
      if (this.#bytes[this.#at++] !== 0x85) return this.#unusual(sections)
      sections.push({
        audience: this.#audience(),
        heights: this.#heights(),
        epoch: this.uint(Number.MAX_SAFE_INTEGER),
        length: this.uint(limits.recordBytesMax, bounds.lengthMin),
        hash: this.id(),
      })
    }
    return sections
  }

  #audience(): WireSection['audience'] {
    const name = audiences[this.#bytes[this.#at] ?? 0xff]
    if (name === undefined) return this.id()
    this.#at++
    return name
  }

  /** In the codec's order of keys: the shorter first, then by bytes. */
  #heights(): Record<string, number> {
    const count = (this.#bytes[this.#at++] ?? 0) - 0xa0
    const heights = Object.create(null) as Record<string, number>
    if (count < 0 || count > Math.min(limits.hierarchiesMax, 23)) return this.#unusual(heights)
    let before = ''
    for (let i = 0; i < count; i++) {
      const key = this.name()
      const isAfter = key.length > before.length || (key.length === before.length && key > before)
      if (!isAfter || key === '__proto__') return this.#unusual(heights)
      heights[key] = this.uint(limits.scopeDepthMax)
      before = key
    }
    return heights
  }

  /** The argument of a shortest head of this major type; -1 when it is none, or beyond the safe integers. */
  #head(major: number): number {
    const initial = this.#bytes[this.#at++] ?? 0xff
    if (initial >> 5 !== major) return -1
    const info = initial & 31
    if (info < 24) return info
    if (info > 27) return -1
    const width = 1 << (info - 24)
    if (this.#at + width > this.#bytes.length) return -1
    let value = 0
    for (let i = 0; i < width; i++) value = value * 256 + (this.#bytes[this.#at++] as number)
    const least = width === 1 ? 24 : width === 2 ? 0x100 : width === 4 ? 0x1_0000 : 0x1_0000_0000
    return value >= least && value <= Number.MAX_SAFE_INTEGER ? value : -1
  }

  #uint32(at: number): number {
    const bytes = this.#bytes
    return (
      (bytes[at] as number) * 0x100_0000 +
      (((bytes[at + 1] as number) << 16) | ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number))
    )
  }

  /** A copy, as the codec makes. */
  #take(headBytes: number, length: number): Uint8Array {
    const start = this.#at + headBytes
    this.#at = start + length
    return this.#at > this.#bytes.length ? this.#unusual(noBytes) : this.#bytes.slice(start, this.#at)
  }

  #unusual<T>(value: T): T {
    this.#isUnusual = true
    return value
  }
}
