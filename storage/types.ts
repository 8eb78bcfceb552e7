/**
 * What the rest of the node sees of the store. `openStore` (store.ts) makes one over any `Kv`.
 *
 * Every change happens in a *batch*: a function that runs synchronously, reads what it needs (earlier writes of
 * the same batch and of batches queued before it included), and stages writes. When the promise resolves,
 * everything it staged is on disk; when it rejects, nothing of it is. Methods that end in `In` stage into a batch
 * that the caller has; those without make one of their own. Batches of many callers share one sync.
 */
import type { OnehopError } from '../protocol/errors.ts'
import type { DeviceKey, IdentityId, RecordRef, VerifiedRecord } from '../protocol/record/types.ts'
import type { RefOrder } from './ref-tree.ts'

export type { RefOrder } from './ref-tree.ts'

/** A verified record with the exact bytes that came over the wire; those are what is kept and forwarded. */
export interface IncomingRecord {
  readonly record: VerifiedRecord
  readonly bytes: Uint8Array
}

export interface StoredRecord {
  readonly ref: RecordRef
  /** As received. `decodeStored(stored)` of stored-record.ts gives the VerifiedRecord. */
  readonly bytes: Uint8Array
}

/** The item that wins under one key. Deleted items have a winner too: the tombstone. */
export interface Winner {
  readonly ref: RecordRef
  readonly device: DeviceKey
  readonly deleted: boolean
  /** Unix milliseconds after which the item is hidden. Reads through the store hide it already. */
  readonly expiresMs: number | undefined
}

export type PutState =
  /** New here. */
  | 'stored'
  /** Held already (or held once and dropped since); nothing was written. */
  | 'known'
  /** Held with sections withheld; this copy brought some of them. It enters the arrival log again. */
  | 'filled'

export interface PutOutcome {
  readonly state: PutState
  /** True when this record is what its item now shows (or hides, for a delete). */
  readonly winner: boolean
  /** Another record of this device bears the same number: the proof is kept, both records merge normally. */
  readonly equivocates: RecordRef | undefined
  /** Position in the shard's arrival log; undefined when known. */
  readonly position: number | undefined
}

export type ShardStatus =
  /** This node answers for the whole shard. */
  | 'hosted'
  /** Only records of followed streams are copied here. */
  | 'partial'

/** A record that counts no more: its device was revoked, and the revocation does not name it. */
export interface Drop {
  readonly ref: RecordRef
  /** Where another record rightly bears its number: that one, or undefined for one that is still to come. */
  readonly rightful?: { readonly ref: RecordRef | undefined }
}

export interface Place {
  readonly app: string
  readonly collection: string
}

export interface ItemName {
  readonly app: string
  readonly collection: string
  readonly itemKey: Uint8Array
}

/** An item that showed what was dropped. */
export interface DroppedItem extends ItemName {
  /** What it shows (or hides) now: the best of the versions that are left. Undefined when there is none. */
  readonly restored: StoredRecord | undefined
}

/** Stages more into the batch that sweeps, knowing what the records were before. Runs synchronously, maybe twice. */
export type AlsoSwept = (batch: StoreBatch, swept: readonly StoredRecord[]) => void

export interface Swept {
  /** Records that lost their sections in this step. */
  readonly records: number
  /** By so much the shard takes less room. */
  readonly bytes: number
  readonly more: boolean
}

export interface PutOptions {
  /** Status of a shard that this put creates: hosted, or else partial. A known shard keeps its status. */
  readonly hosted: boolean
  /** Stages more into the same batch, knowing the outcomes. Runs synchronously, maybe twice; no side effects. */
  readonly also?: (batch: StoreBatch, outcomes: readonly PutOutcome[]) => void
}

/** Where in (clock, id) order; a bound without id lies before every id of that clock. */
export interface OrderBound {
  readonly clock: bigint
  readonly id?: Uint8Array
}

export interface OrderRange {
  /** Inclusive. */
  readonly from?: OrderBound
  /** Exclusive. */
  readonly to?: OrderBound
  readonly limit?: number
}

export interface LatestOptions {
  /** 50 when not given; 1,000 at most. */
  readonly limit?: number
  /** Exclusive: entries older than this one. */
  readonly before?: RecordRef
  /** Exclusive: entries newer than this one (still newest first). */
  readonly after?: RecordRef
}

export interface LogEntry {
  readonly position: number
  readonly ref: RecordRef
}

/** Ascending, disjoint, not adjacent: [first, last] both inclusive. */
export type Intervals = readonly (readonly [first: number, last: number])[]

export interface Records {
  put(records: readonly IncomingRecord[], options: PutOptions): Promise<PutOutcome[]>
  putIn(batch: StoreBatch, records: readonly IncomingRecord[], options: PutOptions): PutOutcome[]

  /**
   * Takes records out; winners are chosen anew among the versions that are left. The ref of a lost winner enters the
   * arrival log again, and after it that of the one restored in its place. What was dropped is kept aside, as what made
   * it so may turn out not to hold: putting it again brings it back. Reads the whole shard when winners go.
   */
  drop(shard: IdentityId, drops: readonly Drop[]): Promise<DroppedItem[]>
  /** A record that was dropped and is kept aside; what `log` names and `get` does not find may be one. */
  dropped(shard: IdentityId, ref: RecordRef): StoredRecord | undefined
  /** All of them, 1,000 at a time, in order. */
  allDropped(shard: IdentityId, after?: RecordRef): Promise<StoredRecord[]>

  /**
   * One step of the sweep of a shard at a cut (the start of a UTC day): records that are over lose their sections, and items that
   * have expired leave the lists. Bounded; a step that a crash interrupts is done again.
   */
  sweep(shard: IdentityId, cutMs: number, also?: AlsoSwept): Promise<Swept>
  /** Has the disk give back the room of what was swept; else it does when it next gets to those records. */
  reclaim(shard: IdentityId): Promise<void>
  /** From now on, what had expired by this cut comes without its sections; undefined: as it comes. */
  expireUpTo(cutMs: number | undefined): void

  get(shard: IdentityId, ref: RecordRef): StoredRecord | undefined
  getMany(shard: IdentityId, refs: readonly RecordRef[]): Promise<(StoredRecord | undefined)[]>
  /** Synchronous and fast. Undefined when nothing was ever stored, or it is deleted or expired. */
  winner(shard: IdentityId, app: string, collection: string, itemKey: Uint8Array): StoredRecord | undefined
  /** The winner entry itself, tombstones and expired ones included. */
  winnerEntry(shard: IdentityId, app: string, collection: string, itemKey: Uint8Array): Winner | undefined
  /** Items as they stand now, newest first; without deleted and expired ones. */
  latest(shard: IdentityId, app: string, collection: string, options?: LatestOptions): Promise<StoredRecord[]>
  /** Number of live items (expired ones count until they are swept). */
  count(shard: IdentityId, app: string, collection: string): number

  /** Collections that ever had an item here, by name. */
  places(shard: IdentityId): Promise<Place[]>
  /** As `latest`, with what has expired, and never from memory: for whoever goes through all of it. */
  items(shard: IdentityId, place: Place, limit: number, before?: RecordRef): Promise<StoredRecord[]>
  /** What no list shows, in order: `limit` places are looked at. `last`: where to go on; undefined at the end. */
  unlisted(
    shard: IdentityId,
    limit: number,
    after?: RecordRef,
  ): Promise<{ readonly records: StoredRecord[]; readonly last: RecordRef | undefined }>

  /** Every record held, superseded and tombstones included, in (clock, id) order; 10,000 at most. */
  refs(shard: IdentityId, range?: OrderRange): Promise<RecordRef[]>
  /**
   * The same as an index that counts and sums: the n-th, the place of a bound and the sum of a range's ids for a few pages
   * each. Valid within `read` alone, for which no write is under way. `logHead` is the arrival log's then.
   */
  inOrder<T>(shard: IdentityId, read: (order: RefOrder, logHead: number) => T): Promise<T>
  /** The arrival log from `afterPosition` (0 = from the start), oldest first. Positions count from 1. */
  log(shard: IdentityId, afterPosition: number, limit: number): Promise<LogEntry[]>
  /** Position of the newest entry of the arrival log; 0 when empty. */
  logHead(shard: IdentityId): number

  /** Which numbers of a device were ever stored here. */
  seen(shard: IdentityId, device: DeviceKey): Promise<Intervals>
  /** The same for every device that wrote in this shard. */
  seenAll(shard: IdentityId): Promise<{ device: DeviceKey; intervals: Intervals }[]>
  /** Every number of a device with the record that bears it (the one that came first), ascending. */
  numbers(
    shard: IdentityId,
    device: DeviceKey,
    range?: { readonly after?: number; readonly limit?: number },
  ): Promise<{ number: number; ref: RecordRef }[]>
  /** The record that bears a number (the one that came first, should the device have equivocated). */
  byNumber(shard: IdentityId, device: DeviceKey, number: number): RecordRef | undefined
  equivocations(shard: IdentityId): Promise<Equivocation[]>
}

export interface Equivocation {
  readonly device: DeviceKey
  readonly number: number
  readonly first: RecordRef
  readonly second: RecordRef
}

export interface ShardInfo {
  readonly shard: IdentityId
  readonly status: ShardStatus
  /** Records held, all versions. */
  readonly records: number
  /** Their bytes as they travel; what counts against a lease. */
  readonly recordBytes: number
  /** Blob bytes that were counted for this shard with `addBlobBytesIn`. */
  readonly blobBytes: number
  readonly logHead: number
}

export interface Shards {
  get(shard: IdentityId): ShardInfo | undefined
  /** In order of id, 1,000 at a time. */
  list(options?: { after?: IdentityId; limit?: number; status?: ShardStatus }): Promise<ShardInfo[]>
  setStatus(shard: IdentityId, status: ShardStatus): Promise<void>
  setStatusIn(batch: StoreBatch, shard: IdentityId, status: ShardStatus): void
  addBlobBytesIn(batch: StoreBatch, shard: IdentityId, bytes: number): void
  /**
   * Deletes everything kept under the shard, cursors too, in bounded batches. Interrupted, it ends when the
   * store is opened next; until it ends the shard is not listed. Nothing may be put into the shard meanwhile (BUSY).
   */
  remove(shard: IdentityId): Promise<void>
}

/** A durable place in somebody's arrival log. */
export interface Cursor {
  readonly epoch: number
  readonly position: number
}

export interface CursorName {
  /** What it is for: 'push', 'handed-over', 'stream', 'search'. */
  readonly kind: string
  /** Whom it is about: a node's key, an aggregator's, any bytes up to 255. */
  readonly peer: Uint8Array
  readonly shard: IdentityId
}

export interface Cursors {
  get(name: CursorName): Cursor | undefined
  set(name: CursorName, cursor: Cursor): Promise<void>
  setIn(batch: StoreBatch, name: CursorName, cursor: Cursor): void
  delete(name: CursorName): Promise<void>
  deleteIn(batch: StoreBatch, name: CursorName): void
  list(shard: IdentityId, kind?: string): Promise<{ name: CursorName; cursor: Cursor }[]>
}

/** Ordered pairs under a name of their own: for documents (table name = kind) and for other parts' indexes. */
export interface Table {
  readonly name: string
  get(key: Uint8Array): Uint8Array | undefined
  getMany(keys: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]>
  /** Keys in ranges and entries are without the table's prefix. Bounds and limit as in Kv. */
  range(range?: TableRange): Promise<{ key: Uint8Array; value: Uint8Array }[]>
  keys(range?: TableRange): Promise<Uint8Array[]>
  put(key: Uint8Array, value: Uint8Array): Promise<void>
  delete(key: Uint8Array): Promise<void>
  getIn(batch: StoreBatch, key: Uint8Array): Uint8Array | undefined
  putIn(batch: StoreBatch, key: Uint8Array, value: Uint8Array): void
  deleteIn(batch: StoreBatch, key: Uint8Array): void
  /** Deletes every pair of the table, in bounded batches. */
  clear(): Promise<void>
}

export interface TableRange {
  readonly prefix?: Uint8Array
  readonly gte?: Uint8Array
  readonly gt?: Uint8Array
  readonly lte?: Uint8Array
  readonly lt?: Uint8Array
  readonly reverse?: boolean
  readonly limit?: number
}

/**
 * Signed documents by (kind, key): identity logs, schemas, replica sets, leases, adverts, follow registrations.
 * The key orders them within their kind.
 */
export interface Documents {
  get(kind: string, key: Uint8Array): Uint8Array | undefined
  list(kind: string, range?: TableRange): Promise<{ key: Uint8Array; bytes: Uint8Array }[]>
  put(kind: string, key: Uint8Array, bytes: Uint8Array): Promise<void>
  putIn(batch: StoreBatch, kind: string, key: Uint8Array, bytes: Uint8Array): void
  delete(kind: string, key: Uint8Array): Promise<void>
  deleteIn(batch: StoreBatch, kind: string, key: Uint8Array): void
  getIn(batch: StoreBatch, kind: string, key: Uint8Array): Uint8Array | undefined
}

export interface FeedEntry {
  readonly author: IdentityId
  readonly ref: RecordRef
}

/** Per local user and app: references to what the followed wrote, newest first, trimmed to a bound. */
export interface Feeds {
  add(user: IdentityId, app: string, entries: readonly FeedEntry[]): Promise<void>
  addIn(batch: StoreBatch, user: IdentityId, app: string, entries: readonly FeedEntry[]): void
  latest(user: IdentityId, app: string, limit: number, before?: RecordRef): Promise<FeedEntry[]>
  /** `stillSo` is asked again within the batch: nothing is removed where it is false. */
  removeAuthor(user: IdentityId, app: string, author: IdentityId, stillSo?: () => boolean): Promise<void>
  remove(user: IdentityId): Promise<void>
}

/** Reads see what the same batch and those before it staged. */
export interface StoreBatch {
  get(key: Uint8Array): Uint8Array | undefined
  put(key: Uint8Array, value: Uint8Array): void
  delete(key: Uint8Array): void
}

/** Why nothing can be written now. Reads go on. */
export interface StoreFailure {
  /** STORE_FULL, STORE_UNWRITABLE or STORE_CORRUPT. */
  readonly error: OnehopError
  /** When the first of the batches failed, by the monotonic clock. */
  readonly sinceMs: number
}

export interface StoreStats {
  /** Of the last batch; undefined when it is on the disk. */
  readonly failure: StoreFailure | undefined
  readonly formatVersion: number
  readonly batches: number
  readonly writes: number
  readonly waiting: number
  /** Trimming that failed and is tried again after the next batch. */
  readonly upkeepFailures: number
}

export interface Store extends AsyncDisposable {
  readonly records: Records
  readonly shards: Shards
  readonly documents: Documents
  readonly cursors: Cursors
  readonly feeds: Feeds
  /** A name is a constant of the code (1 to 64 bytes); `search/…` for the search part, and so on. */
  table(name: string): Table
  /**
   * One atomic batch. `prepare` runs synchronously when its turn comes, maybe twice, so it must have no effect
   * but staging. What it throws rejects this call alone. BUSY when too many batches wait.
   */
  write<T>(prepare: (batch: StoreBatch) => T): Promise<T>
  stats(): StoreStats
  /** After a failure: writes a little and learns whether the disk is well again, though nobody else writes. Never rejects. */
  recheck(): Promise<void>
  /** Finishes what was accepted, then closes the database. */
  close(): Promise<void>
}

export interface BlobManifest {
  /** SHA-256 of the manifest's bytes: the blob's name. */
  readonly id: Uint8Array
  readonly size: number
  /** SHA-256 of each 256 KiB chunk; the last may be shorter. */
  readonly chunks: readonly Uint8Array[]
}

/** A blob whose manifest comes last. It is none until it is finished. */
export interface StagedBlob {
  /** Chunks in any order; a second one of the same index takes the place of the first. Answers its SHA-256. */
  putChunk(index: number, bytes: Uint8Array): Promise<Uint8Array>
  /** BAD_MESSAGE when the chunks are not those that the manifest names. */
  finish(manifestBytes: Uint8Array): Promise<BlobManifest>
  abandon(): Promise<void>
}

/**
 * Blobs by the hash of their chunk list: a range can be verified chunk by chunk without the rest. Implemented on
 * disk (blobs-disk.ts) and in memory (blobs-memory.ts).
 */
export interface BlobStore extends AsyncDisposable {
  /** Streams a whole blob in; parts may be of any size. TOO_LARGE beyond `bytesMax`. */
  put(parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, bytesMax: number): Promise<BlobManifest>
  stage(): Promise<StagedBlob>
  /** For copies from another node: the manifest first (verified against `id`), then its chunks in any order. */
  putManifest(id: Uint8Array, manifestBytes: Uint8Array): Promise<BlobManifest>
  /** BAD_MESSAGE when the bytes do not hash to what the manifest names. */
  putChunk(id: Uint8Array, index: number, bytes: Uint8Array): Promise<void>
  /** True once the manifest and every chunk are here. */
  has(id: Uint8Array): Promise<boolean>
  manifest(id: Uint8Array): Promise<BlobManifest | undefined>
  /** Indexes of chunks not here yet; undefined when the manifest is not. */
  missing(id: Uint8Array): Promise<number[] | undefined>
  /** A whole chunk; undefined when it is not here. */
  chunk(id: Uint8Array, index: number): Promise<Uint8Array | undefined>
  /** Bytes [start, end) of a blob whose chunks in that range are here; NOT_FOUND otherwise. */
  read(id: Uint8Array, start: number, end: number): Promise<Uint8Array>
  delete(id: Uint8Array): Promise<void>
  close(): Promise<void>
}
