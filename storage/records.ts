import { compareBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import type { RecordRef } from '../protocol/record/types.ts'
import type { GroupCommit } from './group-commit.ts'
import {
  decodeRef,
  encodeClock,
  encodeRef,
  idBytes,
  keyOf,
  placePart,
  prefixEnd,
  readUint,
  refAfter,
  refBytes,
  tags,
  uintPart,
} from './keys.ts'
import { keyText } from './kv-memory.ts'
import type { Kv } from './kv.ts'
import { LatestCache } from './latest-cache.ts'
import { sweepStep } from './record-sweeper.ts'
import { type ArrivalTime, stageRecords } from './record-writer.ts'
import { RefTree, type RefOrder } from './ref-tree.ts'
import { pageSlots, readPages, slotRef, takenSlots } from './ref-pages.ts'
import { itemsOf, placesOf, unlistedOf } from './snapshot-order.ts'
import { orderLive, readCounts, readHead, type ShardStates } from './shard-state.ts'
import type { StagedBatch } from './staged-batch.ts'
import { decodeStored } from './stored-record.ts'
import { itemText, stageDrops, winnersAmong } from './record-dropper.ts'
import type {
  AlsoSwept,
  Drop,
  DroppedItem,
  Equivocation,
  IncomingRecord,
  Intervals,
  LatestOptions,
  LogEntry,
  OrderBound,
  OrderRange,
  Place,
  PutOptions,
  PutOutcome,
  Records,
  StoreBatch,
  StoredRecord,
  Swept,
  Winner,
} from './types.ts'
import { decodeWinner, isListed, winnerExpiresMs } from './winner-entry.ts'

const latestMax = 1000
/** Each may bring a write for a winner; a batch stays within what one sync takes. */
const dropsAtOnceMax = 1024
const scanRecords = 1000
const logMax = 10_000
/** Read one by one: less processor and no waiting for a turn; beyond, the disk might hold up everybody else. */
const getAtOnceMax = 64

export class KvRecords implements Records {
  readonly #kv: Kv
  readonly #commit: GroupCommit
  readonly #states: ShardStates
  readonly #clock: Clock
  readonly #latest = new LatestCache()
  #cutMs: number | undefined

  constructor(kv: Kv, commit: GroupCommit, states: ShardStates, clock: Clock) {
    this.#kv = kv
    this.#commit = commit
    this.#states = states
    this.#clock = clock
  }

  put(records: readonly IncomingRecord[], options: PutOptions): Promise<PutOutcome[]> {
    return this.#commit.submit((batch) =>
      stageRecords(batch, this.#states, records, options, this.#arrival()),
    )
  }

  putIn(batch: StoreBatch, records: readonly IncomingRecord[], options: PutOptions): PutOutcome[] {
    return stageRecords(batch as StagedBatch, this.#states, records, options, this.#arrival())
  }

  async drop(shard: Uint8Array, drops: readonly Drop[]): Promise<DroppedItem[]> {
    const found: DroppedItem[] = []
    for (let start = 0; start < drops.length; start += dropsAtOnceMax) {
      const some = drops.slice(start, start + dropsAtOnceMax)
      // Others write meanwhile: what came after this place of the log is looked at within the batch.
      const logHead = this.logHead(shard)
      const items = winnersAmong(this.#kv, this, shard, some)
      const versions = items.size > 0 ? await this.#versions(shard, items) : []
      found.push(
        ...(await this.#commit.submit((batch) =>
          stageDrops(batch, this.#states, shard, some, versions, { logHead, nowMs: this.#clock.nowMs() }),
        )),
      )
    }
    return found
  }

  sweep(shard: Uint8Array, cutMs: number, also?: AlsoSwept): Promise<Swept> {
    return sweepStep({ kv: this.#kv, commit: this.#commit, states: this.#states }, shard, cutMs, also)
  }

  async reclaim(shard: Uint8Array): Promise<void> {
    for (const tag of [tags.live, tags.order]) {
      const from = keyOf(tag, shard).slice()
      await this.#kv.compact?.(from, prefixEnd(from) as Uint8Array)
    }
  }

  expireUpTo(cutMs: number | undefined): void {
    this.#cutMs = cutMs
  }

  #arrival(): ArrivalTime {
    return { nowMs: this.#clock.nowMs(), cutMs: this.#cutMs }
  }

  dropped(shard: Uint8Array, ref: RecordRef): StoredRecord | undefined {
    const bytes = this.#kv.get(keyOf(tags.dropped, shard, encodeRef(ref)))
    return bytes && { ref, bytes }
  }

  async allDropped(shard: Uint8Array, after?: RecordRef): Promise<StoredRecord[]> {
    const prefix = keyOf(tags.dropped, shard)
    const entries = await this.#kv.range({
      ...(after ? { gt: keyOf(tags.dropped, shard, encodeRef(after)) } : { gte: prefix }),
      lt: prefixEnd(prefix) as Uint8Array,
      limit: scanRecords,
    })
    return entries.map(({ key, value }) => ({ ref: decodeRef(key, prefix.length), bytes: value }))
  }

  get(shard: Uint8Array, ref: RecordRef): StoredRecord | undefined {
    const key = encodeRef(ref)
    const orderKey = keyOf(tags.order, shard, key)
    // A batch that supersedes the record may land between the two reads; the second round finds it here.
    for (let round = 0; round < 3; round++) {
      const order = this.#kv.get(orderKey)
      if (order === undefined) return undefined
      if (order[0] !== orderLive) return { ref, bytes: order.subarray(1) }
      const bytes = this.#kv.get(keyOf(tags.live, shard, order.subarray(1), key))
      if (bytes !== undefined) return { ref, bytes }
    }
    throw new OnehopError('STORE_CORRUPT', 'the order index names a record that is not there')
  }

  async getMany(shard: Uint8Array, refs: readonly RecordRef[]): Promise<(StoredRecord | undefined)[]> {
    if (refs.length <= getAtOnceMax) return refs.map((ref) => this.get(shard, ref))
    const keys = refs.map(encodeRef)
    const orders = await this.#kv.getMany(keys.map((key) => keyOf(tags.order, shard, key)))
    const liveKeys = orders.map((order, i) =>
      order?.[0] === orderLive
        ? keyOf(tags.live, shard, order.subarray(1), keys[i] as Uint8Array)
        : undefined,
    )
    const lives = await this.#kv.getMany(liveKeys.filter((key) => key !== undefined))
    let next = 0
    return refs.map((ref, i) => {
      const order = orders[i]
      if (order === undefined) return undefined
      if (order[0] !== orderLive) return { ref, bytes: order.subarray(1) }
      const bytes = lives[next++]
      return bytes === undefined ? this.get(shard, ref) : { ref, bytes }
    })
  }

  winner(shard: Uint8Array, app: string, collection: string, itemKey: Uint8Array): StoredRecord | undefined {
    const place = placePart(app, collection)
    const key = keyOf(tags.winner, shard, place, itemKey)
    for (let round = 0; round < 3; round++) {
      const entry = this.#kv.get(key)
      if (entry === undefined || !isListed(entry)) return undefined
      const expiresMs = winnerExpiresMs(entry)
      if (expiresMs !== 0 && expiresMs <= this.#clock.nowMs()) return undefined
      const bytes = this.#kv.get(keyOf(tags.live, shard, place, entry.subarray(0, refBytes)))
      if (bytes !== undefined) return { ref: decodeRef(entry), bytes }
    }
    throw new OnehopError('STORE_CORRUPT', 'a winner entry names a record that is not there')
  }

  winnerEntry(shard: Uint8Array, app: string, collection: string, itemKey: Uint8Array): Winner | undefined {
    const entry = this.#kv.get(keyOf(tags.winner, shard, placePart(app, collection), itemKey))
    return entry && decodeWinner(entry)
  }

  async latest(
    shard: Uint8Array,
    app: string,
    collection: string,
    options: LatestOptions = {},
  ): Promise<StoredRecord[]> {
    const limit = Math.min(options.limit ?? 50, latestMax)
    const place = placePart(app, collection)
    const prefix = keyOf(tags.live, shard, place)
    const after = options.after && keyOf(tags.live, shard, place, encodeRef(options.after))
    let before = options.before
      ? keyOf(tags.live, shard, place, encodeRef(options.before))
      : (prefixEnd(prefix) as Uint8Array)
    const mayExpire = readCounts(this.#kv, shard, place).expiring > 0
    const cacheable = !mayExpire && options.before === undefined && options.after === undefined
    const { removals } = this.#states
    // Read before the range: a list newer than its position is only read again once too often.
    const logHead = cacheable ? this.logHead(shard) : 0
    const cacheKey = cacheable ? keyText(prefix) : ''
    const cached = cacheable ? this.#latest.get(cacheKey, logHead, removals, limit) : undefined
    if (cached !== undefined) return cached
    const nowMs = this.#clock.nowMs()
    const found: StoredRecord[] = []
    while (found.length < limit) {
      const wanted = limit - found.length
      const low = after ? { gt: after } : { gte: prefix }
      const entries = await this.#kv.range({ ...low, lt: before, reverse: true, limit: wanted })
      for (const { key, value } of entries) {
        before = key
        const stored = { ref: decodeRef(key, prefix.length), bytes: value }
        if (!mayExpire || !isExpired(stored, nowMs)) found.push(stored)
      }
      if (entries.length < wanted) break
    }
    if (cacheable) this.#latest.set(cacheKey, logHead, removals, limit, found)
    return found
  }

  count(shard: Uint8Array, app: string, collection: string): number {
    return readCounts(this.#kv, shard, placePart(app, collection)).live
  }

  places(shard: Uint8Array): Promise<Place[]> {
    return placesOf(this.#kv, shard)
  }

  items(shard: Uint8Array, place: Place, limit: number, before?: RecordRef): Promise<StoredRecord[]> {
    return itemsOf(this.#kv, shard, place, limit, before)
  }

  unlisted(shard: Uint8Array, limit: number, after?: RecordRef): ReturnType<typeof unlistedOf> {
    return unlistedOf(this.#kv, shard, limit, after)
  }

  async refs(shard: Uint8Array, range: OrderRange = {}): Promise<RecordRef[]> {
    const prefix = keyOf(tags.order, shard)
    const bound = (at: OrderBound): Uint8Array =>
      at.id
        ? keyOf(tags.order, shard, encodeRef({ clock: at.clock, id: at.id }))
        : keyOf(tags.order, shard, encodeClock(at.clock))
    const keys = await this.#kv.keys({
      gte: range.from ? bound(range.from) : prefix,
      lt: range.to ? bound(range.to) : (prefixEnd(prefix) as Uint8Array),
      ...(range.limit === undefined ? {} : { limit: range.limit }),
    })
    return keys.map((key) => decodeRef(key, prefix.length))
  }

  inOrder<T>(shard: Uint8Array, read: (order: RefOrder, logHead: number) => T): Promise<T> {
    return this.#commit.between(() => read(new RefTree(this.#kv, shard), this.logHead(shard)))
  }

  async log(shard: Uint8Array, afterPosition: number, limit: number): Promise<LogEntry[]> {
    const last = this.logHead(shard)
    if (last <= afterPosition) return []
    const entries = await readPages(this.#kv, keyOf(tags.log, shard), {
      after: afterPosition,
      last,
      limit: Math.min(limit, logMax),
    })
    return entries.map(({ index, ref }) => ({ position: index, ref }))
  }

  logHead(shard: Uint8Array): number {
    return readHead(this.#kv, shard)?.logHead ?? 0
  }

  async seen(shard: Uint8Array, device: Uint8Array): Promise<Intervals> {
    return (await this.#seenUnder(keyOf(tags.numbers, shard, device)))[0]?.intervals ?? []
  }

  seenAll(shard: Uint8Array): Promise<{ device: Uint8Array; intervals: Intervals }[]> {
    return this.#seenUnder(keyOf(tags.numbers, shard))
  }

  async numbers(
    shard: Uint8Array,
    device: Uint8Array,
    { after = 0, limit = Infinity }: { readonly after?: number; readonly limit?: number } = {},
  ): Promise<{ number: number; ref: RecordRef }[]> {
    const prefix = keyOf(tags.numbers, shard, device)
    const entries = await readPages(this.#kv, prefix, {
      after,
      last: Number.MAX_SAFE_INTEGER,
      limit,
    })
    return entries.map(({ index, ref }) => ({ number: index, ref }))
  }

  byNumber(shard: Uint8Array, device: Uint8Array, number: number): RecordRef | undefined {
    const page = this.#kv.get(
      keyOf(tags.numbers, shard, device, uintPart(Math.floor((number - 1) / pageSlots))),
    )
    return page && slotRef(page, (number - 1) % pageSlots)
  }

  async equivocations(shard: Uint8Array): Promise<Equivocation[]> {
    const prefix = keyOf(tags.equivocation, shard)
    const entries = await this.#kv.range({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
    return entries.map(({ key, value }) => ({
      device: key.slice(prefix.length, prefix.length + 32),
      number: readUint(key, prefix.length + 32),
      first: decodeRef(value),
      second: decodeRef(value, refBytes),
    }))
  }

  /** All records of these items, wherever they stand in the shard. */
  async #versions(shard: Uint8Array, items: ReadonlySet<string>): Promise<StoredRecord[]> {
    const versions: StoredRecord[] = []
    let range: OrderRange = { limit: scanRecords }
    for (;;) {
      const refs = await this.refs(shard, range)
      for (const stored of await this.getMany(shard, refs)) {
        if (stored !== undefined && items.has(itemText(decodeStored(stored)))) versions.push(stored)
      }
      const last = refs.at(-1)
      if (last === undefined || refs.length < scanRecords) return versions
      range = { limit: scanRecords, from: refAfter(last) }
    }
  }

  /** The number lists themselves say what was seen; keeping intervals beside them would cost a write per batch. */
  async #seenUnder(prefix: Uint8Array): Promise<{ device: Uint8Array; intervals: Intervals }[]> {
    const devices: { device: Uint8Array; intervals: [number, number][] }[] = []
    const end = prefixEnd(prefix) as Uint8Array
    let after: Uint8Array | undefined
    for (;;) {
      const pages = await this.#kv.range({
        ...(after ? { gt: after } : { gte: prefix }),
        lt: end,
        limit: 1000,
      })
      for (const { key, value } of pages) {
        const device = key.slice(1 + idBytes, 1 + idBytes + 32)
        const first = readUint(key, 1 + idBytes + 32) * pageSlots + 1
        let entry = devices.at(-1)
        if (entry === undefined || compareBytes(entry.device, device) !== 0) {
          entry = { device, intervals: [] }
          devices.push(entry)
        }
        for (const slot of takenSlots(value)) addNumber(entry.intervals, first + slot)
      }
      after = pages.at(-1)?.key
      if (pages.length < 1000) return devices
    }
  }
}

/** Numbers come in ascending order. */
function addNumber(intervals: [number, number][], number: number): void {
  const last = intervals.at(-1)
  if (last !== undefined && last[1] === number - 1) last[1] = number
  else intervals.push([number, number])
}

function isExpired(stored: StoredRecord, nowMs: number): boolean {
  const { expiresMs } = decodeStored(stored).header
  return expiresMs !== undefined && expiresMs <= nowMs
}
