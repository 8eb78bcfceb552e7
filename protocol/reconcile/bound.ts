import { compareBytes } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import type { RecordRef } from '../record/types.ts'
import { type ByteReader, encodeVarint } from './varint.ts'

export const idBytes = 32
/** No record has this clock; as a bound it lies above all of them. */
export const clockInfinity = 0xffff_ffff_ffff_ffffn

/**
 * A place between items: `prefix` is the shortest part of an id that separates them, its missing bytes are zero.
 * The range before it excludes what is at the bound, the range after includes it.
 */
export interface Bound {
  readonly clock: bigint
  readonly prefix: Uint8Array
}

const noPrefix = new Uint8Array(0)
export const boundZero: Bound = { clock: 0n, prefix: noPrefix }
export const boundInfinity: Bound = { clock: clockInfinity, prefix: noPrefix }

/** The lowest bound that keeps two neighbours of the set apart; below and above must differ and ascend. */
export function boundBetween(below: RecordRef, above: RecordRef): Bound {
  if (below.clock !== above.clock) return { clock: above.clock, prefix: noPrefix }
  let shared = 0
  while (shared < idBytes - 1 && below.id[shared] === above.id[shared]) shared++
  return { clock: above.clock, prefix: above.id.subarray(0, shared + 1) }
}

export function boundAt(item: RecordRef): Bound {
  return { clock: item.clock, prefix: item.id }
}

/** Order of an item and a bound: negative when the item belongs before it. */
export function compareToBound(clock: bigint, id: Uint8Array, bound: Bound): number {
  if (clock !== bound.clock) return clock < bound.clock ? -1 : 1
  return comparePadded(id, bound.prefix)
}

/** Order of two bounds, missing bytes being zero. */
export function compareBounds(a: Bound, b: Bound): number {
  if (a.clock !== b.clock) return a.clock < b.clock ? -1 : 1
  return comparePadded(a.prefix, b.prefix)
}

function comparePadded(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  const order = compareBytes(a.subarray(0, length), b.subarray(0, length))
  if (order !== 0) return order
  if (a.subarray(length).some((byte) => byte !== 0)) return 1
  return b.subarray(length).some((byte) => byte !== 0) ? -1 : 0
}

/** Clocks go as 1 + the step from the bound before, infinity as 0. Returns what to append. */
export function encodeBound(bound: Bound, before: bigint): number[] {
  const clock = bound.clock === clockInfinity ? 0n : bound.clock - before + 1n
  return [...encodeVarint(clock), bound.prefix.length, ...bound.prefix]
}

/** Reads a bound that must lie above `before`. */
export function readBound(reader: ByteReader, before: Bound): Bound {
  const step = reader.varint()
  const clock = step === 0n ? clockInfinity : before.clock + step - 1n
  if (step !== 0n && clock >= clockInfinity)
    throw new OnehopError('BAD_MESSAGE', 'reconcile: clock overflows')
  const length = reader.varint()
  if (length > BigInt(idBytes)) throw new OnehopError('BAD_MESSAGE', 'reconcile: bound is longer than an id')
  const prefix = reader.bytes(Number(length))
  if (clock === clockInfinity && prefix.length > 0) {
    throw new OnehopError('BAD_MESSAGE', 'reconcile: infinity has no id')
  }
  const bound: Bound = { clock, prefix }
  // An empty or backward range could make one item count twice, or a reader work without end.
  if (compareBounds(bound, before) <= 0) throw new OnehopError('BAD_MESSAGE', 'reconcile: ranges must ascend')
  return bound
}
