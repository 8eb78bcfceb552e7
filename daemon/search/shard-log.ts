import { concatBytes, fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { isHidden, itemKey } from '../../protocol/record/merge.ts'
import type { IdentityId, RecordRef, VerifiedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { isScope, scopeDepth, scopeHierarchy } from '../../protocol/scope.ts'
import type { Analyser } from '../../protocol/search/analysis.ts'
import { itemHash, type LogEntry } from '../../protocol/search/log.ts'
import { climbingRecord, mayRecordClimb } from '../../protocol/search/record-document.ts'
import { bytes, decodeAs, struct, text } from '../../protocol/shape.ts'
import { readSection } from '../../protocol/record/section.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { Store, StoreBatch, Table } from '../../storage/types.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts, Target } from './parts.ts'

/** Schemas do not say yet in which language an app writes; every collection is analysed alike. */
export const leafAnalyser: Analyser = 'en'

type Unplaced =
  | { readonly operation: 'put'; readonly record: Uint8Array; readonly author: IdentityId }
  | { readonly operation: 'remove'; readonly item: Uint8Array }

/** A stretch of one shard's arrival log, as entries for one target that still lack their positions. */
export interface Stretch {
  readonly entries: readonly Unplaced[]
  readonly bytes: number
  /** Up to here in the arrival log. */
  readonly position: number
}

/** Where a shard stands: the value of the field that the schema names, in the newest record of its owner. */
export function placeOf(
  store: Store,
  schema: Schema,
  owner: IdentityId,
  hierarchy: string,
): string | undefined {
  const leaf = schema.hierarchies.get(hierarchy)?.leaf.split('.')
  if (leaf === undefined) return undefined
  const [collection = '', field = ''] = leaf
  const stored = store.records.winner(owner, schema.id, collection, new Uint8Array(0))
  if (stored === undefined) return undefined
  const { header, sections } = decodeStored(stored)
  for (const [i, section] of sections.entries()) {
    if (section === undefined || header.sections[i]?.audience !== 'public') continue
    const value = fieldOf(section, field)
    if (isScope(value) && scopeHierarchy(value) === hierarchy) return value
  }
  return undefined
}

/** Undefined too when its author signed something that is no section: that is no place. */
function fieldOf(section: Uint8Array, field: string): unknown {
  try {
    return readSection(section)[field]
  } catch (error) {
    if (error instanceof OnehopError) return undefined
    throw error
  }
}

/** What of a shard's arrival log after `from` is to be told to the target: winners only, without what may not climb. */
export async function readStretch(
  parts: Pick<SearchParts, 'store' | 'crypto' | 'clock'>,
  target: Target,
  owner: IdentityId,
  from: number,
  room: { readonly entries: number; readonly bytes: number },
): Promise<Stretch> {
  const { store, crypto } = parts
  const hierarchy = scopeHierarchy(target.parent)
  const depth = scopeDepth(target.parent)
  const arrived = await store.records.log(owner, from, Math.max(1, room.entries))
  const refs = arrived.map(({ ref }) => ref)
  const stored = await store.records.getMany(owner, refs)
  const entries: Unplaced[] = []
  let position = from
  let used = 0
  for (const [i, { position: next }] of arrived.entries()) {
    const one = stored[i]
    const gone = one === undefined ? store.records.dropped(owner, refs[i] as RecordRef) : undefined
    const entry = one === undefined ? gone && removalOf(decodeStored(gone)) : entryOf(decodeStored(one))
    const size = entry === undefined ? 0 : entry.operation === 'put' ? entry.record.length + 300 : 48
    if (entry !== undefined) {
      if (entries.length > 0 && (used + size > room.bytes || entries.length >= room.entries)) break
      entries.push(entry)
      used += size
    }
    position = next
  }
  return { entries, bytes: used, position }

  /** It was told, perhaps, before its device was revoked. What stands in its place now is told by the next entry. */
  function removalOf(record: VerifiedRecord): Unplaced | undefined {
    const { header } = record
    if (header.app !== target.app || header.collection.startsWith('~')) return undefined
    const item = itemHash(crypto.sha256, { ...header, itemKey: itemKey(record) })
    return { operation: 'remove', item }
  }

  function entryOf(record: VerifiedRecord): Unplaced | undefined {
    const { header } = record
    // Blinded names are nobody's business, not even that something went.
    if (header.app !== target.app || header.collection.startsWith('~')) return undefined
    const key = itemKey(record)
    const winner = store.records.winnerEntry(owner, header.app, header.collection, key)
    if (winner !== undefined && toHex(winner.ref.id) !== toHex(record.id)) return undefined
    const shown = !isHidden(record, parts.clock.nowMs()) && mayRecordClimb(record, hierarchy, depth)
    if (shown || header.operation === 'delete') {
      return {
        operation: 'put',
        record: encodeRecord(climbingRecord(record, hierarchy, depth)),
        author: header.author,
      }
    }
    // An earlier version of it may have climbed. A first version that may not is nothing to tell.
    const isFirst = header.merge === 'append' && header.key.length === 0
    if (isFirst) return undefined
    return { operation: 'remove', item: itemHash(crypto.sha256, { ...header, itemKey: key }) }
  }
}

/** Every item of the app that the shard holds, as removals. */
export async function readRemovals(
  parts: Pick<SearchParts, 'store' | 'crypto'>,
  target: Target,
  owner: IdentityId,
  from: number,
  entriesMax: number,
): Promise<Stretch> {
  const arrived = await parts.store.records.log(owner, from, entriesMax)
  const { records } = parts.store
  const refs = arrived.map(({ ref }) => ref)
  const stored = await records.getMany(owner, refs)
  const items = new Map<string, Uint8Array>()
  for (const [i, held] of stored.entries()) {
    const one = held ?? records.dropped(owner, refs[i] as RecordRef)
    const record = one && decodeStored(one)
    if (record === undefined || record.header.app !== target.app || record.header.collection.startsWith('~'))
      continue
    const item = itemHash(parts.crypto.sha256, { ...record.header, itemKey: itemKey(record) })
    items.set(toHex(item), item)
  }
  const entries = [...items.values()].map((item): Unplaced => ({ operation: 'remove', item }))
  return { entries, bytes: entries.length * 48, position: arrived.at(-1)?.position ?? from }
}

export function placedEntry(entry: Unplaced, position: number, scope: string, hierarchy: string): LogEntry {
  return entry.operation === 'remove'
    ? { operation: 'remove', position, item: entry.item }
    : {
        operation: 'put',
        position,
        record: entry.record,
        scopes: { [hierarchy]: scope },
        analyser: leafAnalyser,
      }
}

const placementShape = struct({ scope: text(256, 1), node: bytes(32), parent: text(256, 1) })
const departureShape = struct({ node: bytes(32), app: text(64, 1), parent: text(256, 1) })

export interface PlacementRow {
  readonly scope: string
  readonly target: Target
}

/**
 * Durable notes of where each shard was sent, and where it is to be taken out again because its owner moved or a
 * nearer aggregator was found.
 */
export class ShardPlaces {
  readonly #placed: Table
  readonly #departed: Table

  readonly #sha256: (bytes: Uint8Array) => Uint8Array

  constructor(store: Store, sha256: (bytes: Uint8Array) => Uint8Array) {
    this.#sha256 = sha256
    this.#placed = store.table('search/placed')
    this.#departed = store.table('search/departed')
  }

  get(owner: IdentityId, app: string, hierarchy: string): PlacementRow | undefined {
    const row = this.#placed.get(placeKey(owner, app, hierarchy))
    if (row === undefined) return undefined
    const { scope, node, parent } = decodeAs(placementShape, row, 'placed')
    return { scope, target: { node: toHex(node), app, parent } }
  }

  putIn(batch: StoreBatch, owner: IdentityId, { scope, target }: PlacementRow): void {
    const { node, app, parent } = target
    const key = placeKey(owner, app, scopeHierarchy(parent))
    this.#placed.putIn(batch, key, encode([scope, fromHex(node, 32) as Uint8Array, parent]))
    this.#departed.deleteIn(batch, concatBytes(targetName(this.#sha256, target), owner))
  }

  deleteIn(batch: StoreBatch, owner: IdentityId, app: string, hierarchy: string): void {
    this.#placed.deleteIn(batch, placeKey(owner, app, hierarchy))
  }

  departIn(batch: StoreBatch, owner: IdentityId, target: Target): void {
    const value = encode([fromHex(target.node, 32) as Uint8Array, target.app, target.parent])
    this.#departed.putIn(batch, concatBytes(targetName(this.#sha256, target), owner), value)
  }

  departedDoneIn(batch: StoreBatch, owner: IdentityId, target: Target): void {
    this.#departed.deleteIn(batch, concatBytes(targetName(this.#sha256, target), owner))
  }

  /** Shards that are still to be taken out somewhere. */
  async departures(): Promise<{ owner: IdentityId; target: Target }[]> {
    const rows = await this.#departed.range({ limit: searchNodeLimits.ownDocumentsMax })
    return rows.map(({ key, value }) => {
      const { node, app, parent } = decodeAs(departureShape, value, 'departed')
      return { owner: key.slice(32), target: { node: toHex(node), app, parent } }
    })
  }
}

/** Names a target in keys. */
export function targetName(sha256: (bytes: Uint8Array) => Uint8Array, target: Target): Uint8Array {
  return sha256(encode([target.node, target.app, target.parent]))
}

function placeKey(owner: IdentityId, app: string, hierarchy: string): Uint8Array {
  return concatBytes(owner, utf8(`${app}\0${hierarchy}`))
}
