import { equalBytes } from '../protocol/bytes.ts'
import type { RecordRef } from '../protocol/record/types.ts'
import { decodeRef, keyOf, readClock, readUint, refBytes, uintPart } from './keys.ts'
import type { Kv } from './kv.ts'
import type { StagedBatch } from './staged-batch.ts'

/**
 * A list of record references counted from 1, kept in pages of 16: a hundred new entries cost seven writes, a
 * lone one rewrites half a page on average. An all-zero slot is empty (no record has an all-zero id).
 */
export const pageSlots = 16

/** The list under `prefix` (tag and ids) as the writer sees it: what is staged included. */
export class RefPages {
  readonly #prefix: Uint8Array
  readonly #kv: Kv
  readonly #pages = new Map<number, Uint8Array>()
  readonly #dirty = new Set<number>()

  constructor(kv: Kv, tag: number, ...parts: readonly Uint8Array[]) {
    this.#kv = kv
    this.#prefix = keyOf(tag, ...parts).slice()
  }

  get(index: number): RecordRef | undefined {
    return slotRef(this.#page(Math.floor((index - 1) / pageSlots)), (index - 1) % pageSlots)
  }

  /** The bytes of the slot, for comparing without making a reference; zero when empty. */
  slot(index: number): Uint8Array {
    const offset = ((index - 1) % pageSlots) * refBytes
    return this.#page(Math.floor((index - 1) / pageSlots)).subarray(offset, offset + refBytes)
  }

  set(index: number, ref: Uint8Array): void {
    this.slot(index).set(ref)
    this.#dirty.add(Math.floor((index - 1) / pageSlots))
  }

  flush(batch: StagedBatch): void {
    for (const page of this.#dirty) {
      const bytes = this.#pages.get(page) as Uint8Array
      let used = pageSlots
      while (used > 1 && isEmpty(bytes, used - 1)) used--
      batch.putRarelyRead(
        keyOf(this.#prefix[0] as number, this.#prefix.subarray(1), uintPart(page)),
        bytes.subarray(0, used * refBytes),
      )
    }
  }

  /** Keeps the last page, where the next entry most likely goes. */
  committed(): void {
    this.#dirty.clear()
    if (this.#pages.size < 2) return
    const last = Math.max(...this.#pages.keys())
    for (const page of this.#pages.keys()) if (page !== last) this.#pages.delete(page)
  }

  #page(page: number): Uint8Array {
    let bytes = this.#pages.get(page)
    if (bytes === undefined) {
      bytes = new Uint8Array(pageSlots * refBytes)
      bytes.set(
        this.#kv.get(keyOf(this.#prefix[0] as number, this.#prefix.subarray(1), uintPart(page))) ?? [],
      )
      this.#pages.set(page, bytes)
    }
    return bytes
  }
}

export function isEmptySlot(slot: Uint8Array): boolean {
  for (let i = 8; i < refBytes; i++) if (slot[i] !== 0) return false
  return true
}

export function sameRef(slot: Uint8Array, ref: Uint8Array): boolean {
  return equalBytes(slot, ref)
}

interface Entry {
  readonly index: number
  readonly ref: RecordRef
}

/** So many pages are read one by one at once, which costs a tenth of opening an iterator and takes no turn. */
const pagesAtOnceMax = 4

/** Entries after `after` and up to `last`, the newest there is; oldest first, from what is on disk. */
export async function readPages(
  kv: Kv,
  prefix: Uint8Array,
  { after, last, limit }: { readonly after: number; readonly last: number; readonly limit: number },
): Promise<Entry[]> {
  const entries: Entry[] = []
  let page = Math.floor(after / pageSlots)
  const take = (value: Uint8Array): void => {
    for (let slot = 0; slot * refBytes < value.length && entries.length < limit; slot++) {
      const index = page * pageSlots + slot + 1
      if (index > after && !isEmpty(value, slot))
        entries.push({ index, ref: decodeRef(value, slot * refBytes) })
    }
  }
  const lastPage = Math.floor((Math.min(last, after + limit) - 1) / pageSlots)
  if (lastPage - page < pagesAtOnceMax) {
    for (; page <= lastPage; page++) {
      take(kv.get(keyOf(prefix[0] as number, prefix.subarray(1), uintPart(page))) ?? noBytes)
    }
    return entries
  }
  while (entries.length < limit) {
    const pages = Math.min(1000, Math.ceil((limit - entries.length) / pageSlots) + 1)
    const found = await kv.range({
      gte: keyOf(prefix[0] as number, prefix.subarray(1), uintPart(page)),
      lte: keyOf(prefix[0] as number, prefix.subarray(1), endPage),
      limit: pages,
    })
    for (const { key, value } of found) {
      page = readUint(key, prefix.length)
      take(value)
    }
    if (found.length < pages) break
    page++
  }
  return entries
}

const noBytes = new Uint8Array(0)
const endPage = new Uint8Array(8).fill(0xff)

/** Which slots of a page are taken. */
export function takenSlots(value: Uint8Array): number[] {
  const taken: number[] = []
  for (let slot = 0; slot * refBytes < value.length; slot++) if (!isEmpty(value, slot)) taken.push(slot)
  return taken
}

export function slotRef(page: Uint8Array, slot: number): RecordRef | undefined {
  const offset = slot * refBytes
  return offset >= page.length || isEmpty(page, slot) ? undefined : decodeRef(page, offset)
}

function isEmpty(page: Uint8Array, slot: number): boolean {
  const offset = slot * refBytes
  if (readClock(page, offset) !== 0n) return false
  return isEmptySlot(page.subarray(offset, offset + refBytes))
}
