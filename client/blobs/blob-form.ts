import { blobChunksMax } from '../../protocol/blob-manifest.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import {
  openChunk,
  sealChunk,
  sealedChunkPlainBytes,
  sealedFileBytesMax,
  sealedLength,
  type ChunkPlace,
} from '../../protocol/sealed-blob.ts'

/** How a file lies in the chunks of its blob: as it is, or sealed. */
export interface BlobForm {
  /** Of the file, in a whole chunk. */
  readonly chunkBytes: number
  readonly fileBytesMax: number
  /** Of the file and the zeros behind it. */
  paddedBytes(fileBytes: number): number
  /** Of the whole blob. */
  blobBytes(fileBytes: number): number
  toChunk(place: ChunkPlace, plain: Uint8Array): Uint8Array
  /** Undefined when it does not open. */
  fromChunk(place: ChunkPlace, chunk: Uint8Array): Uint8Array | undefined
}

export const plainForm: BlobForm = {
  chunkBytes: limits.blobChunkBytes,
  fileBytesMax: blobChunksMax * limits.blobChunkBytes,
  paddedBytes: (fileBytes) => fileBytes,
  blobBytes: (fileBytes) => fileBytes,
  toChunk: (_, plain) => plain,
  fromChunk: (_, chunk) => chunk,
}

export function sealedForm(crypto: CryptoProvider, fileKey: Uint8Array): BlobForm {
  return {
    chunkBytes: sealedChunkPlainBytes,
    fileBytesMax: sealedFileBytesMax,
    paddedBytes: (fileBytes) => sealedLength(fileBytes).paddedBytes,
    blobBytes: (fileBytes) => sealedLength(fileBytes).sealedBytes,
    toChunk: (place, plain) => sealChunk(crypto, fileKey, place, plain),
    fromChunk: (place, chunk) => openChunk(crypto, fileKey, place, chunk),
  }
}
