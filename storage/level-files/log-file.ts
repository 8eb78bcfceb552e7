/**
 * LevelDB's log: blocks of 32 KiB, in each chunks of sum 4, length 2, kind 1 and that many bytes. A batch is one chunk, or a first, some
 * middle and a last one. The sum is over kind and bytes; a chunk never crosses a block, and what is too short for a header is zero.
 */
import { concatBytes } from '../../protocol/bytes.ts'
import { maskedCrc32c } from './crc32c.ts'

const blockBytes = 32_768
const headerBytes = 7
const [full, first, middle, last] = [1, 2, 3, 4]

export interface LogContent {
  /** Those whose every chunk is as it was written. */
  readonly batches: readonly Uint8Array[]
  /** Not all of it is in `batches`: damaged, or cut short by a power cut as it was written. */
  readonly isCut: boolean
  /** A batch that is whole lies behind bytes that are not: no power cut does that, which takes the end. */
  readonly isDamaged: boolean
}

export function readLog(bytes: Uint8Array): LogContent {
  const batches: Uint8Array[] = []
  let parts: Uint8Array[] = []
  let isBroken = false
  let isDamaged = false
  for (const chunk of chunksOf(bytes)) {
    if (chunk === 'bad') {
      isBroken = true
      parts = []
      continue
    }
    const begins = chunk.kind === full || chunk.kind === first
    const fits = begins ? parts.length === 0 : parts.length > 0
    if (!fits) isBroken = true
    if (begins) parts = [chunk.bytes]
    else if (parts.length > 0) parts.push(chunk.bytes)
    if (parts.length === 0 || chunk.kind === first || chunk.kind === middle) continue
    // The rest of a batch that has no beginning counts for nothing; one that begins later does.
    if (isBroken) isDamaged = true
    batches.push(concatBytes(...parts))
    parts = []
  }
  return { batches, isCut: isBroken || parts.length > 0, isDamaged }
}

interface Chunk {
  readonly kind: number
  readonly bytes: Uint8Array
}

function* chunksOf(bytes: Uint8Array): Generator<Chunk | 'bad'> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let block = 0; block < bytes.length; block += blockBytes) {
    const end = Math.min(block + blockBytes, bytes.length)
    for (let at = block; at + headerBytes <= end; ) {
      const length = view.getUint16(at + 4, true)
      const kind = bytes[at + 6] as number
      const next = at + headerBytes + length
      const isGood =
        kind >= full &&
        kind <= last &&
        next <= end &&
        maskedCrc32c(bytes.subarray(at + 6, next)) === view.getUint32(at, true)
      // Its length may be what is wrong: then nothing good follows before the next block.
      yield isGood ? { kind, bytes: bytes.subarray(at + headerBytes, next) } : 'bad'
      at = next
    }
  }
}

/** A log of these batches. */
export function writeLog(batches: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = []
  let used = 0
  const put = (part: Uint8Array): void => {
    parts.push(part)
    used = (used + part.length) % blockBytes
  }
  for (const batch of batches) {
    let at = 0
    do {
      if (blockBytes - used < headerBytes) put(new Uint8Array(blockBytes - used))
      const length = Math.min(batch.length - at, blockBytes - used - headerBytes)
      const [begins, ends] = [at === 0, at + length === batch.length]
      const kind = begins ? (ends ? full : first) : ends ? last : middle
      put(chunkOf(kind, batch.subarray(at, at + length)))
      at += length
    } while (at < batch.length)
  }
  return concatBytes(...parts)
}

function chunkOf(kind: number, bytes: Uint8Array): Uint8Array {
  const chunk = new Uint8Array(headerBytes + bytes.length)
  const view = new DataView(chunk.buffer)
  chunk[6] = kind
  chunk.set(bytes, headerBytes)
  view.setUint16(4, bytes.length, true)
  view.setUint32(0, maskedCrc32c(chunk.subarray(6)), true)
  return chunk
}
