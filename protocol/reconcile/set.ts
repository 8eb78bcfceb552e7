import type { RecordRef } from '../record/types.ts'
import { type Bound, boundInfinity, compareBounds } from './bound.ts'

/**
 * What reconciliation needs of a set of records ordered by (clock, id). It must not change while one message is
 * answered. Synchronous on purpose: the store reads a point in microseconds without a promise, and a message asks
 * for thousands.
 */
export interface ReconcileSet {
  readonly size: number
  /** `index` is below `size`. */
  at(index: number): RecordRef
  /** How many items lie before the bound. */
  lowerBound(bound: Bound): number
  /** The 16-byte fingerprint of items `from` (inclusive) to `to` (exclusive). */
  fingerprint(from: number, to: number): Uint8Array
}

/**
 * The items with a clock below `clockBelow`. Both sides name the same bound, so that writes that arrive while they
 * compare, and records that only one side already lets in, do not look like differences.
 */
export function setBelow(set: ReconcileSet, clockBelow: bigint): ReconcileSet {
  const limit: Bound = { clock: clockBelow, prefix: boundInfinity.prefix }
  const size = set.lowerBound(limit)
  return {
    size,
    at: (index) => set.at(index),
    lowerBound: (bound) => (compareBounds(bound, limit) < 0 ? set.lowerBound(bound) : size),
    fingerprint: (from, to) => set.fingerprint(from, to),
  }
}
