import { concatBytes } from '../protocol/bytes.ts'
import type { GroupCommit } from './group-commit.ts'
import { keyOf, namePart, prefixEnd, tags } from './keys.ts'
import type { Kv, KvRange } from './kv.ts'
import type { Documents, StoreBatch, Table, TableRange } from './types.ts'

const clearKeys = 1000

/** Pairs under one prefix. Documents are a table per kind, under a tag of their own. */
export class KvTable implements Table {
  readonly name: string
  readonly #kv: Kv
  readonly #commit: GroupCommit
  readonly #prefix: Uint8Array

  constructor(kv: Kv, commit: GroupCommit, name: string, tag: number = tags.table) {
    this.name = name
    this.#kv = kv
    this.#commit = commit
    this.#prefix = keyOf(tag, namePart(name)).slice()
  }

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#kv.get(this.#key(key))
  }

  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    return this.#kv.getMany(keys.map((key) => this.#key(key)))
  }

  async range(range: TableRange = {}): Promise<{ key: Uint8Array; value: Uint8Array }[]> {
    const entries = await this.#kv.range(this.#bounds(range))
    return entries.map(({ key, value }) => ({ key: key.subarray(this.#prefix.length), value }))
  }

  async keys(range: TableRange = {}): Promise<Uint8Array[]> {
    const keys = await this.#kv.keys(this.#bounds(range))
    return keys.map((key) => key.subarray(this.#prefix.length))
  }

  put(key: Uint8Array, value: Uint8Array): Promise<void> {
    return this.#commit.submit((batch) => this.putIn(batch, key, value))
  }

  delete(key: Uint8Array): Promise<void> {
    return this.#commit.submit((batch) => this.deleteIn(batch, key))
  }

  getIn(batch: StoreBatch, key: Uint8Array): Uint8Array | undefined {
    return batch.get(this.#key(key))
  }

  putIn(batch: StoreBatch, key: Uint8Array, value: Uint8Array): void {
    batch.put(this.#key(key), value)
  }

  deleteIn(batch: StoreBatch, key: Uint8Array): void {
    batch.delete(this.#key(key))
  }

  async clear(): Promise<void> {
    for (;;) {
      const keys = await this.keys({ limit: clearKeys })
      if (keys.length === 0) return
      await this.#commit.submit((batch) => {
        for (const key of keys) this.deleteIn(batch, key)
      })
    }
  }

  #key(key: Uint8Array): Uint8Array {
    return concatBytes(this.#prefix, key)
  }

  #bounds(range: TableRange): KvRange {
    const { prefix, gte, gt, lte, lt, reverse, limit } = range
    const start = prefix === undefined ? this.#prefix : this.#key(prefix)
    return {
      ...(gt ? { gt: this.#key(gt) } : { gte: gte ? this.#key(gte) : start }),
      ...(lte ? { lte: this.#key(lte) } : { lt: lt ? this.#key(lt) : (prefixEnd(start) as Uint8Array) }),
      ...(reverse === undefined ? {} : { reverse }),
      ...(limit === undefined ? {} : { limit }),
    }
  }
}

export class KvDocuments implements Documents {
  readonly #kv: Kv
  readonly #commit: GroupCommit
  readonly #kinds = new Map<string, KvTable>()

  constructor(kv: Kv, commit: GroupCommit) {
    this.#kv = kv
    this.#commit = commit
  }

  get(kind: string, key: Uint8Array): Uint8Array | undefined {
    return this.#kind(kind).get(key)
  }

  async list(kind: string, range?: TableRange): Promise<{ key: Uint8Array; bytes: Uint8Array }[]> {
    const entries = await this.#kind(kind).range(range)
    return entries.map(({ key, value }) => ({ key, bytes: value }))
  }

  put(kind: string, key: Uint8Array, bytes: Uint8Array): Promise<void> {
    return this.#kind(kind).put(key, bytes)
  }

  putIn(batch: StoreBatch, kind: string, key: Uint8Array, bytes: Uint8Array): void {
    this.#kind(kind).putIn(batch, key, bytes)
  }

  delete(kind: string, key: Uint8Array): Promise<void> {
    return this.#kind(kind).delete(key)
  }

  deleteIn(batch: StoreBatch, kind: string, key: Uint8Array): void {
    this.#kind(kind).deleteIn(batch, key)
  }

  getIn(batch: StoreBatch, kind: string, key: Uint8Array): Uint8Array | undefined {
    return this.#kind(kind).getIn(batch, key)
  }

  /** Kinds are constants of the code, so the map stays small. */
  #kind(kind: string): KvTable {
    let table = this.#kinds.get(kind)
    if (table === undefined) {
      table = new KvTable(this.#kv, this.#commit, kind, tags.document)
      this.#kinds.set(kind, table)
    }
    return table
  }
}
