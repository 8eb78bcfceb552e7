import type { Clock } from '../protocol/ports.ts'
import { KvCursors } from './cursors.ts'
import { feedEntriesMax, KvFeeds } from './feeds.ts'
import { GroupCommit, type GroupLimits, groupLimits, type GroupOptions } from './group-commit.ts'
import { CachedKv } from './kv-cache.ts'
import { uintPart } from './keys.ts'
import type { Kv } from './kv.ts'
import { formatVersion, migrate, versionKey } from './migrations.ts'
import { resumeRebuilds } from './rebuild-shard.ts'
import { KvRecords } from './records.ts'
import { ShardStates } from './shard-state.ts'
import { KvShards } from './shards.ts'
import { KvDocuments, KvTable } from './tables.ts'
import type { Store, StoreBatch, StoreStats, Table } from './types.ts'

export type * from './types.ts'

export interface StoreOptions {
  /** For expiry only. */
  readonly clock: Clock
  readonly feedEntriesMax?: number
  readonly limits?: GroupLimits
  readonly gathered?: GroupOptions['gathered']
}

/** Brings the format up to date and returns a store that is ready. Closing the store closes `kv`. */
export async function openStore(kv: Kv, options: StoreOptions): Promise<Store> {
  await migrate(kv)
  await resumeRebuilds(kv)
  const store = new KvStore(new CachedKv(kv), options)
  await store.shards.resumeRemovals()
  return store
}

class KvStore implements Store {
  readonly records: KvRecords
  readonly shards: KvShards
  readonly documents: KvDocuments
  readonly cursors: KvCursors
  readonly feeds: KvFeeds
  readonly #kv: Kv
  readonly #commit: GroupCommit

  constructor(kv: Kv, options: StoreOptions) {
    const states = new ShardStates(kv)
    this.#kv = kv
    this.#commit = new GroupCommit(kv, states, {
      clock: options.clock,
      limits: options.limits ?? groupLimits,
      gathered: options.gathered,
      afterBatch: () => this.feeds.trim(),
    })
    this.records = new KvRecords(kv, this.#commit, states, options.clock)
    this.shards = new KvShards(kv, this.#commit, states)
    this.documents = new KvDocuments(kv, this.#commit)
    this.cursors = new KvCursors(kv, this.#commit)
    this.feeds = new KvFeeds(kv, this.#commit, options.feedEntriesMax ?? feedEntriesMax)
  }

  table(name: string): Table {
    return new KvTable(this.#kv, this.#commit, name)
  }

  write<T>(prepare: (batch: StoreBatch) => T): Promise<T> {
    return this.#commit.submit(prepare)
  }

  stats(): StoreStats {
    return { formatVersion, ...this.#commit.stats }
  }

  async recheck(): Promise<void> {
    if (this.stats().failure === undefined) return
    await this.#commit
      .submit((batch) => batch.put(versionKey, uintPart(formatVersion)))
      // What it failed of is the failure that `stats` tells.
      .catch(() => undefined)
  }

  async close(): Promise<void> {
    await this.#commit.close()
    await this.#kv.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
