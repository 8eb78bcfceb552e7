/**
 * Which version of an item counts. Pure functions of the records alone, so replicas that hold
 * the same records agree without talking.
 */
import { compareBytes } from '../bytes.ts'
import type { SignedRecord } from './types.ts'

type Version = Pick<SignedRecord, 'header' | 'id'>

/** Within (owner, app, collection): all versions with one item key are versions of one item. */
export function itemKey(record: Version): Uint8Array {
  const { key, merge } = record.header
  return merge === 'append' && key.length === 0 ? record.id : key
}

/** Positive when `a` wins. Zero for one record alone: ids differ otherwise. */
export function compareVersions(a: Version, b: Version): number {
  if (a.header.clock !== b.header.clock) return a.header.clock > b.header.clock ? 1 : -1
  return compareBytes(a.header.device, b.header.device) || compareBytes(a.id, b.id)
}

export function winner<V extends Version>(versions: Iterable<V>): V | undefined {
  let best: V | undefined
  for (const version of versions) if (best === undefined || compareVersions(version, best) > 0) best = version
  return best
}

export function isTombstone(record: Version): boolean {
  return record.header.operation === 'delete'
}

/** Not shown any more. That it was there is kept for good: ends.ts says what of it. */
export function isHidden(record: Version, nowMs: number): boolean {
  const { expiresMs } = record.header
  return isTombstone(record) || (expiresMs !== undefined && expiresMs <= nowMs)
}
