import { LevelDatastore } from 'datastore-level'
import type { Clock } from '../../protocol/ports.ts'

type Key = Parameters<LevelDatastore['get']>[0]
type Options = Parameters<LevelDatastore['get']>[1]

const peersPrefix = '/peers/'
const flushEveryMs = 30_000
/** Waiting to be written; also the most that a power cut forgets, which the network tells again. */
const dirtyMax = 1_024
const keptMax = 4_096

/**
 * The peer store reads and writes an entry whenever a message mentions a peer, which is seven times seven for each
 * record provided among eight nodes: on disk that cost more than all the rest of the DHT. Peers are kept in memory
 * and written in portions; everything else goes to disk as it comes.
 */
export class PeerDatastore extends LevelDatastore {
  readonly #clock: Clock
  readonly #peers = new Map<string, Uint8Array>()
  readonly #dirty = new Set<string>()
  #flushedMs: number

  constructor(db: ConstructorParameters<typeof LevelDatastore>[0], clock: Clock) {
    super(db)
    this.#clock = clock
    this.#flushedMs = clock.monotonicMs()
  }

  override async get(key: Key, options?: Options): Promise<Uint8Array> {
    const name = key.toString()
    const kept = this.#peers.get(name)
    if (kept !== undefined) return kept
    const value = await super.get(key, options)
    if (isPeer(name) && !this.#peers.has(name)) this.#keep(name, value)
    return value
  }

  override async has(key: Key, options?: Options): Promise<boolean> {
    return this.#peers.has(key.toString()) || super.has(key, options)
  }

  override async put(key: Key, value: Uint8Array, options?: Options): Promise<Key> {
    const name = key.toString()
    if (!isPeer(name)) return super.put(key, value, options)
    this.#dirty.add(name)
    this.#keep(name, value)
    const isDue = this.#clock.monotonicMs() - this.#flushedMs >= flushEveryMs
    if (isDue || this.#dirty.size >= dirtyMax) await this.#flush()
    return key
  }

  override async delete(key: Key, options?: Options): Promise<void> {
    this.#peers.delete(key.toString())
    this.#dirty.delete(key.toString())
    await super.delete(key, options)
  }

  override async *query(...args: Parameters<LevelDatastore['query']>): ReturnType<LevelDatastore['query']> {
    await this.#flush()
    yield* super.query(...args)
  }

  override async *queryKeys(
    ...args: Parameters<LevelDatastore['queryKeys']>
  ): ReturnType<LevelDatastore['queryKeys']> {
    await this.#flush()
    yield* super.queryKeys(...args)
  }

  override async close(): Promise<void> {
    await this.#flush()
    await super.close()
  }

  /** What changes meanwhile waits for the next time. */
  async #flush(): Promise<void> {
    this.#flushedMs = this.#clock.monotonicMs()
    const writes = [...this.#dirty].flatMap((key) => {
      const value = this.#peers.get(key)
      return value === undefined ? [] : [{ type: 'put' as const, key, value }]
    })
    this.#dirty.clear()
    if (writes.length > 0) await this.db.batch(writes)
  }

  #keep(name: string, value: Uint8Array): void {
    this.#peers.delete(name)
    this.#peers.set(name, value)
    if (this.#peers.size <= keptMax) return
    for (const oldest of this.#peers.keys()) {
      if (this.#dirty.has(oldest)) continue
      this.#peers.delete(oldest)
      return
    }
  }
}

function isPeer(name: string): boolean {
  return name.startsWith(peersPrefix)
}
