import { compareBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { VerifiedRecord } from '../protocol/record/types.ts'
import { decodeRef, readUint, refBytes, scratch, writeUint } from './keys.ts'
import type { Winner } from './types.ts'

/** Clock and id (40), device (32), 1 deleted, 2 expired and swept (1), expiry (8, zero for never). */
const winnerBytes = refBytes + 32 + 1 + 8

export function encodeWinner(ref: Uint8Array, record: VerifiedRecord): Uint8Array {
  const { device, operation, expiresMs } = record.header
  const bytes = scratch(winnerBytes)
  bytes.set(ref)
  bytes.set(device, refBytes)
  bytes[refBytes + 32] = operation === 'delete' ? 1 : 0
  writeUint(bytes, refBytes + 33, expiresMs ?? 0)
  return bytes
}

export function decodeWinner(bytes: Uint8Array): Winner {
  if (bytes.length !== winnerBytes) throw new OnehopError('STORE_CORRUPT', 'a winner entry is damaged')
  const expiresMs = winnerExpiresMs(bytes)
  return {
    ref: decodeRef(bytes),
    device: bytes.slice(refBytes, refBytes + 32),
    deleted: isDeleted(bytes),
    expiresMs: expiresMs === 0 ? undefined : expiresMs,
  }
}

function isDeleted(winner: Uint8Array): boolean {
  return winner[refBytes + 32] === 1
}

/** The item is in the lists, even if it has expired. */
export function isListed(winner: Uint8Array): boolean {
  return winner[refBytes + 32] === 0
}

/** The entry of an item that has expired, once it is in no list any more. */
export function sweptWinner(winner: Uint8Array): Uint8Array {
  const bytes = winner.slice()
  bytes[refBytes + 32] = 2
  return bytes
}

/** 0 for never. */
export function winnerExpiresMs(winner: Uint8Array): number {
  return readUint(winner, refBytes + 33)
}

/** The merge rule (clock, device, id) on encoded entries; protocol/record/merge.ts states it on records. */
export function beats(a: Uint8Array, b: Uint8Array): boolean {
  return (
    (compareBytes(a.subarray(0, 8), b.subarray(0, 8)) ||
      compareBytes(a.subarray(refBytes, refBytes + 32), b.subarray(refBytes, refBytes + 32)) ||
      compareBytes(a.subarray(8, refBytes), b.subarray(8, refBytes))) > 0
  )
}
