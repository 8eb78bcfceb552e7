import { fromHex, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import type { IdentityId, RecordRef, VerifiedRecord } from '../../protocol/record/types.ts'
import type { Collection, Schema } from '../../protocol/schema/schema.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { DroppedItem, CursorName, Store } from '../../storage/types.ts'
import type { Arrival } from '../ingest.ts'
import type { Schemas } from '../schemas.ts'
import type { FeedWriter, StreamRecord } from './feed-writer.ts'
import { type Edge, followedAuthor, type Follows, itemOf } from './follows.ts'
import { streamLimits } from './stream-limits.ts'
import { Wake } from '../wake.ts'
import type { Wanted } from './wanted.ts'

/** Somebody follows somebody since just now: what is known of the author goes into this one feed. */
export interface Joined {
  readonly wanted: Wanted
  readonly owner: string
}

export interface ServedParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly crypto: CryptoProvider
  readonly schemas: Schemas
  readonly feeds: FeedWriter
  readonly follows: Follows
  readonly onEdge: (owner: string, item: string, edge: Edge | undefined) => Joined | undefined
  readonly onSchema: (schema: Schema) => void
}

interface Person {
  readonly owner: IdentityId
  /** Resolves when all follow records are taken up; undefined until that is begun. */
  ready: Promise<void> | undefined
  /** Arrivals until the records are read; they come after what was read. */
  waiting: { readonly record: VerifiedRecord; readonly item: string }[] | undefined
  /** Served until then (monotonic) for a session's sake, whoever leads. */
  untilMs: number
}

/** A feed to be filled, and the place in the owner's arrival log that counts as done then. */
interface Fill {
  readonly owner: string
  readonly joined: Joined | undefined
  readonly position: number
}

const cursorKind = 'follows'
const latestPage = 1_000
/** Fills in one batch: fifty entries each. */
const fillsMax = 64

/**
 * The people whose feeds are kept here. Their follow records are read when they are taken up and then as they
 * arrive; a durable place in their own arrival log says which follows have filled the feed already. It holds as long
 * as everything that comes in goes into the feed as well: so whoever was served in the last run is taken up before
 * anything comes in, and who is served no more has no such place.
 */
export class Served {
  readonly #parts: ServedParts
  readonly #people = new Map<string, Person>()
  readonly #fills: Fill[] = []
  readonly #wake = new Wake()
  /** Released in this run: what the disk may still say of their feed is void. */
  readonly #released = new Set<string>()
  #turn: Promise<void> = Promise.resolve()
  #signal: AbortSignal | undefined

  constructor(parts: ServedParts) {
    this.#parts = parts
  }

  get size(): number {
    return this.#people.size
  }

  has(owner: string): boolean {
    return this.#people.has(owner)
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const { clock, log } = this.#parts
    while (!signal.aborted) {
      await this.#wake.wait(clock, signal)
      while (this.#fills.length > 0 && !signal.aborted) {
        try {
          const some = this.#fills.slice(0, fillsMax)
          await this.#fill(some)
          // Those alone: more were queued meanwhile.
          this.#fills.splice(0, some.length)
        } catch (error) {
          log.warn('stream.fill-failed', { error: String(error) })
          await clock.sleep(streamLimits.retryMs, signal).catch(() => undefined)
        }
      }
    }
    await this.#turn
  }

  /** Takes up, of these people, those whose feeds were kept in the last run. */
  async restore(owners: Iterable<IdentityId>): Promise<void> {
    for (const owner of owners) {
      if (this.#parts.store.cursors.get(cursorName(owner)) !== undefined) this.serve(owner)
    }
    await this.#turn
  }

  /** Once for each person, however often it is asked. */
  serve(owner: IdentityId): void {
    const name = toHex(owner)
    if (this.#people.has(name)) return
    this.#people.set(name, { owner, ready: undefined, waiting: [], untilMs: 0 })
    // One after the other: a home with thousands of people starts with a line of them, not a stampede.
    this.#turn = this.#turn.then(() => this.#begin(name))
  }

  /** Serves somebody who waits at the door: they go first. Resolves when all whom they follow are known. */
  async serveNow(owner: IdentityId): Promise<void> {
    this.serve(owner)
    const name = toHex(owner)
    const person = this.#people.get(name) as Person
    person.untilMs = this.#parts.clock.monotonicMs() + streamLimits.sessionServeMs
    await this.#begin(name)
  }

  #begin(name: string): Promise<void> | undefined {
    const person = this.#people.get(name)
    if (person !== undefined) person.ready ??= this.#takeUp(name, person.owner)
    return person?.ready
  }

  /** Another node leads now: the feed goes, and is made again when it is asked for here. `always`: in a session too. */
  release(owner: IdentityId, always = false): void {
    const name = toHex(owner)
    const person = this.#people.get(name)
    if (person === undefined || person.waiting !== undefined) return
    if (!always && person.untilMs > this.#parts.clock.monotonicMs()) return
    this.#people.delete(name)
    this.#released.add(name)
    const { follows, store, onEdge, log } = this.#parts
    for (const item of follows.items(name)) onEdge(name, item, undefined)
    // What is missed from now on is read again whole.
    store.cursors.delete(cursorName(owner)).catch((error: unknown) => {
      log.warn('stream.release-failed', { error: String(error) })
    })
  }

  stored(owner: string, { record, put }: Arrival, keyText: string): void {
    const person = this.#people.get(owner)
    if (person === undefined) return
    const collection = this.#collectionOf(record)
    if (collection?.follows === undefined || !put.winner) return
    const item = `${record.header.app} ${record.header.collection} ${keyText}`
    if (person.waiting !== undefined) person.waiting.push({ record, item })
    else this.#take(owner, record, item, collection, put.position ?? 0)
  }

  /** A follow that somebody signed in this person's name: nothing is left of it. */
  dropped(owner: string, items: readonly DroppedItem[]): void {
    if (!this.#people.has(owner)) return
    for (const { app, collection, itemKey, restored } of items) {
      if (restored === undefined)
        this.#parts.onEdge(owner, `${app} ${collection} ${toHex(itemKey)}`, undefined)
    }
  }

  #take(owner: string, record: VerifiedRecord, item: string, collection: Collection, position: number): void {
    const joined = this.#parts.onEdge(owner, item, this.#edgeOf(collection, record))
    this.#queue({ owner, joined, position })
  }

  #edgeOf(collection: Collection, record: VerifiedRecord): Edge | undefined {
    const { header } = record
    if (header.operation === 'delete' || collection.follows === undefined) return undefined
    const author = followedAuthor(this.#parts.crypto, collection, record)
    const { streams } = collection.follows
    return author && { app: header.app, author, name: toHex(author), streams }
  }

  #collectionOf({ header }: VerifiedRecord): Collection | undefined {
    const schema = this.#parts.schemas.get(header.schema)
    if (schema === undefined || schema.id !== header.app) return undefined
    const collection = schema.collections.get(header.collection)
    if (collection?.follows !== undefined) this.#parts.onSchema(schema)
    return collection
  }

  async #takeUp(name: string, owner: IdentityId): Promise<void> {
    const { store, schemas, log, clock } = this.#parts
    for (;;) {
      const person = this.#people.get(name)
      if (this.#signal?.aborted === true || person === undefined) return
      try {
        const head = store.records.logHead(owner)
        const fresh = this.#released.has(name) ? undefined : await this.#fresh(owner, head)
        for (const app of await schemas.apps()) {
          const schema = await schemas.newest(app)
          if (schema !== undefined) await this.#read(name, owner, schema, fresh)
        }
        this.#queue({ owner: name, joined: undefined, position: head })
        const waiting = person.waiting ?? []
        person.waiting = undefined
        this.#released.delete(name)
        for (const { record, item } of waiting) {
          const collection = this.#collectionOf(record)
          if (collection !== undefined) this.#take(name, record, item, collection, head)
        }
        return
      } catch (error) {
        log.warn('stream.serve-failed', { error: String(error) })
        await clock.sleep(streamLimits.retryMs, this.#signal).catch(() => undefined)
      }
    }
  }

  /** Ids of records that came after the feed was last filled; undefined: all of them. */
  async #fresh(owner: IdentityId, head: number): Promise<ReadonlySet<string> | undefined> {
    const { store } = this.#parts
    const cursor = store.cursors.get(cursorName(owner))
    if (cursor === undefined || head - cursor.position > latestPage) return undefined
    const entries = await store.records.log(owner, cursor.position, latestPage)
    return new Set(entries.map(({ ref }) => toHex(ref.id)))
  }

  async #read(
    name: string,
    owner: IdentityId,
    schema: Schema,
    fresh: ReadonlySet<string> | undefined,
  ): Promise<void> {
    const { store, onEdge, onSchema } = this.#parts
    for (const collection of schema.collections.values()) {
      if (collection.follows === undefined || collection.private) continue
      let before: RecordRef | undefined
      do {
        const page = await store.records.latest(owner, schema.id, collection.name, {
          limit: latestPage,
          ...(before && { before }),
        })
        if (page.length > 0) onSchema(schema)
        for (const stored of page) {
          const record = decodeStored(stored)
          const item = itemOf(schema.id, collection.name, itemKey(record))
          const joined = onEdge(name, item, this.#edgeOf(collection, record))
          const isFresh = fresh === undefined || fresh.has(toHex(record.id))
          if (isFresh && joined !== undefined) this.#queue({ owner: name, joined, position: 0 })
        }
        before = page.length < latestPage ? undefined : page.at(-1)?.ref
      } while (before !== undefined)
    }
  }

  #queue(fill: Fill): void {
    this.#fills.push(fill)
    this.#wake.set()
  }

  async #fill(fills: readonly Fill[]): Promise<void> {
    const { store, feeds } = this.#parts
    // Many who follow the same author at once are filled from one reading.
    const read = new Map<Wanted, Promise<StreamRecord[]>>()
    const found: { fill: Fill; records: StreamRecord[] }[] = []
    for (const fill of fills) {
      const { joined } = fill
      let records: StreamRecord[] = []
      if (joined !== undefined) {
        const streams = new Set([...joined.wanted.followers.values()].flatMap((one) => [...one]))
        const reading =
          read.get(joined.wanted) ?? feeds.newest(joined.wanted, streams, streamLimits.listLatest)
        read.set(joined.wanted, reading)
        records = await reading
      }
      found.push({ fill, records })
    }
    await store.write((batch) => {
      const reached = new Map<string, number>()
      for (const { fill, records } of found) {
        if (fill.joined !== undefined) feeds.addIn(batch, fill.joined.wanted, records, fill.owner)
        reached.set(fill.owner, Math.max(reached.get(fill.owner) ?? 0, fill.position))
      }
      for (const [owner, position] of reached) {
        if (position === 0 || !this.#people.has(owner)) continue
        const name = cursorName(fromHex(owner, 32) as Uint8Array)
        const before = store.cursors.get(name)?.position ?? 0
        if (position > before) store.cursors.setIn(batch, name, { epoch: 0, position })
      }
    })
    for (const { fill, records } of found) {
      if (fill.joined === undefined) continue
      const { wanted, owner } = fill.joined
      feeds.tell({ app: wanted.app, author: wanted.author, owners: [owner], records })
    }
  }
}

function cursorName(shard: IdentityId): CursorName {
  return { kind: cursorKind, peer: new Uint8Array(0), shard }
}
