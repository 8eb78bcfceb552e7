import { tags } from './keys.ts'
import { keyText } from './kv-memory.ts'
import type { Kv, KvEntry, KvRange, KvWrite } from './kv.ts'

/** Small values that are asked for again and again: shard heads, counts, cursors. */
const hotTags: ReadonlySet<number> = new Set([tags.head, tags.counts, tags.cursor])
/** Some 300 bytes each: a head and three cursors of 7,000 shards and a little more. */
const hotMax = 32_768
/** What was just written is read back at once by everybody who passes it on. */
const recentTags: ReadonlySet<number> = new Set([tags.log, tags.order, tags.live])
/** Less than 1 KB each; four times what one message between nodes takes. */
const recentMax = 4_096
/** Long ones are read from the disk: a few of them would cost as much memory as all others. */
const recentBytesMax = 2_048

/**
 * A little memory before a database: a point read costs it microseconds, and writing one record asks for a dozen.
 * Shows what is on disk, as the database itself does: a batch is seen here once it is written.
 */
export class CachedKv implements Kv {
  readonly #kv: Kv
  readonly #hot = new Map<string, Uint8Array | undefined>()
  readonly #recent = new Map<string, Uint8Array>()
  /** A batch failed: whether it is on the disk shows when the database was opened anew, so nothing is believed until then. */
  #isInDoubt = false

  constructor(kv: Kv) {
    this.#kv = kv
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#isInDoubt) return this.#kv.get(key)
    const tag = key[0] as number
    if (hotTags.has(tag)) {
      const text = keyText(key)
      const known = this.#hot.get(text)
      if (known !== undefined || this.#hot.has(text)) return known
      const value = this.#kv.get(key)
      keep(this.#hot, text, value?.slice(), hotMax)
      return value
    }
    return (recentTags.has(tag) ? this.#recent.get(keyText(key)) : undefined) ?? this.#kv.get(key)
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#kv.getMany(keys)
  }

  range(range: KvRange): Promise<KvEntry[]> {
    return this.#kv.range(range)
  }

  keys(range: KvRange): Promise<Uint8Array[]> {
    return this.#kv.keys(range)
  }

  async batch(writes: readonly KvWrite[]): Promise<void> {
    try {
      await this.#kv.batch(writes)
    } catch (error) {
      this.#forget()
      this.#isInDoubt = true
      throw error
    }
    this.#isInDoubt = false
    for (const write of writes) {
      const tag = write.key[0] as number
      const value = write.type === 'put' ? write.value : undefined
      if (hotTags.has(tag)) keep(this.#hot, keyText(write.key), value?.slice(), hotMax)
      else if (!recentTags.has(tag)) continue
      else if (value === undefined || value.length > recentBytesMax) this.#recent.delete(keyText(write.key))
      else keep(this.#recent, keyText(write.key), value.slice(), recentMax)
    }
  }

  async close(): Promise<void> {
    const closed = this.#kv.close()
    // From now on every read fails as the database's own does.
    this.#isInDoubt = true
    await closed
    this.#forget()
  }

  #forget(): void {
    this.#hot.clear()
    this.#recent.clear()
  }
}

function keep<T>(map: Map<string, T>, text: string, value: T, max: number): void {
  map.delete(text)
  map.set(text, value)
  if (map.size > max) map.delete(map.keys().next().value as string)
}
