/**
 * What a sweep will look for: when each record is over, and which versions of an item still have their sections. Noted as records
 * come, so that a sweep reads what is due and nothing else.
 */
import { coversMs, dayMs, overriddenMs } from '../protocol/record/ends.ts'
import { idBytes, keyOf, readClock, refBytes, shortPart, tags, uintPart } from './keys.ts'
import type { StagedBatch } from './staged-batch.ts'
import { winnerExpiresMs } from './winner-entry.ts'

/** What is over at that day: the record itself, or all that lies below it. */
const kinds = ['itself', 'below'] as const
type EndKind = (typeof kinds)[number]

export interface End {
  readonly key: Uint8Array
  readonly ref: Uint8Array
  readonly kind: EndKind
}

type Batch = Pick<StagedBatch, 'putRarelyRead'>

const dayAt = 1 + idBytes
const refAt = dayAt + 8
const kindAt = refAt + refBytes
const nothing = new Uint8Array(0)

/** Of a record that came, or came to count again; `entry` as a winner's. */
export function noteExpiry(batch: Batch, shard: Uint8Array, entry: Uint8Array): void {
  const expiresMs = winnerExpiresMs(entry)
  if (expiresMs !== 0) putEnd(batch, shard, entry, 'itself', expiresMs)
}

/**
 * One version stands above another now. Counted from when that is so here, too: what a thief dates back must not take for good what
 * nobody had the time to bring back.
 */
export function noteBelow(
  batch: Batch,
  space: Uint8Array,
  itemKey: Uint8Array,
  { above, below, nowMs }: { above: Uint8Array; below: Uint8Array; nowMs: number | undefined },
): void {
  batch.putRarelyRead(versionKey(space, itemKey, below.subarray(0, refBytes)), nothing)
  noteAbove(batch, space.subarray(0, idBytes), above, nowMs)
}

/** Of one that stands above versions that were noted below others. */
export function noteAbove(
  batch: Batch,
  shard: Uint8Array,
  above: Uint8Array,
  nowMs: number | undefined,
): void {
  const overMs = Math.max(coversMs({ clock: readClock(above, 0) }), (nowMs ?? -Infinity) + overriddenMs)
  putEnd(batch, shard, above, 'below', overMs)
}

/** Shard and place, item key, ref: those of one item in the order of their clocks. */
export function versionKey(space: Uint8Array, itemKey: Uint8Array, ref: Uint8Array): Uint8Array {
  return keyOf(tags.version, space, shortPart(itemKey), ref)
}

/** Keys of what is over at the cut, in a range without its end. */
export function endRange(shard: Uint8Array, cutMs: number): { gte: Uint8Array; lt: Uint8Array } {
  const nextDay = Math.max(0, Math.floor(cutMs / dayMs) + 1)
  return { gte: keyOf(tags.end, shard).slice(), lt: keyOf(tags.end, shard, uintPart(nextDay)).slice() }
}

export function readEnd(key: Uint8Array): End {
  return { key, ref: key.slice(refAt, kindAt), kind: kinds[key[kindAt] as number] ?? 'itself' }
}

function putEnd(batch: Batch, shard: Uint8Array, entry: Uint8Array, kind: EndKind, overMs: number): void {
  const day = uintPart(Math.ceil(overMs / dayMs))
  const last = Uint8Array.of(kinds.indexOf(kind))
  batch.putRarelyRead(keyOf(tags.end, shard, day, entry.subarray(0, refBytes), last), nothing)
}
