import { OnehopError } from './errors.ts'

export interface CodecLimits {
  /** Encoded bytes. */
  readonly bytesMax?: number
  /** Arrays and maps within each other; a single flat array is 1. */
  readonly depthMax?: number
  /** Data items, map keys included. */
  readonly itemsMax?: number
}

// '__proto__': refused as a key, because any later copy by assignment would lose it or set a prototype.
const protoKey = [0x5f, 0x5f, 0x70, 0x72, 0x6f, 0x74, 0x6f, 0x5f, 0x5f]

/**
 * Walks well-formedness, depth and counts without recursion and without allocating what the bytes claim, so
 * that the recursive decoder behind it only ever sees small, shallow messages. Throws BAD_MESSAGE or TOO_LARGE.
 * What is left for the decoder: shortest forms, UTF-8, order and uniqueness of keys.
 */
export function scan(bytes: Uint8Array, depthMax: number, itemsMax: number): void {
  const end = bytes.length
  // What is still to come in each container around the current one.
  const outerLeft: number[] = []
  const outerIsMap: boolean[] = []
  let left = 1
  let isMap = false
  let items = 1
  let at = 0
  for (;;) {
    while (left === 0) {
      if (outerLeft.length === 0) {
        if (at !== end) throw bad(at, 'bytes after the end')
        return
      }
      left = outerLeft.pop() as number
      isMap = outerIsMap.pop() as boolean
    }
    if (at >= end) throw bad(at, 'cut short')
    left--
    const initial = bytes[at++] as number
    const major = initial >> 5
    const isKey = isMap && (left & 1) === 1
    if (isKey && major !== 3) throw bad(at - 1, 'a map key is not text')
    if (major === 6) throw bad(at - 1, 'tags are not used')
    if (major === 7) {
      at = scanSimple(bytes, at, initial & 31)
      continue
    }
    // The argument: the integer itself, or a length.
    let argument = initial & 31
    if (argument >= 24) {
      if (argument > 27) throw bad(at - 1, argument === 31 ? 'indefinite length' : 'reserved form')
      const width = 1 << (argument - 24)
      if (end - at < width) throw bad(at, 'cut short')
      argument = 0
      for (let i = 0; i < width; i++) argument = argument * 256 + (bytes[at + i] as number)
      // Below -2^63. Asked of the byte: a double rounds up to 2^63 too early.
      if (major === 1 && width === 8 && (bytes[at] as number) > 0x7f) throw bad(at, 'integer out of range')
      at += width
    }
    if (major < 2) continue
    // No item is shorter than one byte, so a length beyond the rest is a lie whatever it counts.
    if (argument > end - at) throw bad(at, 'cut short')
    if (major < 4) {
      if (isKey && argument === 9 && isProtoKey(bytes, at)) throw bad(at, 'the key __proto__')
      at += argument
      continue
    }
    const count = major === 5 ? argument * 2 : argument
    items += count
    if (items > itemsMax) throw new OnehopError('TOO_LARGE', `more than ${itemsMax} items`)
    if (outerLeft.length >= depthMax) throw new OnehopError('TOO_LARGE', `more than ${depthMax} levels`)
    outerLeft.push(left)
    outerIsMap.push(isMap)
    left = count
    isMap = major === 5
  }
}

/** False, true, null and finite floats; returns where the next item starts. */
function scanSimple(bytes: Uint8Array, at: number, info: number): number {
  if (info >= 20 && info <= 22) return at
  if (info < 25 || info > 27) throw bad(at - 1, 'undefined and other simple values are not used')
  const width = 1 << (info - 24)
  if (bytes.length - at < width) throw bad(at, 'cut short')
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  const exponent = width === 2 ? 0x7c00 : width === 4 ? 0x7f80 : 0x7ff0
  if ((high & exponent) === exponent) throw bad(at, 'not a finite number')
  return at + width
}

function isProtoKey(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < protoKey.length; i++) if (bytes[at + i] !== protoKey[i]) return false
  return true
}

function bad(at: number, why: string): OnehopError {
  return new OnehopError('BAD_MESSAGE', `${why} (byte ${at})`)
}
