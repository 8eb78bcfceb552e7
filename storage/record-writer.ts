import { concatBytes, equalBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { hasExpired, withoutSections } from '../protocol/record/ends.ts'
import { itemKey } from '../protocol/record/merge.ts'
import type { RecordRef, VerifiedRecord } from '../protocol/record/types.ts'
import { encodeRecord } from '../protocol/record/wire.ts'
import { decodeRef, encodeRef, keyOf, scratch, spaceKey, tags, uintPart } from './keys.ts'
import { isEmptySlot, sameRef } from './ref-pages.ts'
import {
  type CollectionState,
  orderHere,
  orderLive,
  type ShardState,
  type ShardStates,
} from './shard-state.ts'
import type { StagedBatch } from './staged-batch.ts'
import { decodeBytes } from './stored-record.ts'
import type { IncomingRecord, PutOptions, PutOutcome } from './types.ts'
import { noteAbove, noteBelow, noteExpiry } from './record-ends.ts'
import { beats, encodeWinner, isListed, winnerExpiresMs } from './winner-entry.ts'

/** When records come; nothing of it for those that were here before. */
export interface ArrivalTime {
  readonly nowMs?: number
  /** What has expired by this start of a day is kept without its sections. */
  readonly cutMs?: number | undefined
}

/** More in one call would hold the disk and the thread for too long; callers send several. */
const putRecordsMax = 4096

/**
 * Stages records. In all arrival orders the same records give the same winners, live indexes and counts:
 *
 * 1. The winner entry of an item names the highest (clock, device, id) of all its versions held.
 * 2. A record's bytes lie once: with its collection while it is a winner and no tombstone, else in the order
 *    index. So the latest items of a collection are one range read, bytes included.
 * 3. A number's slot names the record of that number that came first. It is never overwritten.
 * 4. What was swept is not taken in again: of what had expired by the cut the sections do not come to the disk.
 */
export function stageRecords(
  batch: StagedBatch,
  states: ShardStates,
  records: readonly IncomingRecord[],
  options: PutOptions,
  arrival: ArrivalTime = {},
): PutOutcome[] {
  if (records.length > putRecordsMax) {
    throw new OnehopError('TOO_LARGE', `${records.length} records at once; ${putRecordsMax} are allowed`)
  }
  const outcomes = records.map((incoming) => {
    const shard = states.change(incoming.record.header.owner, options.hosted ? 'hosted' : 'partial')
    return stageRecord(batch, shard, bareWhereExpired(incoming, arrival), arrival)
  })
  options.also?.(batch, outcomes)
  return outcomes
}

function bareWhereExpired(incoming: IncomingRecord, { cutMs }: ArrivalTime): IncomingRecord {
  if (cutMs === undefined || !hasExpired(incoming.record, cutMs)) return incoming
  const record = withoutSections(incoming.record)
  return { record, bytes: encodeRecord(record) }
}

function stageRecord(
  batch: StagedBatch,
  shard: ShardState,
  { record, bytes }: IncomingRecord,
  { nowMs }: ArrivalTime,
): PutOutcome {
  const { header } = record
  const ref = encodeRef({ clock: header.clock, id: record.id })
  const collection = shard.collection(header.app, header.collection)
  const numbers = shard.numbers(header.device)
  const slot = numbers.slot(header.number)
  let equivocates: RecordRef | undefined
  if (isEmptySlot(slot)) {
    numbers.set(header.number, ref)
  } else {
    // Only a number seen before can mean a record known before.
    const same = sameRef(slot, ref)
    const held = readHeld(batch, shard.shard, ref)
    const returns = held === undefined && bringBack(batch, shard, ref)
    if (!returns && (same || held !== undefined))
      return fillKnown(batch, shard, collection, { record, bytes }, ref, held, nowMs)
    if (!same) {
      equivocates = decodeRef(slot)
      const key = keyOf(tags.equivocation, shard.shard, header.device, uintPart(header.number), record.id)
      batch.put(key, concatBytes(slot, ref))
    }
  }
  shard.head.records++
  shard.head.recordBytes += bytes.length
  shard.tree.insert(ref)
  const winner = stageVersion(batch, shard, collection, { record, bytes }, ref, nowMs)
  return { state: 'stored', winner, equivocates, position: appendLog(shard, ref) }
}

/** True for a record that was dropped: what made it so does not hold any more, or it would not be put. */
function bringBack(batch: StagedBatch, shard: ShardState, ref: Uint8Array): boolean {
  const key = keyOf(tags.dropped, shard.shard, ref)
  if (batch.get(key) === undefined) return false
  batch.delete(key)
  return true
}

/** Puts a new version in its place, and the version that it supersedes in its own. True when it wins. */
function stageVersion(
  batch: StagedBatch,
  shard: ShardState,
  collection: CollectionState,
  { record, bytes }: IncomingRecord,
  ref: Uint8Array,
  nowMs: number | undefined,
): boolean {
  const item = itemKey(record)
  const winnerKey = spaceKey(tags.winner, collection.space, item)
  const entry = encodeWinner(ref, record)
  const before = batch.get(winnerKey)
  noteExpiry(batch, shard.shard, entry)
  if (before !== undefined && !beats(entry, before)) {
    noteBelow(batch, collection.space, item, { above: before, below: entry, nowMs })
    putOrder(batch, shard, ref, hereValue(bytes))
    return false
  }
  batch.put(winnerKey, entry)
  if (before !== undefined && isListed(before)) {
    retire(batch, shard, collection, before)
    noteBelow(batch, collection.space, item, { above: entry, below: before, nowMs })
    countItem(collection, before, -1)
  } else if (before !== undefined) {
    // It has no sections to lose, but what lies below it has, should a revocation take it out.
    noteAbove(batch, shard.shard, entry, nowMs)
  }
  if (!isListed(entry)) {
    putOrder(batch, shard, ref, hereValue(bytes))
  } else {
    putOrder(batch, shard, ref, collection.pointer)
    batch.putRarelyRead(spaceKey(tags.live, collection.space, ref), bytes)
    countItem(collection, entry, 1)
  }
  return true
}

/** Moves a superseded version out of the live index. */
function retire(
  batch: StagedBatch,
  shard: ShardState,
  collection: CollectionState,
  winner: Uint8Array,
): void {
  const ref = winner.subarray(0, 40)
  const liveKey = spaceKey(tags.live, collection.space, ref)
  const bytes = batch.getRarelyRead(liveKey)
  if (bytes === undefined) throw new OnehopError('STORE_CORRUPT', 'a winner has no record')
  batch.delete(liveKey)
  putOrder(batch, shard, ref, hereValue(bytes))
}

/** A copy of a record that is held may bring sections that were withheld from the one we have. */
function fillKnown(
  batch: StagedBatch,
  shard: ShardState,
  collection: CollectionState,
  { record, bytes }: IncomingRecord,
  ref: Uint8Array,
  held: Uint8Array | undefined,
  nowMs: number | undefined,
): PutOutcome {
  const winner = batch.get(spaceKey(tags.winner, collection.space, itemKey(record)))
  const wins = winner !== undefined && equalBytes(winner.subarray(0, 40), ref)
  const known: PutOutcome = { state: 'known', winner: wins, equivocates: undefined, position: undefined }
  if (held === undefined || equalBytes(held, bytes)) return known
  const filled = fillSections(record, held)
  if (filled === undefined) return known
  const entry = encodeWinner(ref, record)
  noteExpiry(batch, shard.shard, entry)
  if (winner !== undefined && !wins)
    noteBelow(batch, collection.space, itemKey(record), { above: winner, below: entry, nowMs })
  if (wins && isListed(winner)) {
    batch.putRarelyRead(spaceKey(tags.live, collection.space, ref), filled)
  } else {
    putOrder(batch, shard, ref, hereValue(filled))
  }
  shard.head.recordBytes += filled.length - held.length
  return { ...known, state: 'filled', position: appendLog(shard, ref) }
}

function fillSections(record: VerifiedRecord, held: Uint8Array): Uint8Array | undefined {
  const before = decodeBytes(held)
  const isNew = before.sections.some(
    (section, i) => section === undefined && record.sections[i] !== undefined,
  )
  if (!isNew) return undefined
  return encodeRecord({
    ...before,
    sections: before.sections.map((section, i) => section ?? record.sections[i]),
  })
}

/** The bytes of a record, wherever they lie, staged writes included. */
export function readHeld(
  batch: Pick<StagedBatch, 'getRarelyRead'>,
  shard: Uint8Array,
  ref: Uint8Array,
): Uint8Array | undefined {
  const order = batch.getRarelyRead(keyOf(tags.order, shard, ref))
  if (order === undefined || order[0] !== orderLive) return order?.subarray(1)
  return batch.getRarelyRead(keyOf(tags.live, shard, order.subarray(1), ref))
}

export function putOrder(batch: StagedBatch, shard: ShardState, ref: Uint8Array, value: Uint8Array): void {
  batch.putRarelyRead(spaceKey(tags.order, shard.shard, ref), value)
}

export function hereValue(bytes: Uint8Array): Uint8Array {
  const value = scratch(1 + bytes.length)
  value[0] = orderHere
  value.set(bytes, 1)
  return value
}

export function appendLog(shard: ShardState, ref: Uint8Array): number {
  const position = ++shard.head.logHead
  shard.log.set(position, ref)
  return position
}

export function countItem(collection: CollectionState, winner: Uint8Array, change: 1 | -1): void {
  collection.live += change
  if (winnerExpiresMs(winner) !== 0) collection.expiring += change
  collection.dirty = true
}
