import { concatBytes, equalBytes } from '../protocol/bytes.ts'
import type { GroupCommit } from './group-commit.ts'
import { decodeRef, encodeRef, keyOf, namePart, prefixEnd, readUint, tags, uintPart } from './keys.ts'
import { keyText } from './kv-memory.ts'
import type { Kv, KvEntry, KvWrite } from './kv.ts'
import type { FeedEntry, Feeds, StoreBatch } from './types.ts'

/** Older entries are in the authors' shards. */
export const feedEntriesMax = 1000
/** Trimming reads a range, so it waits until it pays. */
const feedSlack = 256
const removeKeys = 1000

export class KvFeeds implements Feeds {
  readonly #kv: Kv
  readonly #commit: GroupCommit
  readonly #entriesMax: number
  /** Feeds that grew beyond the bound and its slack; by count key. */
  readonly #overfull = new Map<string, Uint8Array>()

  constructor(kv: Kv, commit: GroupCommit, entriesMax: number = feedEntriesMax) {
    this.#kv = kv
    this.#commit = commit
    this.#entriesMax = entriesMax
  }

  add(user: Uint8Array, app: string, entries: readonly FeedEntry[]): Promise<void> {
    return this.#commit.submit((batch) => this.addIn(batch, user, app, entries))
  }

  addIn(batch: StoreBatch, user: Uint8Array, app: string, entries: readonly FeedEntry[]): void {
    const feed = feedPart(user, app)
    let added = 0
    for (const { author, ref } of entries) {
      const key = keyOf(tags.feed, feed, encodeRef(ref))
      if (batch.get(key) !== undefined) continue
      batch.put(key, author)
      added++
    }
    const count = changeCount(batch, feed, added)
    if (count > this.#entriesMax + feedSlack) this.#overfull.set(keyText(feed), feed)
  }

  async latest(
    user: Uint8Array,
    app: string,
    limit: number,
    before?: FeedEntry['ref'],
  ): Promise<FeedEntry[]> {
    const prefix = keyOf(tags.feed, feedPart(user, app))
    const entries = await this.#kv.range({
      gte: prefix,
      lt: before
        ? keyOf(tags.feed, feedPart(user, app), encodeRef(before))
        : (prefixEnd(prefix) as Uint8Array),
      reverse: true,
      limit: Math.min(limit, this.#entriesMax),
    })
    return entries.map(({ key, value }) => ({ author: value, ref: decodeRef(key, prefix.length) }))
  }

  async removeAuthor(
    user: Uint8Array,
    app: string,
    author: Uint8Array,
    stillSo: () => boolean = () => true,
  ): Promise<void> {
    const feed = feedPart(user, app)
    const entries = await this.#all(feed)
    const keys = entries.filter(({ value }) => equalBytes(value, author)).map(({ key }) => key)
    if (keys.length === 0) return
    await this.#commit.submit((batch) => {
      if (!stillSo()) return
      const held = keys.filter((key) => batch.get(key) !== undefined)
      for (const key of held) batch.delete(key)
      changeCount(batch, feed, -held.length)
    })
  }

  async remove(user: Uint8Array): Promise<void> {
    for (const tag of [tags.feed, tags.feedCount]) {
      const prefix = keyOf(tag, user)
      for (;;) {
        const keys = await this.#kv.keys({
          gte: prefix,
          lt: prefixEnd(prefix) as Uint8Array,
          limit: removeKeys,
        })
        if (keys.length === 0) break
        await this.#commit.submit((batch) => {
          for (const key of keys) batch.delete(key)
        })
      }
    }
  }

  /** Between batches, so nothing else writes meanwhile. */
  async trim(): Promise<void> {
    for (const [text, feed] of this.#overfull) {
      const entries = await this.#all(feed)
      const surplus = entries.slice(0, Math.max(0, entries.length - this.#entriesMax))
      const writes: KvWrite[] = surplus.map(({ key }) => ({ type: 'del', key }))
      const count = uintPart(entries.length - surplus.length)
      writes.push({ type: 'put', key: keyOf(tags.feedCount, feed), value: count })
      await this.#kv.batch(writes)
      this.#overfull.delete(text)
    }
  }

  async #all(feed: Uint8Array): Promise<KvEntry[]> {
    const prefix = keyOf(tags.feed, feed)
    return this.#kv.range({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
  }
}

function feedPart(user: Uint8Array, app: string): Uint8Array {
  return concatBytes(user, namePart(app, 255))
}

function changeCount(batch: StoreBatch, feed: Uint8Array, change: number): number {
  const key = keyOf(tags.feedCount, feed)
  const before = batch.get(key)
  const count = Math.max(0, (before === undefined ? 0 : readUint(before, 0)) + change)
  if (change !== 0) batch.put(key, uintPart(count))
  return count
}
