/**
 * manifest = ["onehop/blob/1", size, [SHA-256 of each chunk]], deterministic CBOR; the blob is named by the SHA-256 of
 * it. A chunk's place in the list binds it to its index, and the size binds the last one, so any range verifies alone.
 */
import { equalBytes, toHex } from './bytes.ts'
import { encode } from './codec.ts'
import type { CryptoProvider } from './crypto/provider.ts'
import { OnehopError } from './errors.ts'
import { limits } from './limits.ts'
import { array, bytes, decodeAs, literal, struct, uint } from './shape.ts'

const label = 'onehop/blob/1'
/** 4 GiB; such a manifest still fits in a frame. */
export const blobChunksMax = 16_384
const shape = struct({
  label: literal(label),
  size: uint(blobChunksMax * limits.blobChunkBytes),
  chunks: array(bytes(32), blobChunksMax),
})

export interface BlobManifest {
  readonly size: number
  readonly chunks: readonly Uint8Array[]
}

type Hash = Pick<CryptoProvider, 'sha256'>

export function encodeManifest(manifest: BlobManifest): Uint8Array {
  return encode([label, manifest.size, manifest.chunks])
}

/** Throws BAD_MESSAGE when it is not the manifest of that blob. */
export function readManifest(crypto: Hash, blob: Uint8Array, encoded: Uint8Array): BlobManifest {
  if (!equalBytes(crypto.sha256(encoded), blob))
    throw new OnehopError('BAD_MESSAGE', `the manifest is not that of blob ${toHex(blob)}`)
  const { size, chunks } = decodeAs(shape, encoded, 'manifest')
  if (chunks.length !== Math.ceil(size / limits.blobChunkBytes))
    throw new OnehopError('BAD_MESSAGE', 'manifest: the size does not fit the number of chunks')
  return { size, chunks }
}

export function chunkLength({ size }: BlobManifest, index: number): number {
  return Math.min(limits.blobChunkBytes, size - index * limits.blobChunkBytes)
}
