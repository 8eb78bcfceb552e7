/**
 * A file that only the holders of its key can read. To nodes it is a blob like any other: they keep, count, copy and
 * serve chunks of ciphertext, and never see the key, which travels in a sealed section beside the blob's name.
 *
 * Each chunk has a key of its own, made of the file's key, the chunk's index and whether it is the last: a chunk that
 * is moved, taken from another file, or last where it was not (or the other way round) does not open. A key seals one
 * chunk in its life, so the nonce may be zero. That holds only while a file's key is drawn for it alone, and while
 * nothing is sent twice with different contents: who reads a source twice must compare before it sends.
 */
import { emptyBytes } from './bytes.ts'
import { encode } from './codec.ts'
import { blobChunksMax } from './blob-manifest.ts'
import { derivations } from './context.ts'
import { keyBytes, nonceBytes, sealBytes } from './crypto/lengths.ts'
import type { CryptoProvider } from './crypto/provider.ts'
import { OnehopError } from './errors.ts'
import { limits } from './limits.ts'
import { paddedLength } from './record/section.ts'

/** What a chunk holds, so that sealed it is a chunk of a blob: ranges need those chunks alone that they touch. */
export const sealedChunkPlainBytes = limits.blobChunkBytes - sealBytes

/** The longest file: its padded length still fits into the chunks that a manifest may name. */
export const sealedFileBytesMax = 63 * 2 ** 26

const zeroNonce = new Uint8Array(nonceBytes)

export interface SealedLength {
  readonly chunks: number
  /** Of the file and the zeros behind it. */
  readonly paddedBytes: number
  /** Of the blob. */
  readonly sealedBytes: number
}

/** How long a file of this length is when sealed. Throws TOO_LARGE. */
export function sealedLength(sizeBytes: number): SealedLength {
  if (sizeBytes > sealedFileBytesMax)
    throw new OnehopError('TOO_LARGE', `a sealed file holds at most ${sealedFileBytesMax} bytes`)
  const paddedBytes = paddedLength(sizeBytes)
  const chunks = Math.ceil(paddedBytes / sealedChunkPlainBytes)
  return { chunks, paddedBytes, sealedBytes: paddedBytes + chunks * sealBytes }
}

export interface ChunkPlace {
  readonly index: number
  readonly last: boolean
}

/** `plain` is a whole chunk, the last one with its zeros. `fileKey` was drawn for this file. */
export function sealChunk(
  crypto: CryptoProvider,
  fileKey: Uint8Array,
  place: ChunkPlace,
  plain: Uint8Array,
): Uint8Array {
  return crypto.secretboxSeal(plain, zeroNonce, chunkKey(crypto, fileKey, place))
}

/** Undefined when it is not the chunk of this file at this place, or not as it was sealed. */
export function openChunk(
  crypto: CryptoProvider,
  fileKey: Uint8Array,
  place: ChunkPlace,
  sealed: Uint8Array,
): Uint8Array | undefined {
  return crypto.secretboxOpen(sealed, zeroNonce, chunkKey(crypto, fileKey, place))
}

/**
 * The file's bytes in an opened chunk, without the zeros behind its end. Undefined where something else stands
 * there: then the size is not that of the file.
 */
export function withoutPadding(opened: Uint8Array, index: number, sizeBytes: number): Uint8Array | undefined {
  const left = Math.max(0, sizeBytes - index * sealedChunkPlainBytes)
  if (left >= opened.length) return opened
  return opened.subarray(left).every((byte) => byte === 0) ? opened.subarray(0, left) : undefined
}

function chunkKey(crypto: CryptoProvider, fileKey: Uint8Array, { index, last }: ChunkPlace): Uint8Array {
  const hasPlace = Number.isSafeInteger(index) && index >= 0 && index < blobChunksMax
  if (fileKey.length !== keyBytes || !hasPlace)
    throw new OnehopError('BAD_REQUEST', 'a chunk has a key of 32 bytes and an index')
  return crypto.hkdfSha256(fileKey, emptyBytes, encode([derivations.blobChunk, index, last]), keyBytes)
}
