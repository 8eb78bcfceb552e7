/**
 * The refs of a shard as a B-tree that counts and sums: each branch knows how many refs lie under each of its children
 * and the sum of their ids. So the fingerprint of any range, the n-th ref and the place of a bound cost a few pages,
 * however many records there are, and a write changes the pages on one path.
 */
import type { Bound } from '../protocol/reconcile/bound.ts'
import { addId, sumWords } from '../protocol/reconcile/fingerprint.ts'
import type { RecordRef } from '../protocol/record/types.ts'
import { decodeRef, encodeRef, readUint, refBytes, spaceKey, tags, uintPart, writeUint } from './keys.ts'
import type { Kv } from './kv.ts'
import type { StagedBatch } from './staged-batch.ts'

/** Of a branch: first ref of the child, its page, how many refs are under it, the sum of their ids. */
const pageAt = refBytes
const countAt = pageAt + 8
const sumAt = countAt + 8
const branchBytes = sumAt + sumWords * 4

/** Pages of 1.3 and 2.1 KB: the one that is written again with each record, and those above it. */
const leafMax = 32
const branchMax = 24

const root = 0
/** Kind of the page; in the root also the number of the next new page. */
const headerBytes = 9
const leafKind = 0

interface Page {
  readonly isLeaf: boolean
  readonly width: number
  /** How many entries. */
  used: number
  readonly bytes: Uint8Array
  readonly view: DataView
}

/** What is known of the refs of one shard in their order. */
export interface RefOrder {
  readonly size: number
  /** `index` is below `size`. */
  at(index: number): RecordRef
  /** How many lie before the bound. */
  lowerBound(bound: Bound): number
  /** Of the ids from `from` (inclusive) to `to` (exclusive). */
  sum(from: number, to: number): Uint32Array
}

export class RefTree implements RefOrder {
  readonly #kv: Pick<Kv, 'get'>
  readonly #shard: Uint8Array
  /** As they are on disk, and as they will be. */
  readonly #pages = new Map<number, Page>()
  readonly #changed = new Map<number, Page | undefined>()
  #next: number | undefined
  /** Where `at` found the last: its neighbours are asked for next. */
  #leaf: { readonly page: Page; readonly start: number } | undefined

  constructor(kv: Pick<Kv, 'get'>, shard: Uint8Array) {
    this.#kv = kv
    this.#shard = shard
  }

  get size(): number {
    return count(this.#page(root))
  }

  at(index: number): RecordRef {
    const seen = this.#leaf
    if (seen !== undefined && index >= seen.start && index < seen.start + seen.page.used)
      return decodeRef(seen.page.bytes, headerBytes + (index - seen.start) * refBytes)
    let page = this.#page(root)
    let left = index
    while (!page.isLeaf) {
      let child = 0
      for (; left >= countOf(page, child); child++) left -= countOf(page, child)
      page = this.#page(childOf(page, child))
    }
    this.#leaf = { page, start: index - left }
    return decodeRef(page.bytes, headerBytes + left * refBytes)
  }

  lowerBound({ clock, prefix }: Bound): number {
    const key = encodeRef({ clock, id: prefix })
    let before = 0
    let page = this.#page(root)
    while (!page.isLeaf) {
      const child = childFor(page, key)
      for (let i = 0; i < child; i++) before += countOf(page, i)
      page = this.#page(childOf(page, child))
    }
    return before + position(page, key)
  }

  sum(from: number, to: number): Uint32Array {
    const sum = new Uint32Array(sumWords)
    this.#addRange(sum, this.#page(root), from, to)
    return sum
  }

  /** What is there already is left as it is. */
  insert(ref: Uint8Array): void {
    this.#leaf = undefined
    const outcome = this.#insert(root, ref)
    if (typeof outcome !== 'object') return
    // The root stays where it is: what it held moves down.
    const left = this.#newPage()
    const above = this.#page(root)
    this.#changed.set(left, above)
    const page = emptyPage(false)
    putEntry(page, 0, firstOf(above), left, above)
    putEntry(page, 1, firstOf(outcome.page), outcome.number, outcome.page)
    this.#changed.set(root, page)
  }

  /** What is not there is no matter. */
  remove(ref: Uint8Array): void {
    this.#leaf = undefined
    if (this.#remove(root, ref) === 'empty') this.#changed.set(root, emptyPage(true))
  }

  flush(batch: StagedBatch): void {
    const page = this.#changed.get(root)
    if (page !== undefined && this.#next !== undefined) writeUint(page.bytes, 1, this.#next)
    for (const [number, { bytes, used, width } = noPage] of this.#changed) {
      const key = this.#key(number)
      if (bytes.length === 0) batch.delete(key)
      else batch.putRarelyRead(key, bytes.subarray(0, headerBytes + used * width))
    }
  }

  /** The database itself keeps in memory what is asked for often. */
  committed(): void {
    this.#pages.clear()
    this.#changed.clear()
    this.#leaf = undefined
    this.#next = undefined
  }

  /** Of a child that lies within the range its sum is taken, so that only the pages at both ends are read. */
  #addRange(sum: Uint32Array, page: Page, from: number, to: number): void {
    if (page.isLeaf) {
      for (let i = from; i < to; i++) addId(sum, page.view, entryAt(page, i) + 8)
      return
    }
    for (let child = 0, start = 0; child < page.used && start < to; child++) {
      const end = start + countOf(page, child)
      if (start >= from && end <= to) addId(sum, page.view, entryAt(page, child) + sumAt)
      else if (end > from)
        this.#addRange(
          sum,
          this.#page(childOf(page, child)),
          Math.max(0, from - start),
          Math.min(end, to) - start,
        )
      start = end
    }
  }

  /** A page that was split off, on the right; otherwise whether the ref is new. */
  #insert(number: number, ref: Uint8Array): boolean | { readonly number: number; readonly page: Page } {
    const seen = this.#page(number)
    if (seen.isLeaf) {
      const at = position(seen, ref)
      if (at < seen.used && compareAt(seen, at, ref) === 0) return false
      const page = this.#own(number)
      makeRoom(page, at)
      page.bytes.set(ref, entryAt(page, at))
      return this.#splitWhereFull(page, leafMax, at)
    }
    const child = childFor(seen, ref)
    const outcome = this.#insert(childOf(seen, child), ref)
    if (outcome === false) return false
    const page = this.#own(number)
    if (compareAt(page, child, ref) > 0) page.bytes.set(ref, entryAt(page, child))
    if (outcome === true) {
      const at = entryAt(page, child)
      writeUint(page.bytes, at + countAt, countOf(page, child) + 1)
      addTo(page, at + sumAt, ref)
      return true
    }
    const left = childOf(page, child)
    const first = refAt(page, child).slice()
    putEntry(page, child, first, left, this.#page(left))
    makeRoom(page, child + 1)
    putEntry(page, child + 1, firstOf(outcome.page), outcome.number, outcome.page)
    return this.#splitWhereFull(page, branchMax, child + 1)
  }

  /** Who writes at the end goes on there, and who begins with the newest at the start: a full page is left full. */
  #splitWhereFull(page: Page, max: number, at: number): true | { number: number; page: Page } {
    if (page.used <= max) return true
    const first = page.isLeaf ? 0 : 1 // the child that was split stays before its new half
    const keep = at === page.used - 1 ? max : at === first ? 1 : page.used >> 1
    const right = emptyPage(page.isLeaf)
    right.bytes.set(page.bytes.subarray(entryAt(page, keep), entryAt(page, page.used)), headerBytes)
    right.used = page.used - keep
    page.used = keep
    const number = this.#newPage()
    this.#changed.set(number, right)
    return { number, page: right }
  }

  #remove(number: number, ref: Uint8Array): 'missing' | 'removed' | 'empty' {
    const seen = this.#page(number)
    const at = seen.isLeaf ? position(seen, ref) : childFor(seen, ref)
    if (seen.isLeaf) {
      if (at === seen.used || compareAt(seen, at, ref) !== 0) return 'missing'
      return takeEntry(this.#own(number), at)
    }
    const child = childOf(seen, at)
    const outcome = this.#remove(child, ref)
    if (outcome === 'missing') return outcome
    const page = this.#own(number)
    if (outcome === 'empty') {
      this.#changed.set(child, undefined)
      return takeEntry(page, at)
    }
    putEntry(page, at, refAt(page, at).slice(), child, this.#page(child))
    return 'removed'
  }

  #page(number: number): Page {
    const changed = this.#changed.get(number)
    if (changed !== undefined) return changed
    let page = this.#pages.get(number)
    if (page === undefined) {
      const bytes = this.#kv.get(this.#key(number))
      page = bytes === undefined ? noRefs : readPage(bytes)
      this.#pages.set(number, page)
    }
    return page
  }

  /** To be changed. */
  #own(number: number): Page {
    const changed = this.#changed.get(number)
    if (changed !== undefined) return changed
    const from = this.#page(number)
    const page = emptyPage(from.isLeaf)
    page.bytes.set(from.bytes)
    page.used = from.used
    this.#changed.set(number, page)
    return page
  }

  /** The root changes with every new page, and keeps the number. */
  #newPage(): number {
    const next = (this.#next ?? readUint(this.#page(root).bytes, 1)) || 1
    this.#next = next + 1
    return next
  }

  #key(number: number): Uint8Array {
    return spaceKey(tags.tree, this.#shard, uintPart(number))
  }
}

const noPage: Pick<Page, 'bytes' | 'used' | 'width'> = { bytes: new Uint8Array(0), used: 0, width: 0 }

/** With room for one entry too many: then it is split. */
function emptyPage(isLeaf: boolean): Page {
  const [width, max] = isLeaf ? [refBytes, leafMax] : [branchBytes, branchMax]
  const bytes = new Uint8Array(headerBytes + (max + 1) * width)
  bytes[0] = isLeaf ? leafKind : leafKind + 1
  return { isLeaf, width, used: 0, bytes, view: new DataView(bytes.buffer) }
}

/** Of every shard that holds nothing: pages are copied before they are changed. */
const noRefs = emptyPage(true)

function readPage(bytes: Uint8Array): Page {
  const isLeaf = bytes[0] === leafKind
  const width = isLeaf ? refBytes : branchBytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { isLeaf, width, used: Math.floor((bytes.length - headerBytes) / width), bytes, view }
}

function entryAt({ width }: Page, index: number): number {
  return headerBytes + index * width
}

function refAt(page: Page, index: number): Uint8Array {
  const at = entryAt(page, index)
  return page.bytes.subarray(at, at + refBytes)
}

function firstOf(page: Page): Uint8Array {
  return refAt(page, 0)
}

function childOf(page: Page, index: number): number {
  return readUint(page.bytes, entryAt(page, index) + pageAt)
}

function countOf(page: Page, index: number): number {
  return readUint(page.bytes, entryAt(page, index) + countAt)
}

function count(page: Page): number {
  if (page.isLeaf) return page.used
  let all = 0
  for (let i = 0; i < page.used; i++) all += countOf(page, i)
  return all
}

/** Order of an entry and a key that may be shorter. No view of the entry is made: a search would make a dozen. */
function compareAt({ bytes, width }: Page, index: number, key: Uint8Array): number {
  const at = headerBytes + index * width
  for (let i = 0; i < key.length; i++) {
    const difference = (bytes[at + i] as number) - (key[i] as number)
    if (difference !== 0) return difference
  }
  return refBytes - key.length
}

/** How many entries are below the key. */
function position(page: Page, key: Uint8Array): number {
  let low = 0
  let high = page.used
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compareAt(page, middle, key) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** The last child that begins at or below the key; the first takes what is below all. */
function childFor(page: Page, key: Uint8Array): number {
  const at = position(page, key)
  if (at < page.used && compareAt(page, at, key) === 0) return at
  return Math.max(0, at - 1)
}

function makeRoom(page: Page, at: number): void {
  page.bytes.copyWithin(entryAt(page, at + 1), entryAt(page, at), entryAt(page, page.used))
  page.used++
}

function takeEntry(page: Page, at: number): 'removed' | 'empty' {
  page.bytes.copyWithin(entryAt(page, at), entryAt(page, at + 1), entryAt(page, page.used))
  page.used--
  return page.used === 0 ? 'empty' : 'removed'
}

/** What is true of the child now; the entry after the last is one more. */
function putEntry(page: Page, index: number, first: Uint8Array, number: number, child: Page): void {
  const at = entryAt(page, index)
  page.used = Math.max(page.used, index + 1)
  page.bytes.set(first, at)
  writeUint(page.bytes, at + pageAt, number)
  writeUint(page.bytes, at + countAt, count(child))
  working.fill(0)
  for (let i = 0; i < child.used; i++)
    addId(working, child.view, entryAt(child, i) + (child.isLeaf ? 8 : sumAt))
  writeSum(page, at + sumAt, working)
}

function addTo(page: Page, at: number, ref: Uint8Array): void {
  working.fill(0)
  addId(working, page.view, at)
  addId(working, new DataView(ref.buffer, ref.byteOffset, refBytes), 8)
  writeSum(page, at, working)
}

/** One sum at a time is added up. */
const working = new Uint32Array(sumWords)

function writeSum({ view }: Page, at: number, sum: Uint32Array): void {
  for (let word = 0; word < sumWords; word++) view.setUint32(at + word * 4, sum[word] as number, true)
}
