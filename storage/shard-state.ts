import { concatBytes, equalBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { StagedState } from './group-commit.ts'
import { keyOf, placePart, readUint, tags, writeUint } from './keys.ts'
import { keyText } from './kv-memory.ts'
import type { Kv } from './kv.ts'
import { RefPages } from './ref-pages.ts'
import { RefTree } from './ref-tree.ts'
import type { StagedBatch } from './staged-batch.ts'
import type { ShardInfo, ShardStatus } from './types.ts'

/** Shards whose writing state stays in memory, some 2 KB each. */
const cachedShardsMax = 8192
const cachedDevicesMax = 64

const statuses = ['hosted', 'partial', 'removing'] as const
type HeadStatus = ShardStatus | 'removing'

export interface Head {
  status: HeadStatus
  records: number
  recordBytes: number
  blobBytes: number
  logHead: number
}

export interface CollectionState {
  /** Shard, app and collection as they stand in keys. */
  readonly space: Uint8Array
  /** App and collection: what the order index says of a live record. */
  readonly pointer: Uint8Array
  live: number
  /** Live items that expire some day: while there are none, reads need not look. */
  expiring: number
  dirty: boolean
}

export class ShardState {
  readonly shard: Uint8Array
  readonly head: Head
  readonly log: RefPages
  readonly tree: RefTree
  dirty = false
  readonly #kv: Kv
  readonly #devices = new Map<string, RefPages>()
  readonly #collections = new Map<string, CollectionState>()
  /** Records of one batch are nearly all of one. */
  #lastCollection:
    | { readonly app: string; readonly name: string; readonly state: CollectionState }
    | undefined

  constructor(kv: Kv, shard: Uint8Array, head: Head) {
    this.#kv = kv
    this.shard = shard
    this.head = head
    this.log = new RefPages(kv, tags.log, shard)
    this.tree = new RefTree(kv, shard)
  }

  /** Number -> record, of one device. */
  numbers(device: Uint8Array): RefPages {
    const text = keyText(device)
    let pages = this.#devices.get(text)
    if (pages === undefined) {
      pages = new RefPages(this.#kv, tags.numbers, this.shard, device)
      this.#devices.set(text, pages)
    }
    return pages
  }

  collection(app: string, name: string): CollectionState {
    const last = this.#lastCollection
    if (last !== undefined && last.app === app && last.name === name) return last.state
    const text = `${app}\0${name}`
    let state = this.#collections.get(text)
    if (state === undefined) {
      const place = placePart(app, name)
      const space = concatBytes(this.shard, place)
      const counts = readCounts(this.#kv, this.shard, place)
      state = { space, pointer: pointerOf(place), ...counts, dirty: false }
      this.#collections.set(text, state)
    }
    this.#lastCollection = { app, name, state }
    return state
  }

  flush(batch: StagedBatch): void {
    const headKey = keyOf(tags.head, this.shard)
    const head = encodeHead(this.head)
    // Records that are known already change nothing: for them alone the disk is not made to wait.
    const before = batch.get(headKey)
    if (before === undefined || !equalBytes(before, head)) batch.put(headKey, head)
    this.log.flush(batch)
    this.tree.flush(batch)
    for (const pages of this.#devices.values()) pages.flush(batch)
    for (const state of this.#collections.values()) {
      if (!state.dirty) continue
      const value = new Uint8Array(16)
      writeUint(value, 0, state.live)
      writeUint(value, 8, state.expiring)
      batch.put(keyOf(tags.counts, state.space), value)
    }
  }

  committed(): void {
    this.dirty = false
    this.log.committed()
    this.tree.committed()
    for (const pages of this.#devices.values()) pages.committed()
    if (this.#devices.size > cachedDevicesMax) this.#devices.clear()
    for (const state of this.#collections.values()) state.dirty = false
    if (this.#collections.size > cachedDevicesMax) {
      this.#collections.clear()
      this.#lastCollection = undefined
    }
  }
}

/** The shards that writers touch, as staged. Reads never look here: they show what is on disk. */
export class ShardStates implements StagedState {
  readonly #kv: Kv
  readonly #states = new Map<string, ShardState>()
  readonly #dirty = new Set<ShardState>()
  #last: ShardState | undefined
  #forgot = false
  #removals = 0

  constructor(kv: Kv) {
    this.#kv = kv
  }

  /** Grows when a shard was removed. */
  get removals(): number {
    return this.#removals
  }

  /** Undefined when nothing is kept under the shard. */
  find(shard: Uint8Array): ShardState | undefined {
    if (this.#last !== undefined && equalBytes(this.#last.shard, shard)) return this.#last
    const text = keyText(shard)
    let state = this.#states.get(text)
    if (state === undefined) {
      const head = readHead(this.#kv, shard)
      if (head === undefined) return undefined
      state = this.#keep(text, new ShardState(this.#kv, shard.slice(), head))
    }
    this.#last = state
    return state
  }

  /** The shard's state, made when missing; marked as changed. BUSY while the shard is being removed. */
  change(shard: Uint8Array, statusWhenNew: ShardStatus): ShardState {
    const state =
      this.find(shard) ??
      this.#keep(keyText(shard), new ShardState(this.#kv, shard.slice(), newHead(statusWhenNew)))
    if (state.head.status === 'removing') throw new OnehopError('BUSY', 'the shard is being removed')
    this.mark(state)
    return state
  }

  mark(state: ShardState): void {
    if (state.dirty) return
    state.dirty = true
    this.#dirty.add(state)
  }

  /** The shard's keys are gone or about to go. */
  forget(shard: Uint8Array): void {
    const text = keyText(shard)
    const state = this.#states.get(text)
    if (state !== undefined) this.#dirty.delete(state)
    this.#states.delete(text)
    this.#last = undefined
    this.#forgot = true
  }

  flush(batch: StagedBatch): void {
    for (const state of this.#dirty) state.flush(batch)
  }

  committed(): void {
    if (this.#forgot) this.#removals++
    this.#forgot = false
    for (const state of this.#dirty) state.committed()
    this.#dirty.clear()
    for (const text of this.#states.keys()) {
      if (this.#states.size <= cachedShardsMax) break
      this.#states.delete(text)
      this.#last = undefined
    }
  }

  discarded(): void {
    for (const state of this.#dirty) this.#states.delete(keyText(state.shard))
    this.#dirty.clear()
    this.#last = undefined
    this.#forgot = false
  }

  reread(): void {
    this.discarded()
    this.#states.clear()
  }

  #keep(text: string, state: ShardState): ShardState {
    this.#states.set(text, state)
    return state
  }
}

export function readHead(kv: Kv, shard: Uint8Array): Head | undefined {
  const bytes = kv.get(keyOf(tags.head, shard))
  return bytes && decodeHead(bytes)
}

export function readCounts(kv: Kv, shard: Uint8Array, place: Uint8Array): { live: number; expiring: number } {
  const bytes = kv.get(keyOf(tags.counts, shard, place))
  return bytes === undefined
    ? { live: 0, expiring: 0 }
    : { live: readUint(bytes, 0), expiring: readUint(bytes, 8) }
}

export function decodeHead(bytes: Uint8Array): Head {
  const status = statuses[bytes[0] as number]
  if (status === undefined || bytes.length !== 33)
    throw new OnehopError('STORE_CORRUPT', 'a shard head is damaged')
  return {
    status,
    records: readUint(bytes, 1),
    recordBytes: readUint(bytes, 9),
    blobBytes: readUint(bytes, 17),
    logHead: readUint(bytes, 25),
  }
}

function encodeHead(head: Head): Uint8Array {
  const bytes = new Uint8Array(33)
  bytes[0] = statuses.indexOf(head.status)
  writeUint(bytes, 1, head.records)
  writeUint(bytes, 9, head.recordBytes)
  writeUint(bytes, 17, head.blobBytes)
  writeUint(bytes, 25, head.logHead)
  return bytes
}

/** Undefined for a shard that is being removed. */
export function shardInfo(shard: Uint8Array, head: Head): ShardInfo | undefined {
  const { status, ...sizes } = head
  return status === 'removing' ? undefined : { shard, status, ...sizes }
}

function newHead(status: ShardStatus): Head {
  return { status, records: 0, recordBytes: 0, blobBytes: 0, logHead: 0 }
}

/** First byte of a value of the order index: the record is live and lies with its collection, or lies here. */
export const orderLive = 0
export const orderHere = 1

function pointerOf(place: Uint8Array): Uint8Array {
  const pointer = new Uint8Array(1 + place.length)
  pointer[0] = orderLive
  pointer.set(place, 1)
  return pointer
}
