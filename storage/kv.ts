/**
 * The little that storage needs from a database: ordered byte keys, snapshots of a range, atomic synced batches.
 * classic-level and memory implement it; one contract suite holds both.
 *
 * After `close` every call fails with CLOSED. Byte arrays handed in are not kept past the call (a batch: past its
 * promise); byte arrays handed out belong to the caller, who does not write into them.
 */
export interface KvEntry {
  readonly key: Uint8Array
  readonly value: Uint8Array
}

export type KvWrite =
  | { readonly type: 'put'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly type: 'del'; readonly key: Uint8Array }

export interface KvRange {
  readonly gte?: Uint8Array
  readonly gt?: Uint8Array
  readonly lte?: Uint8Array
  readonly lt?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

/** What `range` and `keys` return at most when no limit is given: bounds memory; a longer range is read in pages. */
export const kvRangeLimit = 10_000

export interface Kv {
  /** Synchronous: a point read costs microseconds, a promise costs more. Undefined when missing. */
  get(key: Uint8Array): Uint8Array | undefined
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /** At most `limit` entries (10,000 when not given) of the range as of now. */
  range(range: KvRange): Promise<KvEntry[]>
  keys(range: KvRange): Promise<Uint8Array[]>
  /**
   * All or nothing, and on disk when it resolves. Later writes of one key win over earlier ones. One that failed may be on the disk
   * all the same: that shows once the database was opened anew.
   */
  batch(writes: readonly KvWrite[]): Promise<void>
  /** After a batch that failed, before the next is prepared from what can be read: opens the database anew where it is time. Never rejects. */
  settle?(): Promise<void>
  /** Where values that were written over or deleted still take room: gives that of these keys back. Writes go on meanwhile. */
  compact?(from: Uint8Array, to: Uint8Array): Promise<void>
  /** Waits for what is under way. Closing twice is closing once. */
  close(): Promise<void>
}
