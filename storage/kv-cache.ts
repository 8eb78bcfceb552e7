import { tags } from './keys.ts'
import { keyText } from './kv-memory.ts'
import type { Kv, KvEntry, KvRange, KvWrite } from './kv.ts'
import { TwoHalves } from './two-halves.ts'

const missing = Symbol('missing')

/** What is remembered of some kinds of keys. */
interface Memory {
  readonly tags: readonly number[]
  readonly values: TwoHalves<Uint8Array | typeof missing>
  /** Also what was read, and what was not there: it will be asked for again. */
  readonly keepsReads: boolean
}

/** Longer ones are read from the disk: a few of them would cost as much memory as all others. */
const valueBytesMax = 2_112

function memories(): Memory[] {
  const often = [tags.head, tags.counts, tags.cursor]
  const justWritten = [tags.log, tags.order, tags.live]
  return [
    // Some 300 bytes each: a head and three cursors of 7,000 shards and a little more.
    { tags: often, values: new TwoHalves(32_768), keepsReads: true },
    // Where a device's next record goes: a page that was written a moment ago, or is not there yet. Less than 1 KB each.
    { tags: [tags.numbers], values: new TwoHalves(4_096), keepsReads: true },
    // The path to where the next record goes. Some 1.5 KB each.
    { tags: [tags.tree], values: new TwoHalves(4_096), keepsReads: true },
    // Read back at once by everybody who passes it on. Less than 1 KB each; four times what one message between nodes takes.
    { tags: justWritten, values: new TwoHalves(4_096), keepsReads: false },
  ]
}

/**
 * A little memory before a database: a point read costs it microseconds, and writing one record asks for a dozen.
 * Shows what is on disk, as the database itself does: a batch is seen here once it is written.
 */
export class CachedKv implements Kv {
  readonly #kv: Kv
  readonly #memories = memories()
  readonly #byTag = new Map(this.#memories.flatMap((memory) => memory.tags.map((tag) => [tag, memory])))
  /** A batch failed: whether it is on the disk shows when the database was opened anew, so nothing is believed until then. */
  #isInDoubt = false

  constructor(kv: Kv) {
    this.#kv = kv
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.#isInDoubt) return this.#kv.get(key)
    const memory = this.#byTag.get(key[0] as number)
    if (memory === undefined) return this.#kv.get(key)
    const text = keyText(key)
    const known = memory.values.get(text)
    if (known !== undefined) return known === missing ? undefined : known
    const value = this.#kv.get(key)
    if (memory.keepsReads) keep(memory, text, value)
    return value
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
      const memory = this.#byTag.get(write.key[0] as number)
      if (memory !== undefined)
        keep(memory, keyText(write.key), write.type === 'put' ? write.value : undefined)
    }
  }

  async settle(): Promise<void> {
    await this.#kv.settle?.()
  }

  async compact(from: Uint8Array, to: Uint8Array): Promise<void> {
    await this.#kv.compact?.(from, to)
  }

  async close(): Promise<void> {
    const closed = this.#kv.close()
    // From now on every read fails as the database's own does.
    this.#isInDoubt = true
    await closed
    this.#forget()
  }

  #forget(): void {
    for (const { values } of this.#memories) values.clear()
  }
}

function keep({ values }: Memory, text: string, value: Uint8Array | undefined): void {
  if (value === undefined) values.set(text, missing)
  else if (value.length > valueBytesMax) values.delete(text)
  else values.set(text, value.slice())
}
