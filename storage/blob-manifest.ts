import { hash } from 'node:crypto'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { encode } from '../protocol/codec.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { array, bytes, decodeAs, text, tuple, uint } from '../protocol/shape.ts'
import type { BlobManifest } from './types.ts'

/**
 * manifest = [ "onehop/blob/1", size, [SHA-256 of each chunk] ], deterministic CBOR; the blob's id is SHA-256 of
 * it. A chunk's place in the list binds it to its index, and the size binds the last one, so any range verifies
 * on its own.
 */
const label = 'onehop/blob/1'
/** 4 GiB; such a manifest still fits in a frame. */
export const blobChunksMax = 16_384

const shape = tuple(text(16), uint(Number.MAX_SAFE_INTEGER), array(bytes(32), blobChunksMax))

export function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', data, 'buffer'))
}

export function makeManifest(
  size: number,
  chunks: readonly Uint8Array[],
): { manifest: BlobManifest; bytes: Uint8Array } {
  const encoded = encode([label, size, chunks])
  return { manifest: { id: sha256(encoded), size, chunks }, bytes: encoded }
}

export function manifestBytes({ size, chunks }: BlobManifest): Uint8Array {
  return encode([label, size, chunks])
}

export function decodeManifest(id: Uint8Array, encoded: Uint8Array): BlobManifest {
  if (!equalBytes(sha256(encoded), id)) {
    throw new OnehopError('BAD_MESSAGE', `the manifest is not that of blob ${toHex(id)}`)
  }
  const [kind, size, chunks] = decodeAs(shape, encoded, 'blob manifest')
  if (kind !== label || chunks.length !== Math.ceil(size / limits.blobChunkBytes)) {
    throw new OnehopError('BAD_MESSAGE', 'blob manifest: the size does not fit the number of chunks')
  }
  return { id, size, chunks }
}

export function chunkLength(manifest: BlobManifest, index: number): number {
  return Math.min(limits.blobChunkBytes, manifest.size - index * limits.blobChunkBytes)
}

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
