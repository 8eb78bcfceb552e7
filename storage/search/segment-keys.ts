import { concatBytes, utf8 } from '../../protocol/bytes.ts'

/** Rows of one index, in a table of its own. README.md has them. */
export const listKey = utf8('l')

const zero = new Uint8Array(1)
const [goneTag, segmentTag] = [utf8('g'), utf8('s')] as const
const [columnsTag, namesTag, placesTag, termTag, wordsTag] = ['c', 'n', 'p', 't', 'w'].map(utf8) as [
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
  Uint8Array,
]

/** A document that was deleted or replaced after its segment was written. */
export function goneKey(position: number): Uint8Array {
  return concatBytes(goneTag, number(position, 8))
}

export function positionOf(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset + 1, 8).getBigUint64(0))
}

export function segmentPrefix(segment: number): Uint8Array {
  return concatBytes(segmentTag, number(segment, 6))
}

export function segmentOf(key: Uint8Array): number {
  const wide = new Uint8Array(8)
  wide.set(key.subarray(1, 7), 2)
  return Number(new DataView(wide.buffer).getBigUint64(0))
}

/** So many documents' columns. */
export function columnsKey(segment: number, chunk: number): Uint8Array {
  return concatBytes(segmentPrefix(segment), columnsTag, number(chunk, 4))
}

export function namesKey(segment: number, chunk: number): Uint8Array {
  return concatBytes(segmentPrefix(segment), namesTag, number(chunk, 4))
}

/** Terms in order, so many in a row, for prefixes and near misses. */
export function wordsKey(segment: number, chunk: number): Uint8Array {
  return concatBytes(segmentPrefix(segment), wordsTag, number(chunk, 4))
}

/** The first of a term's rows is under the term alone; no term has a zero in it. */
export function termKey(segment: number, term: string, block = 0): Uint8Array {
  const first = concatBytes(segmentPrefix(segment), termTag, utf8(term))
  return block === 0 ? first : concatBytes(first, zero, number(block, 3))
}

/** Where in the texts the term stands: read for phrases alone. In as many rows as its postings. */
export function placesKey(segment: number, term: string, block: number): Uint8Array {
  return concatBytes(segmentPrefix(segment), placesTag, utf8(term), zero, number(block, 3))
}

/** Big-endian, so that the order of bytes is that of numbers. */
function number(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let rest = value
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return bytes
}
