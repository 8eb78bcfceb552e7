import { concatBytes } from '../protocol/bytes.ts'
import { compareVersions, itemKey } from '../protocol/record/merge.ts'
import { hasExpired, isBare, withoutSections } from '../protocol/record/ends.ts'
import type { SignedRecord } from '../protocol/record/types.ts'
import { encodeRecord } from '../protocol/record/wire.ts'
import type { GroupCommit } from './group-commit.ts'
import { decodeRef, encodeClock, placePart, refBytes, spaceKey, tags } from './keys.ts'
import type { Kv } from './kv.ts'
import { type End, endRange, readEnd, versionKey } from './record-ends.ts'
import { countItem, hereValue, putOrder, readHeld } from './record-writer.ts'
import { sameRef } from './ref-pages.ts'
import type { ShardState, ShardStates } from './shard-state.ts'
import type { StagedBatch } from './staged-batch.ts'
import { decodeBytes } from './stored-record.ts'
import type { AlsoSwept, StoredRecord, Swept } from './types.ts'
import { isListed, sweptWinner } from './winner-entry.ts'

/** Some milliseconds of work: nobody else has a turn while a batch is staged. */
const endsAtOnce = 64
const versionsAtOnce = 256

interface SweepParts {
  readonly kv: Kv
  readonly commit: GroupCommit
  readonly states: ShardStates
}

/** What is over, with what lies below it. */
interface Due extends End {
  readonly below: readonly Uint8Array[]
  /** There may be more below it than one step takes. */
  readonly isCut: boolean
}

/**
 * Takes out the sections of what is over. A record stays where it is, under its name: its place in the order, its number and its
 * place in the arrival log are those of the whole record. In one batch with what says that it is done.
 */
export async function sweepStep(
  { kv, commit, states }: SweepParts,
  shard: Uint8Array,
  cutMs: number,
  also?: AlsoSwept,
): Promise<Swept> {
  const keys = await kv.keys({ ...endRange(shard, cutMs), limit: endsAtOnce })
  if (keys.length === 0) return { records: 0, bytes: 0, more: false }
  const { due, isCut } = await withBelow(kv, shard, keys.map(readEnd))
  return commit.submit((batch) => {
    const state = states.find(shard)
    if (state === undefined || state.head.status === 'removing') return { records: 0, bytes: 0, more: false }
    states.mark(state)
    const bytesBefore = state.head.recordBytes
    const swept: StoredRecord[] = []
    for (const end of due) sweepEnd(batch, state, end, cutMs, swept)
    also?.(batch, swept)
    const bytes = bytesBefore - state.head.recordBytes
    return { records: swept.length, bytes, more: isCut || keys.length === endsAtOnce }
  })
}

async function withBelow(
  kv: Kv,
  shard: Uint8Array,
  ends: readonly End[],
): Promise<{ due: Due[]; isCut: boolean }> {
  const due: Due[] = []
  let room = versionsAtOnce
  for (const end of ends) {
    if (end.kind === 'itself') {
      due.push({ ...end, below: [], isCut: false })
      continue
    }
    if (room <= 0) return { due, isCut: true }
    const bytes = readHeld({ getRarelyRead: (key) => kv.get(key) }, shard, end.ref)
    const record = bytes && decodeBytes(bytes)
    if (record === undefined) {
      due.push({ ...end, below: [], isCut: false })
      continue
    }
    const { app, collection, clock } = record.header
    const space = concatBytes(shard, placePart(app, collection))
    const from = versionKey(space, itemKey(record), new Uint8Array(0)).slice()
    const to = versionKey(space, itemKey(record), encodeClock(clock + 1n)).slice()
    const below = await kv.keys({ gte: from, lt: to, limit: room })
    due.push({ ...end, below, isCut: below.length === room })
    room -= below.length
  }
  return { due, isCut: due.some((one) => one.isCut) }
}

function sweepEnd(
  batch: StagedBatch,
  state: ShardState,
  { key, ref, kind, below, isCut }: Due,
  cutMs: number,
  swept: StoredRecord[],
): void {
  const bytes = readHeld(batch, state.shard, ref)
  const record = bytes && decodeBytes(bytes)
  if (bytes !== undefined && record !== undefined && kind === 'itself') {
    if (hasExpired(record, cutMs)) strip(batch, state, { record, bytes, ref }, swept)
  }
  let hasMoved = false
  for (const belowKey of below) {
    const versionRef = belowKey.subarray(belowKey.length - refBytes)
    const versionBytes = readHeld(batch, state.shard, versionRef)
    const version = versionBytes && decodeBytes(versionBytes)
    if (versionBytes !== undefined && version !== undefined && record !== undefined) {
      if (compareVersions(version, record) >= 0) continue
      if (isShown(batch, state, version, versionRef)) continue
      strip(batch, state, { record: version, bytes: versionBytes, ref: versionRef }, swept)
    }
    batch.delete(belowKey)
    hasMoved = true
  }
  // Where a whole step found nothing to do, all that is left lies above it.
  if (!hasMoved || !isCut) batch.delete(key)
}

interface Held {
  readonly record: SignedRecord
  readonly bytes: Uint8Array
  readonly ref: Uint8Array
}

function strip(
  batch: StagedBatch,
  state: ShardState,
  { record, bytes, ref }: Held,
  swept: StoredRecord[],
): void {
  const { app, collection: name } = record.header
  const collection = state.collection(app, name)
  const winnerKey = spaceKey(tags.winner, collection.space, itemKey(record))
  const winner = batch.get(winnerKey)
  const isWinner = winner !== undefined && sameRef(winner.subarray(0, refBytes), ref)
  const leaves = isWinner && isListed(winner)
  if (isBare(record) && !leaves) return
  const bare = isBare(record) ? bytes : encodeRecord(withoutSections(record))
  putOrder(batch, state, ref, hereValue(bare))
  if (leaves) {
    batch.delete(spaceKey(tags.live, collection.space, ref))
    batch.put(winnerKey, sweptWinner(winner))
    countItem(collection, winner, -1)
  }
  batch.delete(versionKey(collection.space, itemKey(record), ref))
  state.head.recordBytes -= bytes.length - bare.length
  if (bare.length < bytes.length) swept.push({ ref: decodeRef(ref), bytes })
}

function isShown(batch: StagedBatch, state: ShardState, record: SignedRecord, ref: Uint8Array): boolean {
  const { app, collection } = record.header
  const { space } = state.collection(app, collection)
  const winner = batch.get(spaceKey(tags.winner, space, itemKey(record)))
  return winner !== undefined && sameRef(winner.subarray(0, refBytes), ref)
}
