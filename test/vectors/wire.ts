/** How bytes stand in a file of vectors, and the ways in which any message may be broken. */
import { readFileSync } from 'node:fs'
import { concatBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { asOnehopError, type ErrorCode } from '../../protocol/errors.ts'

/** Hex; where only the length is of interest, a head, an item that follows it so many times, and a tail. */
export type Spelled =
  | string
  | { readonly head: string; readonly item: string; readonly times: number; readonly tail?: string }

export interface InvalidCase {
  readonly name: string
  readonly bytes: Spelled
  readonly code: ErrorCode
}

export function invalidCases(cases: Readonly<Record<string, Wire>>): InvalidCase[] {
  return Object.entries(cases).map(([name, { spelled, code }]) => ({ name, bytes: spelled, code }))
}

/** Bytes that no encoder of ours writes, or that are too many to be written out. */
export class Wire {
  readonly spelled: Spelled
  readonly code: ErrorCode

  constructor(spelled: Spelled, code: ErrorCode = 'BAD_MESSAGE') {
    this.spelled = spelled
    this.code = code
  }
}

export function raw(bytes: Uint8Array, code?: ErrorCode): Wire {
  return new Wire(toHex(bytes), code)
}

/** An array of `times` equal items, with what stands before it in the message. */
export function arrayOf(times: number, item: unknown, ...before: readonly Uint8Array[]): Wire {
  const head = encode(Array.from({ length: times }, () => 0)).subarray(0, -times)
  return new Wire({ head: toHex(concatBytes(...before, head)), item: toHex(encode(item)), times })
}

/** A byte string of so many zeros, with what stands before it in the message. */
export function zeros(length: number, code: ErrorCode, ...before: readonly Uint8Array[]): Wire {
  const head = encode(new Uint8Array(length), { bytesMax: length + 9 }).subarray(0, -length)
  return new Wire({ head: toHex(concatBytes(...before, head)), item: '00', times: length }, code)
}

export function followedBy({ spelled, code }: Wire, ...after: readonly Uint8Array[]): Wire {
  const tail = toHex(concatBytes(...after))
  return new Wire(typeof spelled === 'string' ? spelled + tail : { ...spelled, tail }, code)
}

/** A text whose bytes are not UTF-8. */
export const brokenText = Uint8Array.of(0x62, 0xc3, 0x28)

/** What is wrong with the bytes alone, whatever they were meant to say. */
export function framing(good: Uint8Array): Readonly<Record<string, Wire>> {
  const first = good[0] as number
  const info = first & 31
  const isArray = first >> 5 === 4
  const headLength = info < 24 ? 1 : 1 + (1 << (info - 24))
  const argument = headLength === 1 ? Uint8Array.of(info) : good.subarray(1, headLength)
  const width = headLength === 1 ? 1 : (headLength - 1) * 2
  const longer = new Uint8Array(width)
  longer.set(argument, width - argument.length)
  const major = first & 0xe0
  const rest = good.subarray(headLength)
  return {
    'no bytes at all': raw(new Uint8Array()),
    'cut short': raw(good.subarray(0, -1)),
    'a byte behind it': raw(concatBytes(good, new Uint8Array(1))),
    'a head longer than need be': raw(
      concatBytes(Uint8Array.of(major | (24 + Math.log2(width))), longer, rest),
    ),
    ...(isArray && {
      'an array of no told length': raw(concatBytes(Uint8Array.of(0x9f), rest, Uint8Array.of(0xff))),
    }),
    'a map in its place': raw(encode({})),
    'a length beyond all bytes': raw(Uint8Array.of(0x9b, 0, 0, 0, 1, 0, 0, 0, 0)),
    'seventeen levels': raw(
      Uint8Array.from({ length: 17 }, (_, level) => (level < 16 ? 0x81 : 0x80)),
      'TOO_LARGE',
    ),
  }
}

export function unspell(spelled: Spelled): Uint8Array {
  if (typeof spelled === 'string') return unhex(spelled)
  const item = unhex(spelled.item)
  const bytes = new Uint8Array(item.length * spelled.times)
  for (let i = 0; i < spelled.times; i++) bytes.set(item, i * item.length)
  return concatBytes(unhex(spelled.head), bytes, unhex(spelled.tail ?? ''))
}

export function unhex(text: string): Uint8Array {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error('the vector is not hex')
  return bytes
}

/** The code that the action throws. */
export function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    return asOnehopError(error).code
  }
  return 'taken'
}

export function readVectors(name: string): unknown {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8'))
}
