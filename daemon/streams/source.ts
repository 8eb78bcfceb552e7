import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { readerPages, readersCollection } from '../../protocol/readers/collections.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import {
  decodeList,
  encodeListed,
  type List,
  type ListedPart,
  type ListPlace,
} from '../../protocol/stream/listing.ts'
import type { AuthorCursor, Follow, Followed, Stand } from '../../protocol/stream/messages.ts'
import { decodeFollow, decodeStop, encodeFollowed } from '../../protocol/stream/wire.ts'
import type { Store, StoredRecord } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Arrival, Ingest } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import { Farewells } from './farewells.ts'
import { carriedStored, readLog } from './log-reader.ts'
import { Registrations, type Registration } from './registrations.ts'
import { Sender } from './sender.ts'
import { streamLimits } from './stream-limits.ts'

export interface SourceParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly hosting: Hosting
  readonly identities: Identities
  readonly ingest: Ingest
  readonly replicaSets: Pick<ReplicaSets, 'members' | 'onChanged'>
}

const epochKind = 'stream-epoch'
const noBytes = new Uint8Array(0)

/** The author's side: answers who follows people of this house, and sends each serving node what is new, once. */
export class Source {
  readonly #parts: SourceParts
  readonly #self: Uint8Array
  readonly registrations: Registrations
  readonly sender: Sender
  readonly #ends: Farewells
  readonly #tasks = new Set<Promise<void>>()

  private constructor(parts: SourceParts, registrations: Registrations) {
    this.#parts = parts
    this.#self = fromHex(parts.rpc.self, 32) as Uint8Array
    this.registrations = registrations
    this.sender = new Sender({ ...parts, registrations, source: this.#self })
    this.#ends = new Farewells({
      ...parts,
      method: 'stream/end',
      stillSo: (app, author, node) => this.registrations.find(node, app, author) === undefined,
    })
    parts.rpc.handle('stream/follow', async ({ from, body }) =>
      encodeFollowed(await this.#follow(from, decodeFollow(body))),
    )
    parts.rpc.handle('stream/stop', async ({ from, body }) => {
      const { app, authors } = decodeStop(body)
      await this.#stop(from, app, authors)
      return noBytes
    })
    parts.rpc.handle('stream/list', async ({ body }) => encodeListed(await this.#list(decodeList(body))))
  }

  static async open(parts: SourceParts): Promise<Source> {
    return new Source(parts, await Registrations.open(parts.store))
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ingest, replicaSets, hosting } = this.#parts
    const stops = [
      ingest.onStored((arrivals) => this.#stored(arrivals)),
      replicaSets.onChanged(({ newest }) => this.#lookAt(newest.owner, signal)),
      hosting.onRemoved((owner) => this.#lookAt(owner, signal)),
    ]
    try {
      await this.sender.run(signal)
    } finally {
      for (const stop of stops) stop()
      await Promise.all(this.#tasks)
    }
  }

  /** What this node holds no more, others bring: whoever has it from here is told to ask them. */
  #lookAt(author: IdentityId, signal: AbortSignal): void {
    const ended = holds(this.#parts, author) ? [] : [...this.registrations.of(toHex(author))]
    if (ended.length === 0) return
    const task = this.#end(ended)
      .then(() => Promise.all(ended.map((one) => this.#ends.say(one.node, one.app, one, signal))))
      .catch((error: unknown) => this.#parts.log.warn('stream.end-failed', { error: String(error) }))
      .then(() => void this.#tasks.delete(task))
    this.#tasks.add(task)
  }

  #stored(arrivals: readonly Arrival[]): void {
    for (const { record } of arrivals) {
      const { owner, app, collection } = record.header
      for (const registration of this.registrations.of(nameOf(owner))) {
        if (registration.app === app && registration.collections.has(collection))
          this.sender.mark(registration)
      }
    }
  }

  async #follow(from: NodeId, { app, collections, authors }: Follow): Promise<Followed> {
    if (collections.some((collection) => collection.startsWith('~'))) {
      throw new OnehopError('FORBIDDEN', "private collections are nobody else's")
    }
    const wanted = new Set(collections)
    const epochs = await this.#epochs(authors.map(({ author }) => author))
    const kept: Registration[] = []
    const stands = authors.map(({ author, cursor }, i): { author: Uint8Array; stand: Stand } => {
      const epoch = epochs[i]
      if (epoch === undefined) return { author, stand: { state: 'notHosted' } }
      if (!this.registrations.mayAdd(from, author, app)) return { author, stand: { state: 'refused' } }
      const head = this.#parts.store.records.logHead(author)
      const resumed = this.#resumed(cursor, epoch, head)
      const acked = resumed ?? head
      const registration = { node: from, app, author, collections: wanted, epoch, acked, scanned: acked }
      // At once, as the bound above counts them.
      this.registrations.keep(registration)
      kept.push(registration)
      const isBroken = cursor !== undefined && resumed === undefined
      return { author, stand: { state: isBroken ? 'reconcile' : 'following', epoch, head } }
    })
    await this.#parts.store.write((batch) => {
      for (const registration of kept) this.registrations.keepIn(batch, registration)
    })
    this.sender.look(from)
    return { source: this.#self, authors: stands }
  }

  #resumed(cursor: AuthorCursor['cursor'], epoch: number, head: number): number | undefined {
    if (cursor === undefined || !equalBytes(cursor.source, this.#self)) return undefined
    return cursor.epoch === epoch && cursor.position <= head ? cursor.position : undefined
  }

  async #stop(from: NodeId, app: string, authors: readonly IdentityId[]): Promise<void> {
    const named = authors.flatMap((author) => this.registrations.find(from, app, author) ?? [])
    await this.#end(named)
  }

  /** Those that were not replaced by newer ones meanwhile. */
  async #end(registrations: readonly Registration[]): Promise<void> {
    await this.#parts.store.write((batch) => {
      for (const one of registrations) if (this.registrations.has(one)) this.registrations.dropIn(batch, one)
    })
    for (const one of registrations) if (this.registrations.has(one)) this.registrations.drop(one)
  }

  /**
   * One life of each author's arrival log; undefined where the shard is not held here. It lies with the shard's
   * cursors, so a shard that was given up and taken again begins another.
   */
  async #epochs(authors: readonly IdentityId[]): Promise<(number | undefined)[]> {
    const { store, clock } = this.#parts
    const name = (shard: IdentityId) => ({ kind: epochKind, peer: this.#self, shard })
    const known = authors.map((author) =>
      holds(this.#parts, author) ? (store.cursors.get(name(author))?.epoch ?? 'new') : undefined,
    )
    if (!known.includes('new')) return known as (number | undefined)[]
    const fresh = Math.floor(clock.nowMs())
    return await store.write((batch) =>
      known.map((epoch, i) => {
        if (epoch !== 'new') return epoch
        const cursor = name(authors[i] as IdentityId)
        store.cursors.setIn(batch, cursor, { epoch: fresh, position: 0 })
        return fresh
      }),
    )
  }

  async #list(list: List): Promise<{ source: Uint8Array; parts: ListedPart[] }> {
    const epochs = await this.#epochs(list.authors.map(({ author }) => author))
    const parts: ListedPart[] = []
    let room: number = streamLimits.messageBytesMax
    for (const [i, place] of list.authors.entries()) {
      const epoch = epochs[i]
      const part =
        epoch === undefined
          ? { author: place.author, head: undefined, log: undefined, records: [], more: undefined }
          : await this.#part(list, place, epoch, room)
      room -= partBytes(part)
      // One that had to be cut is taken only where it is the first; else it comes whole next time.
      if (parts.length > 0 && (room < 0 || part.more !== undefined)) break
      parts.push(part)
      if (part.more !== undefined) break
    }
    return { source: this.#self, parts }
  }

  async #part(list: List, place: ListPlace, epoch: number, room: number): Promise<ListedPart> {
    const { author, before } = place
    const { store, identities } = this.#parts
    // Before reading: what comes in meanwhile is then sent once more, not lost.
    const head = store.records.logHead(author)
    const newest = await this.#newest(list, author)
    // After reading: it knows every device that wrote one of them.
    const log = before === undefined ? identities.log(author) : undefined
    let left = room - (log?.length ?? 0) - 128
    const records: Uint8Array[] = []
    let last: RecordRef | undefined
    for (const stored of newest) {
      if (before !== undefined && compareRefs(stored.ref, before) <= 0) continue
      const bytes = carriedStored(stored)
      left -= bytes.length + 5
      const isFull = left < 0 || records.length >= limits.streamEntriesMax
      if (isFull && records.length > 0) return { author, head: { epoch, head }, log, records, more: last }
      records.push(bytes)
      last = stored.ref
    }
    return { author, head: { epoch, head }, log, records, more: undefined }
  }

  /** What the reader lacks of this author, newest first. */
  async #newest({ app, collections, latest, deletes }: List, author: IdentityId): Promise<StoredRecord[]> {
    const { store } = this.#parts
    const wanted = collections.filter((collection) => !collection.startsWith('~'))
    const lists = await Promise.all(
      wanted.map((collection) => {
        // A reader needs their page, whenever it was written.
        const limit = collection === readersCollection ? Math.max(latest, readerPages) : latest
        return store.records.latest(author, app, collection, { limit })
      }),
    )
    const found = lists.flat()
    if (deletes) {
      const after = Math.max(0, store.records.logHead(author) - streamLimits.listDeletesMax)
      const { records } = await readLog(store, author, after, streamLimits.listDeletesMax)
      for (const { record, bytes } of records) {
        const { header, id } = record
        if (header.operation !== 'delete' || header.app !== app || !wanted.includes(header.collection))
          continue
        found.push({ ref: { clock: header.clock, id }, bytes })
      }
    }
    return found.toSorted((a, b) => compareRefs(a.ref, b.ref))
  }
}

/** Whether what is written in the shard comes here: a node that lost its seat keeps what it had, and gets nothing new. */
export function holds(
  {
    hosting,
    replicaSets,
    rpc,
  }: Pick<SourceParts, 'hosting' | 'rpc'> & { readonly replicaSets: Pick<ReplicaSets, 'members'> },
  author: IdentityId,
): boolean {
  if (!hosting.has(author)) return false
  const members = replicaSets.members(author)
  return members.length === 0 || members.includes(rpc.self)
}

/** Newest first. */
export function compareRefs(a: RecordRef, b: RecordRef): number {
  if (a.clock !== b.clock) return a.clock > b.clock ? -1 : 1
  for (let i = 0; i < 32; i++) {
    const difference = (b.id[i] as number) - (a.id[i] as number)
    if (difference !== 0) return difference
  }
  return 0
}

function partBytes({ log, records }: ListedPart): number {
  let bytes = 128 + (log?.length ?? 0)
  for (const record of records) bytes += record.length + 5
  return bytes
}
