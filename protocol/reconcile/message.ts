import { OnehopError } from '../errors.ts'
import {
  type Bound,
  boundInfinity,
  boundZero,
  clockInfinity,
  encodeBound,
  idBytes,
  readBound,
} from './bound.ts'
import { fingerprintBytes } from './fingerprint.ts'
import { ByteReader, encodeVarint } from './varint.ts'

/** Negentropy protocol V1. */
export const versionByte = 0x61

export const reconcileLimits = {
  /** What we send: one frame between nodes, less its envelope. */
  messageBytes: 1024 * 1024 - 1024,
  /** Below this a message could hold too little to move forward. */
  messageBytesMin: 4096,
  /** Ranges a peer may send: the most that make sense in one frame (a fingerprint range takes at least 19 bytes). */
  rangesMax: 65_536,
  /** Replies one reconciliation may take: a million differences need about 200, an endless liar is cut off. */
  roundsMax: 1024,
} as const

export type RangePayload =
  | { readonly mode: 'skip' }
  | { readonly mode: 'fingerprint'; readonly fingerprint: Uint8Array }
  | { readonly mode: 'ids'; readonly ids: readonly Uint8Array[] }

/** From the bound of the range before (or zero) up to and without `upper`. */
export type Range = RangePayload & { readonly upper: Bound }

/** Reads the ranges of a message whose version byte was read, one by one. Throws BAD_MESSAGE or TOO_LARGE. */
export class RangeReader {
  readonly #reader: ByteReader
  #before = boundZero
  #count = 0

  constructor(message: Uint8Array) {
    this.#reader = new ByteReader(message.subarray(1))
  }

  /** Undefined after the last. */
  next(): Range | undefined {
    const reader = this.#reader
    if (reader.remaining === 0) return undefined
    if (this.#count++ === reconcileLimits.rangesMax) {
      throw new OnehopError('TOO_LARGE', 'reconcile: too many ranges')
    }
    const upper = readBound(reader, this.#before)
    this.#before = upper
    const mode = reader.varint()
    if (mode === 0n) return { mode: 'skip', upper }
    if (mode === 1n) return { mode: 'fingerprint', upper, fingerprint: reader.bytes(fingerprintBytes) }
    if (mode !== 2n) throw new OnehopError('BAD_MESSAGE', 'reconcile: unknown mode')
    const ids = Array.from({ length: reader.count(idBytes) }, () => reader.bytes(idBytes))
    return { mode: 'ids', upper, ids }
  }
}

/** All at once. */
export function decodeRanges(message: Uint8Array): Range[] {
  const reader = new RangeReader(message)
  const ranges: Range[] = []
  for (let range = reader.next(); range !== undefined; range = reader.next()) ranges.push(range)
  return ranges
}

/** Ids of 32 bytes as keys of a Set. */
export function idKey(id: Uint8Array): string {
  return String.fromCharCode.apply(null, id as unknown as number[])
}

/**
 * A message that grows to a limit. `skipTo` is only written when something follows it: what is left unsaid at
 * the end is skipped anyway.
 */
export class MessageWriter {
  readonly #bytesMax: number
  #bytes = new Uint8Array(4096)
  #length = 0
  #clock = 0n
  #skipped: Bound | undefined

  constructor(bytesMax: number) {
    // Room for a pending skip and the fingerprint of all that did not fit.
    this.#bytesMax = bytesMax - 200
    this.#append([versionByte])
  }

  get length(): number {
    return this.#length
  }

  skipTo(bound: Bound): void {
    this.#skipped = bound
  }

  /** False, and nothing written, when the ranges do not all fit. */
  tryRanges(ranges: readonly Range[]): boolean {
    const mark = { length: this.#length, clock: this.#clock, skipped: this.#skipped }
    for (const range of ranges) this.#range(range)
    if (this.#length <= this.#bytesMax) return true
    this.#length = mark.length
    this.#clock = mark.clock
    this.#skipped = mark.skipped
    return false
  }

  /** How many more ids a list up to any bound can carry. */
  idsThatFit(): number {
    const boundsBytes = 2 * (10 + 1 + idBytes + 1) + 4
    return Math.max(0, Math.floor((this.#bytesMax - this.#length - boundsBytes) / idBytes))
  }

  /** The last range: everything from where the message stands. */
  rest(fingerprint: Uint8Array): void {
    this.#range({ mode: 'fingerprint', upper: boundInfinity, fingerprint })
  }

  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length)
  }

  #range(range: Range): void {
    if (this.#skipped !== undefined) {
      this.#bound(this.#skipped)
      this.#append([0])
      this.#skipped = undefined
    }
    this.#bound(range.upper)
    if (range.mode === 'skip') this.#append([0])
    else if (range.mode === 'fingerprint') {
      this.#append([1])
      this.#append(range.fingerprint)
    } else {
      this.#append([2, ...encodeVarint(range.ids.length)])
      for (const id of range.ids) this.#append(id)
    }
  }

  #bound(bound: Bound): void {
    this.#append(encodeBound(bound, this.#clock))
    if (bound.clock !== clockInfinity) this.#clock = bound.clock
  }

  #append(bytes: ArrayLike<number>): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + bytes.length))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#bytes.set(bytes, this.#length)
    this.#length += bytes.length
  }
}
