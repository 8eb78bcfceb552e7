import { hash } from 'node:crypto'
import { decodeRecord } from '../protocol/record/wire.ts'
import type { SignedRecord, VerifiedRecord } from '../protocol/record/types.ts'
import type { StoredRecord } from './types.ts'

const sha256 = { sha256: (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer')) }

/**
 * Verified still: only verified records enter the store, under their id, and its files are held to their own sums
 * (`level-files`).
 */
export function decodeStored(stored: StoredRecord): VerifiedRecord {
  return decodeBytes(stored.bytes) as VerifiedRecord
}

/** Its id as the name that it lies under says, for whoever reads many to show that they are there. */
export function decodeAsNamed({ bytes, ref }: StoredRecord): SignedRecord {
  return decodeRecord({ sha256: () => ref.id }, bytes)
}

export function decodeBytes(bytes: Uint8Array): SignedRecord {
  return decodeRecord(sha256, bytes)
}
