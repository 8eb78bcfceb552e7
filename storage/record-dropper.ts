import { concatBytes } from '../protocol/bytes.ts'
import { itemKey } from '../protocol/record/merge.ts'
import type { SignedRecord, VerifiedRecord } from '../protocol/record/types.ts'
import { encodeRef, keyOf, namePart, refBytes, spaceKey, tags } from './keys.ts'
import { keyText } from './kv-memory.ts'
import type { Kv } from './kv.ts'
import { noteAbove, noteExpiry } from './record-ends.ts'
import { appendLog, countItem, hereValue, putOrder, readHeld } from './record-writer.ts'
import { sameRef } from './ref-pages.ts'
import type { CollectionState, ShardState, ShardStates } from './shard-state.ts'
import type { StagedBatch } from './staged-batch.ts'
import { decodeBytes } from './stored-record.ts'
import type { Drop, DroppedItem, ItemName, Records, StoredRecord } from './types.ts'
import { beats, encodeWinner, isListed } from './winner-entry.ts'

/** A version that is left of an item whose winner goes. */
interface Version {
  readonly record: VerifiedRecord
  readonly bytes: Uint8Array
  readonly ref: Uint8Array
}

/** The items whose winner is among the records that go: whoever else has a version of them must be found. */
export function winnersAmong(
  kv: Kv,
  records: Pick<Records, 'get'>,
  shard: Uint8Array,
  drops: readonly Drop[],
): Set<string> {
  const items = new Set<string>()
  for (const { ref } of drops) {
    const stored = records.get(shard, ref)
    if (stored === undefined) continue
    const record = decodeBytes(stored.bytes)
    const key = concatBytes(spaceOf(shard, record), itemKey(record))
    const winner = kv.get(keyOf(tags.winner, key))
    if (winner !== undefined && sameRef(winner.subarray(0, refBytes), encodeRef(ref)))
      items.add(itemText(record))
  }
  return items
}

/**
 * Takes records out, and leaves the store as if they had never come: winners, live items and counts are those of the
 * versions that are left. `versions` were read before the batch, when the arrival log stood at `logHead`.
 */
export function stageDrops(
  batch: StagedBatch,
  states: ShardStates,
  shard: Uint8Array,
  drops: readonly Drop[],
  versions: readonly StoredRecord[],
  { logHead, nowMs }: { readonly logHead: number; readonly nowMs: number },
): DroppedItem[] {
  const state = states.find(shard)
  if (state === undefined) return []
  states.mark(state)
  const going = new Set(drops.map(({ ref }) => keyText(encodeRef(ref))))
  const left = versionsLeft(batch, state, going, versions, logHead)
  const lost: { record: SignedRecord; ref: Uint8Array }[] = []
  for (const drop of drops) {
    const ref = encodeRef(drop.ref)
    const bytes = readHeld(batch, shard, ref)
    if (bytes === undefined) continue
    const record = decodeBytes(bytes)
    const { header } = record
    state.head.records--
    state.head.recordBytes -= bytes.length
    state.tree.remove(ref)
    batch.delete(keyOf(tags.order, shard, ref))
    batch.put(keyOf(tags.dropped, shard, ref), bytes)
    if (drop.rightful !== undefined) {
      const rightful = drop.rightful.ref
      state
        .numbers(header.device)
        .set(header.number, rightful ? encodeRef(rightful) : new Uint8Array(refBytes))
    }
    const collection = state.collection(header.app, header.collection)
    const winner = batch.get(spaceKey(tags.winner, collection.space, itemKey(record)))
    if (winner === undefined || !sameRef(winner.subarray(0, refBytes), ref)) continue
    if (isListed(winner)) {
      batch.delete(spaceKey(tags.live, collection.space, ref))
      countItem(collection, winner, -1)
    }
    lost.push({ record, ref })
  }
  return lost.map((dropped) =>
    restore(batch, state, dropped, left.get(itemText(dropped.record)) ?? [], nowMs),
  )
}

export function itemText(record: SignedRecord): string {
  const { app, collection } = record.header
  return `${app}\0${collection}\0${keyText(itemKey(record))}`
}

function restore(
  batch: StagedBatch,
  state: ShardState,
  { record: dropped, ref: droppedRef }: { readonly record: SignedRecord; readonly ref: Uint8Array },
  versions: readonly Version[],
  nowMs: number,
): DroppedItem {
  const { app, collection: name } = dropped.header
  const collection = state.collection(app, name)
  const item: ItemName = { app, collection: name, itemKey: itemKey(dropped) }
  const winnerKey = spaceKey(tags.winner, collection.space, item.itemKey)
  let best: { entry: Uint8Array; version: Version } | undefined
  for (const version of versions) {
    const entry = encodeWinner(version.ref, version.record)
    if (best === undefined || beats(entry, best.entry)) best = { entry, version }
  }
  // Whoever reads the log learns of both: what went, then what stands in its place.
  appendLog(state, droppedRef)
  if (best === undefined) {
    batch.delete(winnerKey)
    return { ...item, restored: undefined }
  }
  const { entry, version } = best
  batch.put(winnerKey, entry)
  show(batch, state, collection, version, entry)
  // The one that went was to tell when those below are over.
  if (versions.length > 1) noteAbove(batch, state.shard, entry, nowMs)
  appendLog(state, version.ref)
  return {
    ...item,
    restored: { ref: { clock: version.record.header.clock, id: version.record.id }, bytes: version.bytes },
  }
}

function show(
  batch: StagedBatch,
  state: ShardState,
  collection: CollectionState,
  { ref, bytes }: Version,
  entry: Uint8Array,
): void {
  // A sweep had been there while another version stood before it.
  noteExpiry(batch, state.shard, entry)
  if (!isListed(entry)) return putOrder(batch, state, ref, hereValue(bytes))
  putOrder(batch, state, ref, collection.pointer)
  batch.putRarelyRead(spaceKey(tags.live, collection.space, ref), bytes)
  countItem(collection, entry, 1)
}

/** By item, those that are still held and do not go; with what came in since they were read. */
function versionsLeft(
  batch: StagedBatch,
  state: ShardState,
  going: ReadonlySet<string>,
  versions: readonly StoredRecord[],
  logHead: number,
): Map<string, Version[]> {
  const found = new Map<string, Version[]>()
  const seen = new Set<string>(going)
  const take = (ref: Uint8Array): void => {
    const text = keyText(ref)
    if (seen.has(text)) return
    seen.add(text)
    const bytes = readHeld(batch, state.shard, ref)
    if (bytes === undefined) return
    const record = decodeBytes(bytes) as VerifiedRecord // as all that is held
    const item = itemText(record)
    found.set(item, [...(found.get(item) ?? []), { record, bytes, ref }])
  }
  for (const { ref } of versions) take(encodeRef(ref))
  for (let at = logHead + 1; at <= state.head.logHead; at++) take(state.log.slot(at).slice())
  return found
}

function spaceOf(shard: Uint8Array, record: SignedRecord): Uint8Array {
  const { app, collection } = record.header
  return concatBytes(shard, namePart(app, 255), namePart(collection, 255))
}
