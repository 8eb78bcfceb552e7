/** Whether everything that is derived from a shard's records says what they say. Reads in pages; nothing is kept but counts. */
import { equalBytes } from '../protocol/bytes.ts'
import { asOnehopError } from '../protocol/errors.ts'
import { itemKey } from '../protocol/record/merge.ts'
import type { SignedRecord, VerifiedRecord } from '../protocol/record/types.ts'
import { type decodeRef, encodeRef, keyOf, placePart, prefixEnd, refBytes, tags, uintPart } from './keys.ts'
import type { Kv, KvEntry } from './kv.ts'
import { pageSlots, slotRef, takenSlots } from './ref-pages.ts'
import { RefTree } from './ref-tree.ts'
import { decodeHead, orderLive, readCounts } from './shard-state.ts'
import { decodeBytes } from './stored-record.ts'
import { beats, encodeWinner, isListed } from './winner-entry.ts'

const pageKeys = 1_000

/** What may be wrong, in the words in which it is told. */
export const shardFaults = {
  record: 'damaged records',
  order: 'records that the order names and that are nowhere',
  winner: 'items that show another version than the newest',
  live: 'entries of lists that lead nowhere, or are missing',
  count: 'counts of items',
  number: 'numbers of devices without their record',
  log: 'places of the arrival log without their record',
  tree: 'fingerprints of another set of records',
  head: 'sizes of shards',
} as const
export type ShardFault = keyof typeof shardFaults

export interface ShardReport {
  readonly records: number
  readonly bytes: number
  readonly faults: ReadonlyMap<ShardFault, number>
}

/** Whether a record is the one that its device signed. */
export type IsSigned = (record: SignedRecord) => boolean

export async function checkShard(
  kv: Kv,
  shard: Uint8Array,
  isSigned: IsSigned,
  signal?: AbortSignal,
): Promise<ShardReport> {
  const check = new ShardCheck(kv, shard, isSigned)
  await check.records(signal)
  await check.winners()
  await check.lives()
  await check.numbers()
  await check.log()
  check.head()
  return { records: check.recordCount, bytes: check.recordBytes, faults: check.faults }
}

/** Every entry under a prefix, page by page. */
export async function* entriesUnder(kv: Kv, prefix: Uint8Array): AsyncGenerator<KvEntry> {
  const lt = prefixEnd(prefix) as Uint8Array
  let after: Uint8Array | undefined
  for (;;) {
    const page = await kv.range({ ...(after ? { gt: after } : { gte: prefix }), lt, limit: pageKeys })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageKeys) return
    after = last.key.slice()
  }
}

class ShardCheck {
  readonly faults = new Map<ShardFault, number>()
  recordCount = 0
  recordBytes = 0
  readonly #kv: Kv
  readonly #shard: Uint8Array
  readonly #isSigned: IsSigned
  #live = 0

  constructor(kv: Kv, shard: Uint8Array, isSigned: IsSigned) {
    this.#kv = kv
    this.#shard = shard
    this.#isSigned = isSigned
  }

  /** In their order, each with the place that the tree has for it. */
  async records(signal?: AbortSignal): Promise<void> {
    const prefix = keyOf(tags.order, this.#shard).slice()
    const tree = this.#tree()
    let index = 0
    for await (const { key, value } of entriesUnder(this.#kv, prefix)) {
      if (index % pageKeys === 0) signal?.throwIfAborted()
      const ref = key.subarray(prefix.length)
      if (tree === undefined || index >= tree.size || !equalBytes(encodeRef(tree.at(index)), ref))
        this.#fault('tree')
      index++
      const isLive = value[0] === orderLive
      const bytes = isLive
        ? this.#kv.get(keyOf(tags.live, this.#shard, value.subarray(1), ref))
        : value.subarray(1)
      if (bytes === undefined) this.#fault('order')
      else this.#record(ref, bytes, isLive)
    }
    if (tree !== undefined && tree.size > index) this.#fault('tree', tree.size - index)
  }

  async winners(): Promise<void> {
    const prefix = keyOf(tags.winner, this.#shard).slice()
    for await (const { value } of entriesUnder(this.#kv, prefix)) {
      if (this.#kv.get(keyOf(tags.order, this.#shard, value.subarray(0, refBytes))) === undefined)
        this.#fault('winner')
    }
  }

  async lives(): Promise<void> {
    const prefix = keyOf(tags.live, this.#shard).slice()
    const places = new Map<string, { readonly place: Uint8Array; count: number }>()
    let count = 0
    for await (const { key } of entriesUnder(this.#kv, prefix)) {
      count++
      const place = key.slice(prefix.length, key.length - refBytes)
      const name = Buffer.from(place).toString('latin1')
      const known = places.get(name) ?? { place, count: 0 }
      known.count++
      places.set(name, known)
    }
    if (count !== this.#live) this.#fault('live', Math.abs(count - this.#live))
    for (const { place, count: found } of places.values())
      if (readCounts(this.#kv, this.#shard, place).live !== found) this.#fault('count')
  }

  async numbers(): Promise<void> {
    const prefix = keyOf(tags.numbers, this.#shard).slice()
    for await (const { value } of entriesUnder(this.#kv, prefix))
      for (const slot of takenSlots(value)) if (!this.#isHeld(slotRef(value, slot))) this.#fault('number')
  }

  async log(): Promise<void> {
    const prefix = keyOf(tags.log, this.#shard).slice()
    let taken = 0
    for await (const { value } of entriesUnder(this.#kv, prefix)) taken += takenSlots(value).length
    const head = this.#headBytes()
    // What was dropped leaves its place; every record that is there has one.
    if (taken < this.recordCount || (head?.logHead ?? 0) < taken) this.#fault('log')
  }

  head(): void {
    const head = this.#headBytes()
    if (head?.records !== this.recordCount || head.recordBytes !== this.recordBytes) this.#fault('head')
  }

  #record(ref: Uint8Array, bytes: Uint8Array, isLive: boolean): void {
    const record = this.#decoded(ref, bytes)
    if (record === undefined) return this.#fault('record')
    this.recordCount++
    this.recordBytes += bytes.length
    if (isLive) this.#live++
    const { header } = record
    const place = placePart(header.app, header.collection)
    const entry = encodeWinner(ref, record as VerifiedRecord)
    const winner = this.#kv.get(keyOf(tags.winner, this.#shard, place, itemKey(record)))
    const isWinner = winner !== undefined && equalBytes(winner.subarray(0, refBytes), ref)
    if (winner === undefined || beats(entry, winner)) this.#fault('winner')
    else if (isLive !== (isWinner && isListed(winner))) this.#fault('live')
    const page = this.#kv.get(
      keyOf(tags.numbers, this.#shard, header.device, uintPart(Math.floor((header.number - 1) / pageSlots))),
    )
    if (page === undefined || slotRef(page, (header.number - 1) % pageSlots) === undefined)
      this.#fault('number')
  }

  /** Undefined where it is not what its device signed, or lies under another's name. */
  #decoded(ref: Uint8Array, bytes: Uint8Array): SignedRecord | undefined {
    try {
      const record = decodeBytes(bytes)
      const { clock, owner } = record.header
      const isHere = equalBytes(owner, this.#shard) && equalBytes(encodeRef({ clock, id: record.id }), ref)
      return isHere && this.#isSigned(record) ? record : undefined
    } catch (cause) {
      if (asOnehopError(cause).code === 'INTERNAL') throw cause
      return undefined
    }
  }

  #isHeld(ref: ReturnType<typeof decodeRef> | undefined): boolean {
    if (ref === undefined) return false
    const key = encodeRef(ref)
    // The slot of a number keeps the name of a record that was dropped.
    return [tags.order, tags.dropped].some((tag) => this.#kv.get(keyOf(tag, this.#shard, key)) !== undefined)
  }

  #tree(): RefTree | undefined {
    try {
      const tree = new RefTree(this.#kv, this.#shard)
      return tree.size >= 0 ? tree : undefined
    } catch {
      return undefined
    }
  }

  #headBytes(): ReturnType<typeof decodeHead> | undefined {
    const bytes = this.#kv.get(keyOf(tags.head, this.#shard))
    try {
      return bytes && decodeHead(bytes)
    } catch {
      return undefined
    }
  }

  #fault(fault: ShardFault, count = 1): void {
    this.faults.set(fault, (this.faults.get(fault) ?? 0) + count)
  }
}
