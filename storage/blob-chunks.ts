import { OnehopError } from '../protocol/errors.ts'
import { blobChunksMax } from '../protocol/blob-manifest.ts'
import { limits } from '../protocol/limits.ts'

/** Cuts parts of any size into chunks. */
export async function* chunksOf(
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  bytesMax: number,
): AsyncGenerator<Uint8Array> {
  let chunk = new Uint8Array(limits.blobChunkBytes)
  let used = 0
  let total = 0
  for await (const part of parts) {
    total += part.length
    if (total > Math.min(bytesMax, blobChunksMax * limits.blobChunkBytes)) {
      throw new OnehopError('TOO_LARGE', `a blob of more than ${bytesMax} bytes`)
    }
    for (let offset = 0; offset < part.length; ) {
      const piece = part.subarray(offset, offset + chunk.length - used)
      chunk.set(piece, used)
      used += piece.length
      offset += piece.length
      if (used === chunk.length) {
        yield chunk
        chunk = new Uint8Array(limits.blobChunkBytes)
        used = 0
      }
    }
  }
  if (used > 0) yield chunk.slice(0, used)
}
