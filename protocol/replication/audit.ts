/**
 * Whether a holder has the bytes, and not their names alone: a walk through the shard in which what is read says what is read next.
 * Nobody can answer who did not read each record after the one before, and whoever asks another for them asks so many times in
 * a row, which shows in the time. Method `shard/audit`.
 */
import { blobChunksMax } from '../blob-manifest.ts'
import { concatBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { limits } from '../limits.ts'
import type { SignedRecord } from '../record/types.ts'
import { bytes, decodeAs, nullable, struct, u64, uint, type Typed } from '../shape.ts'

/** Records that a walk reads. */
export const auditSteps = 128
/** Of each, from a place that is drawn too. */
const stepBytes = 4_096

const id = bytes(32)
const askShape = struct({ owner: id, until: u64, nonce: id })
export type AuditAsk = Typed<typeof askShape>

export function encodeAuditAsk({ owner, until, nonce }: AuditAsk): Uint8Array {
  return encode([owner, until, nonce])
}

export function decodeAuditAsk(body: Uint8Array): AuditAsk {
  return decodeAs(askShape, body, 'audit')
}

/** What lies below `until`, and where the walk through it ended; without `proof` a record was missing on the way. */
const answerShape = struct({ size: uint(), fingerprint: bytes(16), proof: nullable(id) })
export type AuditAnswer = Typed<typeof answerShape>

export function encodeAuditAnswer({ size, fingerprint, proof }: AuditAnswer): Uint8Array {
  return encode([size, fingerprint, proof ?? null])
}

export function decodeAuditAnswer(body: Uint8Array): AuditAnswer {
  return decodeAs(answerShape, body, 'audit answer')
}

/** One piece of a file that the other says to have whole. Method `shard/audit-file`. */
const fileShape = struct({
  owner: id,
  blob: id,
  index: uint(blobChunksMax - 1),
  offset: uint(limits.blobChunkBytes - 1),
  nonce: id,
})
export type FileAuditAsk = Typed<typeof fileShape>

export function encodeFileAuditAsk({ owner, blob, index, offset, nonce }: FileAuditAsk): Uint8Array {
  return encode([owner, blob, index, offset, nonce])
}

export function decodeFileAuditAsk(body: Uint8Array): FileAuditAsk {
  return decodeAs(fileShape, body, 'file audit')
}

export function fileProof(
  crypto: Pick<CryptoProvider, 'sha256'>,
  { nonce, offset }: Pick<FileAuditAsk, 'nonce' | 'offset'>,
  chunk: Uint8Array,
): Uint8Array {
  return crypto.sha256(concatBytes(nonce, chunk.subarray(offset, offset + stepBytes)))
}

export function auditStart(crypto: Pick<CryptoProvider, 'sha256'>, nonce: Uint8Array): Uint8Array {
  return crypto.sha256(nonce)
}

/** Which record comes next, of so many. */
export function auditIndex(at: Uint8Array, size: number): number {
  return Number(u64At(at, 0) % BigInt(size))
}

/** Header and sections, not the signature: a device may sign one record twice, and holders keep what came first. */
export function auditStep(
  crypto: Pick<CryptoProvider, 'sha256'>,
  at: Uint8Array,
  { headerBytes, sections }: Pick<SignedRecord, 'headerBytes' | 'sections'>,
): Uint8Array {
  const parts = [headerBytes, ...sections.filter((section) => section !== undefined)]
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  let from = length <= stepBytes ? 0 : Number(u64At(at, 8) % BigInt(length - stepBytes + 1))
  let left = stepBytes
  const read: Uint8Array[] = [at]
  for (const part of parts) {
    const piece = part.subarray(from, from + left)
    if (piece.length > 0) read.push(piece)
    left -= piece.length
    from = Math.max(0, from - part.length)
  }
  return crypto.sha256(concatBytes(...read))
}

function u64At(at: Uint8Array, offset: number): bigint {
  return new DataView(at.buffer, at.byteOffset, at.byteLength).getBigUint64(offset)
}
