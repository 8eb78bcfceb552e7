/** CRC-32C (Castagnoli), as LevelDB has it in its files; Node's zlib has the other polynomial alone. Eight bytes at a step. */
const tables = makeTables()

function crc32c(bytes: Uint8Array): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = tables
  let crc = -1
  let at = 0
  for (; at + 8 <= bytes.length; at += 8) {
    const low =
      crc ^
      (byteAt(bytes, at) |
        (byteAt(bytes, at + 1) << 8) |
        (byteAt(bytes, at + 2) << 16) |
        (byteAt(bytes, at + 3) << 24))
    crc =
      byteOf(t7, low) ^
      byteOf(t6, low >>> 8) ^
      byteOf(t5, low >>> 16) ^
      byteOf(t4, low >>> 24) ^
      byteOf(t3, byteAt(bytes, at + 4)) ^
      byteOf(t2, byteAt(bytes, at + 5)) ^
      byteOf(t1, byteAt(bytes, at + 6)) ^
      byteOf(t0, byteAt(bytes, at + 7))
  }
  for (; at < bytes.length; at++) crc = byteOf(t0, crc ^ byteAt(bytes, at)) ^ (crc >>> 8)
  return ~crc >>> 0
}

/** LevelDB stores sums turned and shifted, so that a sum over bytes that hold sums is a good one. */
export function maskedCrc32c(bytes: Uint8Array): number {
  const crc = crc32c(bytes)
  return (((crc >>> 15) | (crc << 17)) + 0xa282_ead8) >>> 0
}

type Eight<T> = readonly [T, T, T, T, T, T, T, T]

function byteAt(bytes: Uint8Array, at: number): number {
  return bytes[at] as number
}

function byteOf(table: Int32Array, byte: number): number {
  return table[byte & 0xff] as number
}

/** Table n says what a byte does to the sum n bytes later. */
function makeTables(): Eight<Int32Array> {
  const all = Array.from({ length: 8 }, () => new Int32Array(256))
  const [first, ...later] = all as [Int32Array, ...Int32Array[]]
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
    first[byte] = crc
  }
  for (let byte = 0; byte < 256; byte++) {
    let crc = byteOf(first, byte)
    for (const table of later) {
      crc = byteOf(first, crc) ^ (crc >>> 8)
      table[byte] = crc
    }
  }
  return all as unknown as Eight<Int32Array>
}
