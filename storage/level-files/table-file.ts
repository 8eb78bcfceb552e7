/**
 * LevelDB's tables: blocks one after the other, each with one byte for how it is packed and a sum behind it; at the end 48 bytes that
 * name the block that names the others. LevelDB looks at the sums in a mode alone that its package does not switch on.
 */
import { uncompress } from 'snappyjs'
import { maskedCrc32c } from './crc32c.ts'

const footerBytes = 48
/** Behind every block: how it is packed, and the sum over both. */
const trailerBytes = 5
const magic = 0xdb47_7524_8b80_fb57n
const blockBytesMax = 64 * 2 ** 20
const snappy = 1

export interface Block {
  readonly offset: number
  /** Without what is behind it. */
  readonly bytes: number
}

/**
 * Blocks that are not as they were written, as far as LevelDB would use them; undefined where the table does not even say where
 * they are. For a filter, which makes it overlook entries, the block that names filters stands.
 */
export function damagedBlocks(table: Uint8Array): Block[] | undefined {
  try {
    const { meta, index } = footerOf(table)
    if (!isGood(table, index)) return undefined
    const blocks = [...handlesIn(unpacked(table, index))].filter((block) => !isGood(table, block))
    return isMarked(table, meta) || hasGoodFilters(table, meta) ? blocks : [...blocks, meta]
  } catch (cause) {
    // What is no number, and no packed block, where one should be.
    if (cause instanceof Error) return undefined
    throw cause
  }
}

const marked = 0xff

/** A number that LevelDB knows as no way of packing: it skips such a block, with an error, where it would have believed it. */
export function markBad(table: Uint8Array, { offset, bytes }: Block): void {
  table[offset + bytes] = marked
}

function isMarked(table: Uint8Array, { offset, bytes }: Block): boolean {
  return table[offset + bytes] === marked
}

function hasGoodFilters(table: Uint8Array, meta: Block): boolean {
  return isGood(table, meta) && [...handlesIn(unpacked(table, meta))].every((block) => isGood(table, block))
}

function footerOf(table: Uint8Array): { readonly meta: Block; readonly index: Block } {
  const footer = new Reader(table.subarray(-footerBytes))
  if (footer.u64At(footerBytes - 8) !== magic) throw new RangeError('no table')
  return { meta: footer.block(), index: footer.block() }
}

function isGood(table: Uint8Array, { offset, bytes }: Block): boolean {
  const end = offset + bytes + trailerBytes
  if (end > table.length) return false
  const sum = new DataView(table.buffer, table.byteOffset + end - 4).getUint32(0, true)
  return maskedCrc32c(table.subarray(offset, end - 4)) === sum
}

function unpacked(table: Uint8Array, { offset, bytes }: Block): Uint8Array {
  const packed = table.subarray(offset, offset + bytes)
  return table[offset + bytes] === snappy ? uncompress(packed, blockBytesMax) : packed
}

/** Entries of shared, own and value length, key and value, then the places where they begin anew, and how many of these. */
function* handlesIn(index: Uint8Array): Generator<Block> {
  const view = new DataView(index.buffer, index.byteOffset, index.byteLength)
  const end = index.length - 4 - 4 * view.getUint32(index.length - 4, true)
  const reader = new Reader(index)
  while (reader.at < end) {
    reader.varint()
    const key = reader.varint()
    const value = reader.varint()
    reader.at += key
    const next = reader.at + value
    yield reader.block()
    reader.at = next
  }
}

class Reader {
  at = 0
  readonly #view: DataView

  constructor(bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  block(): Block {
    return { offset: this.varint(), bytes: this.varint() }
  }

  varint(): number {
    let value = 0
    for (let factor = 1; factor <= 2 ** 49; factor *= 128) {
      const byte = this.#view.getUint8(this.at++)
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    throw new RangeError('a number of too many bytes')
  }

  u64At(at: number): bigint {
    return this.#view.getBigUint64(at, true)
  }
}
