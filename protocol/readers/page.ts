/**
 * One page of an owner's readers. What makes it the owner's is the signature of the record in which it stands.
 *
 *   readers = [*400 [reader b32, reader's box epoch uint, reader's box key b32, epoch uint, wrap b72, removed bool]]
 *
 * Ascending by reader, each once, all of this page. `wrap` seals the secret of `epoch`. Who was put out stays, with the
 * last secret that was theirs, so that a new device of theirs reads what they could read.
 */
import { compareBytes } from '../bytes.ts'
import { encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { IdentityId } from '../record/types.ts'
import { array, boolean, bytes, decodeAs, tuple, uint } from '../shape.ts'

export interface ReaderEntry {
  readonly reader: IdentityId
  /** To which of the reader's box keys the secret is wrapped. */
  readonly boxEpoch: number
  readonly boxKey: Uint8Array
  /** Whose secret is wrapped: the newest, where they are to read what comes. */
  readonly epoch: number
  /** nonce 24 || nacl.box(secret) */
  readonly wrap: Uint8Array
  /** Gets the secret of no later epoch. */
  readonly isRemoved: boolean
}

const pageShape = array(
  tuple(
    bytes(32),
    uint(Number.MAX_SAFE_INTEGER, 1),
    bytes(32),
    uint(Number.MAX_SAFE_INTEGER, 1),
    bytes(72),
    boolean,
  ),
  limits.readersOnPageMax,
)

export function pageOf(reader: IdentityId): number {
  return reader[0] as number
}

/** Throws TOO_LARGE for more than fit. */
export function encodeReaders(entries: readonly ReaderEntry[]): Uint8Array {
  if (entries.length > limits.readersOnPageMax)
    throw new OnehopError('TOO_LARGE', `a page holds ${limits.readersOnPageMax} readers`)
  const sorted = entries.toSorted((a, b) => compareBytes(a.reader, b.reader))
  return encode(
    sorted.map(({ reader, boxEpoch, boxKey, epoch, wrap, isRemoved }) => [
      ...[reader, boxEpoch, boxKey, epoch, wrap, isRemoved],
    ]),
  )
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeReaders(encoded: Uint8Array, page: number): readonly ReaderEntry[] {
  const items = decodeAs(pageShape, encoded, 'readers')
  return items.map(([reader, boxEpoch, boxKey, epoch, wrap, isRemoved], i) => {
    const before = items[i - 1]?.[0]
    if (before !== undefined && compareBytes(before, reader) >= 0)
      throw new OnehopError('BAD_MESSAGE', `readers[${i}]: not in ascending order`)
    if (pageOf(reader) !== page)
      throw new OnehopError('BAD_MESSAGE', `readers[${i}]: belongs on another page`)
    return { reader, boxEpoch, boxKey, epoch, wrap, isRemoved }
  })
}
