/**
 * Two records with one number from one device in one shard: the device, or a copy of it, broke its promise. The
 * proof is the two records without sections; it convinces anybody who knows nothing but the device's key.
 */
import { compareBytes, equalBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import type { CryptoProvider } from '../crypto/provider.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { bytes, decodeAs, tuple } from '../shape.ts'
import type { SignedRecord } from './types.ts'
import { decodeRecord, encodeRecord, withholdSections } from './wire.ts'

export type EquivocationProof = readonly [SignedRecord, SignedRecord]

const withheldBytesMax = limits.recordHeaderBytesMax + 128
const proofShape = tuple(bytes(1, withheldBytesMax), bytes(1, withheldBytesMax))
const bounds = { bytesMax: 2 * withheldBytesMax + 16, depthMax: 1, itemsMax: 3 }

export function isEquivocation(a: SignedRecord, b: SignedRecord): boolean {
  return (
    a.header.number === b.header.number &&
    equalBytes(a.header.device, b.header.device) &&
    equalBytes(a.header.owner, b.header.owner) &&
    !equalBytes(a.id, b.id)
  )
}

/** In the order of ids: the same two records are the same proof wherever they met. */
export function encodeProof(a: SignedRecord, b: SignedRecord): Uint8Array {
  if (!isEquivocation(a, b)) throw new OnehopError('BAD_REQUEST', 'these records prove nothing')
  const [first, second] = compareBytes(a.id, b.id) < 0 ? [a, b] : [b, a]
  const header = (record: SignedRecord): Uint8Array => encodeRecord(withholdSections(record, () => false))
  return encode([header(first), header(second)], bounds)
}

/** Throws BAD_MESSAGE, or BAD_SIGNATURE where it is well-formed but proves nothing. */
export function verifyProof(crypto: CryptoProvider, proof: Uint8Array): EquivocationProof {
  const [first, second] = decodeAs(proofShape, proof, 'proof', bounds).map((wire) =>
    decodeRecord(crypto, wire),
  )
  if (first === undefined || second === undefined || compareBytes(first.id, second.id) >= 0) {
    throw new OnehopError('BAD_MESSAGE', 'proof: two records in the order of their ids expected')
  }
  if ([...first.sections, ...second.sections].some((section) => section !== undefined)) {
    throw new OnehopError('BAD_MESSAGE', 'proof: records without sections expected')
  }
  const signed = [first, second].every((record) =>
    crypto.verifyStrict(record.message, record.signature, record.header.device),
  )
  if (!signed || !isEquivocation(first, second)) {
    throw new OnehopError('BAD_SIGNATURE', 'proof: these records prove nothing')
  }
  return [first, second]
}
