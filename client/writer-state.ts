/** How far this device has counted, as it is kept. */
import { encode } from '../protocol/codec.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { array, bytes, decodeAs, literal, struct, tuple, u64, uint } from '../protocol/shape.ts'
import { toHex } from '../protocol/bytes.ts'
import { keyNames, type KeyStore } from './key-store.ts'

/** Shards that one device writes to: its person's, and groups'. */
export const writtenShardsMax = 1_024

const shape = struct({
  version: literal(1),
  clock: u64,
  lastNumbers: array(tuple(bytes(32), uint()), writtenShardsMax),
})

export interface LastNumber {
  readonly owner: IdentityId
  readonly last: number
}

export interface WriterState {
  readonly clock: bigint
  /** By owner in hex. */
  readonly lastNumbers: Map<string, LastNumber>
}

export async function readWriterState(keys: KeyStore): Promise<WriterState> {
  const kept = await keys.get(keyNames.writer)
  if (kept === undefined) return { clock: 0n, lastNumbers: new Map() }
  const { clock, lastNumbers } = decodeAs(shape, kept, 'writer')
  return { clock, lastNumbers: new Map(lastNumbers.map(([owner, last]) => [toHex(owner), { owner, last }])) }
}

export function writerState(clock: bigint, numbers: Iterable<LastNumber>): Uint8Array {
  return encode([1, clock, [...numbers].map(({ owner, last }) => [owner, last])])
}
