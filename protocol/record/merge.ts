/**
 * Which version of an item counts, and for how long. Pure functions of the records alone, so replicas that hold
 * the same records agree without talking.
 */
import { compareBytes } from '../bytes.ts'
import { clockMs } from './clock.ts'
import type { SignedRecord } from './types.ts'

const dayMs = 86_400_000

/** A box that was away for so long still learns of what was deleted. */
export const tombstoneMs = 90 * dayMs

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

/** Not shown any more, though it may still be in the set. */
export function isHidden(record: Version, nowMs: number): boolean {
  const { expiresMs } = record.header
  return isTombstone(record) || (expiresMs !== undefined && expiresMs <= nowMs)
}

/** The time after which the next cut takes it out of the set; undefined when none does. */
export function endsMs(record: Version): number | undefined {
  return isTombstone(record) ? clockMs(record.header.clock) + tombstoneMs : record.header.expiresMs
}

/** The latest start of a UTC day. Peers name the cut they compare under, so their clocks need not agree. */
export function utcDayCutMs(nowMs: number): number {
  return Math.floor(nowMs / dayMs) * dayMs
}

export function isInSet(record: Version, cutMs: number): boolean {
  const ends = endsMs(record)
  return ends === undefined || ends > cutMs
}
