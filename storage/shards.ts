import { OnehopError } from '../protocol/errors.ts'
import type { GroupCommit } from './group-commit.ts'
import { idBytes, keyOf, prefixEnd, shardTags, tags } from './keys.ts'
import type { Kv } from './kv.ts'
import { decodeHead, readHead, shardInfo, type ShardStates } from './shard-state.ts'
import type { ShardInfo, Shards, ShardStatus, StoreBatch } from './types.ts'

const listMax = 1000
const removeKeys = 1000

export class KvShards implements Shards {
  readonly #kv: Kv
  readonly #commit: GroupCommit
  readonly #states: ShardStates

  constructor(kv: Kv, commit: GroupCommit, states: ShardStates) {
    this.#kv = kv
    this.#commit = commit
    this.#states = states
  }

  get(shard: Uint8Array): ShardInfo | undefined {
    const head = readHead(this.#kv, shard)
    return head && shardInfo(shard, head)
  }

  async list(
    options: { after?: Uint8Array; limit?: number; status?: ShardStatus } = {},
  ): Promise<ShardInfo[]> {
    const limit = Math.min(options.limit ?? listMax, listMax)
    const found: ShardInfo[] = []
    let after = keyOf(tags.head, options.after ?? new Uint8Array(0))
    while (found.length < limit) {
      const entries = await this.#kv.range({ gt: after, lt: Uint8Array.of(tags.head + 1), limit: listMax })
      for (const { key, value } of entries) {
        after = key
        const info = shardInfo(key.slice(1, 1 + idBytes), decodeHead(value))
        if (info === undefined || (options.status !== undefined && info.status !== options.status)) continue
        if (found.length < limit) found.push(info)
      }
      if (entries.length < listMax) break
    }
    return found
  }

  setStatus(shard: Uint8Array, status: ShardStatus): Promise<void> {
    return this.#commit.submit((batch) => this.setStatusIn(batch, shard, status))
  }

  setStatusIn(_batch: StoreBatch, shard: Uint8Array, status: ShardStatus): void {
    this.#states.change(shard, status).head.status = status
  }

  addBlobBytesIn(_batch: StoreBatch, shard: Uint8Array, bytes: number): void {
    const { head } = this.#states.change(shard, 'partial')
    head.blobBytes = Math.max(0, head.blobBytes + bytes)
  }

  async remove(shard: Uint8Array): Promise<void> {
    const known = await this.#commit.submit((batch) => {
      const state = this.#states.find(shard)
      if (state === undefined) return false
      batch.put(keyOf(tags.removing, shard), new Uint8Array(0))
      state.head.status = 'removing'
      this.#states.mark(state)
      return true
    })
    if (!known) return
    for (const tag of shardTags) await this.#removeUnder(keyOf(tag, shard))
    await this.#commit.submit((batch) => {
      const state = this.#states.find(shard)
      if (state !== undefined && state.head.status !== 'removing') {
        throw new OnehopError('INTERNAL', 'a shard came back while it was removed')
      }
      this.#states.forget(shard)
      batch.delete(keyOf(tags.head, shard))
      batch.delete(keyOf(tags.removing, shard))
    })
  }

  /** Ends the removals that a crash interrupted. */
  async resumeRemovals(): Promise<void> {
    const prefix = Uint8Array.of(tags.removing)
    const keys = await this.#kv.keys({ gte: prefix, lt: prefixEnd(prefix) as Uint8Array })
    for (const key of keys) await this.remove(key.slice(1))
  }

  async #removeUnder(prefix: Uint8Array): Promise<void> {
    for (;;) {
      const keys = await this.#kv.keys({
        gte: prefix,
        lt: prefixEnd(prefix) as Uint8Array,
        limit: removeKeys,
      })
      if (keys.length === 0) return
      await this.#commit.submit((batch) => {
        for (const key of keys) batch.delete(key)
      })
    }
  }
}
