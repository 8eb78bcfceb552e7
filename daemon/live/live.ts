import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'
import type { LivePosition } from '../../protocol/api/messages.ts'
import type { RequestOf } from '../../protocol/api/operations.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { DroppedItem, Store } from '../../storage/types.ts'
import type { Call, Caller, LiveAnswer } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Arrival, Ingest } from '../ingest.ts'
import type { NodeId } from '../net/rpc.ts'
import { mayRead, requireReader, type Reading } from '../operations/caller.ts'
import { readLog } from '../streams/log-reader.ts'
import type { FeedChange } from '../streams/feed-writer.ts'
import type { Streams } from '../streams/streams.ts'
import { shownBytes } from '../views/shown-records.ts'
import type { Views } from '../views/views.ts'
import { LiveQueue, type LiveEvent } from './live-queue.ts'

export interface LiveParts {
  readonly self: NodeId
  readonly clock: Clock
  readonly store: Store
  readonly hosting: Hosting
  readonly identities: Identities
  readonly ingest: Ingest
  readonly streams: Streams
  readonly views: Views
}

type Request = RequestOf<'live.open'>

interface Query {
  readonly request: Request
  readonly owner: string
  readonly caller: Caller
  /** When it was opened. */
  readonly isOwner: boolean
  readonly queue: LiveQueue
}

/** Entries of a list that are sent after; above it reading the list again costs less. */
const resumeMax = 1_024
/** Feed changes remembered, over all feeds, for readers who lost their connection for a moment. */
const historyMax = 4_096
const noKinds: ReadonlySet<string> = new Set()

/**
 * Live queries. A list is resumed from the arrival log of its shard. Feeds and views have no log of their own:
 * their positions count the changes of this run, whose number is the epoch, and a short history resumes them.
 */
export class Live {
  readonly #parts: LiveParts
  readonly #source: Uint8Array
  readonly #epoch: number
  readonly #lists = new Map<string, Set<Query>>()
  readonly #feeds = new Map<string, Set<Query>>()
  readonly #views = new Map<string, Set<Query>>()
  readonly #stops: readonly (() => void)[]
  readonly #history: {
    readonly number: number
    readonly owner: string
    readonly change: FeedChange | undefined
  }[] = []
  #number = 0

  constructor(parts: LiveParts) {
    this.#parts = parts
    this.#source = fromHex(parts.self, 32) as Uint8Array
    this.#epoch = Math.floor(parts.clock.nowMs())
    this.#stops = [
      parts.ingest.onStored((arrivals) => this.#stored(arrivals)),
      parts.ingest.onDropped((owner, items) => this.#dropped(owner, items)),
      parts.streams.onFeed((change) => this.#fed(change)),
      parts.views.onChanged((owner) => this.#pageChanged(owner)),
      // Whoever looks at their page hears at once that a device was let in or shut out.
      parts.identities.onGrown(({ id }) => this.#pageChanged(toHex(id))),
    ]
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  /** Queries that are open. */
  get size(): number {
    let count = 0
    for (const index of [this.#lists, this.#feeds, this.#views])
      for (const set of index.values()) count += set.size
    return count
  }

  /** From where a live feed goes on after a list that is read now. */
  feedPosition(): LivePosition {
    return this.#countPosition(this.#number)
  }

  async open(request: Request, { caller, signal }: Call): Promise<LiveAnswer<'live.open'>> {
    const { owner, of } = request
    if (!this.#parts.hosting.has(owner)) {
      throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
    }
    if (of === 'feed') requireReader(this.#parts.identities, caller, owner, this.#reading(request))
    const query: Query = {
      request,
      owner: toHex(owner),
      caller,
      isOwner: this.#mayRead(request, caller),
      queue: new LiveQueue(),
    }
    if (of !== 'list' && query.isOwner) await this.#parts.streams.serve(owner)
    signal.throwIfAborted()
    const reply = of === 'list' ? await this.#openList(query, signal) : this.#openCounted(query, signal)
    return { reply: { position: reply }, events: this.#events(query, signal) }
  }

  /** Leave may end while it is open: a member is put out, a device revoked, what an app was given runs out. */
  async *#events(query: Query, signal: AbortSignal): AsyncGenerator<LiveEvent> {
    for await (const event of query.queue.events(signal)) {
      if (query.isOwner && !this.#mayRead(query.request, query.caller)) {
        throw new OnehopError('FORBIDDEN', `this session does not speak for ${query.owner} any more`, {
          help: 'Open the query anew for what is public.',
        })
      }
      yield event
    }
  }

  #mayRead(request: Request, caller: Caller): boolean {
    return mayRead(this.#parts.identities, caller, request.owner, this.#reading(request))
  }

  #reading({ of, app, name }: Request): Reading {
    return { app, collection: of === 'view' ? undefined : name, nowMs: this.#parts.clock.nowMs() }
  }

  /** Listens before it reads the log, so that nothing falls between the two. */
  async #openList(query: Query, signal: AbortSignal): Promise<LivePosition> {
    const { owner, app, name, from } = query.request
    const { store } = this.#parts
    const head = store.records.logHead(owner)
    const position = this.#logPosition(owner, head)
    const isKnown =
      from !== undefined && from.epoch === position.epoch && equalBytes(from.source, this.#source)
    if (from !== undefined && (!isKnown || from.position > head || head - from.position > resumeMax)) {
      this.#add(this.#lists, listName(query.owner, app, name), query, signal)
      query.queue.reset(position)
      return position
    }
    if (from === undefined || from.position === head) {
      this.#add(this.#lists, listName(query.owner, app, name), query, signal)
      return position
    }
    // What arrives while the log is read is held back: it comes after.
    const held: Arrival[] = []
    const unhold = this.#parts.ingest.onStored((arrivals) => held.push(...arrivals))
    try {
      const { records } = await readLog(store, owner, from.position, head - from.position)
      signal.throwIfAborted()
      for (const { position: at, record, bytes } of records) {
        if (record.header.app !== app || record.header.collection !== name) continue
        this.#send(query, this.#logPosition(owner, at), record, bytes)
      }
    } finally {
      unhold()
    }
    this.#add(this.#lists, listName(query.owner, app, name), query, signal)
    for (const { record, bytes, put } of held) {
      const { header } = record
      if (toHex(header.owner) !== query.owner || header.app !== app || header.collection !== name) continue
      if ((put.position ?? 0) > head)
        this.#send(query, this.#logPosition(owner, put.position ?? 0), record, bytes)
    }
    return { ...position, position: from.position }
  }

  #openCounted(query: Query, signal: AbortSignal): LivePosition {
    const { of, app, from, name } = query.request
    const position = this.#countPosition(this.#number)
    if (of === 'feed') this.#add(this.#feeds, feedName(query.owner, app), query, signal)
    else this.#add(this.#views, query.owner, query, signal)
    if (from === undefined) return position
    const isKnown =
      from.epoch === this.#epoch &&
      equalBytes(from.source, this.#source) &&
      from.position <= this.#number &&
      from.position >= (this.#history[0]?.number ?? this.#number + 1) - 1
    if (!isKnown) {
      query.queue.reset(position)
      return position
    }
    for (const { number, owner, change } of this.#history) {
      if (number <= from.position || owner !== query.owner) continue
      if (of === 'view') query.queue.changed(this.#countPosition(number))
      else if (change !== undefined && change.app === app) this.#sendFeed(query, name, change, number)
    }
    return this.#countPosition(from.position)
  }

  #stored(arrivals: readonly Arrival[]): void {
    if (this.#lists.size === 0) return
    for (const { record, bytes, put } of arrivals) {
      const { owner, app, collection } = record.header
      const queries = this.#lists.get(listName(nameOf(owner), app, collection))
      if (queries === undefined) continue
      const position = this.#logPosition(owner, put.position ?? this.#parts.store.records.logHead(owner))
      for (const query of queries) this.#send(query, position, record, bytes)
    }
  }

  /** No event takes a record back: the reader reads the list again. */
  #dropped(owner: IdentityId, items: readonly DroppedItem[]): void {
    const position = this.#logPosition(owner, this.#parts.store.records.logHead(owner))
    for (const { app, collection } of items) {
      for (const query of this.#lists.get(listName(toHex(owner), app, collection)) ?? [])
        query.queue.reset(position)
    }
  }

  #fed(change: FeedChange): void {
    if (change.author !== undefined && change.records.length === 0) return
    for (const owner of change.owners) {
      const number = this.#remember(owner, change)
      for (const query of this.#feeds.get(feedName(owner, change.app)) ?? []) {
        this.#sendFeed(query, query.request.name, change, number)
      }
    }
  }

  #pageChanged(owner: string): void {
    const queries = this.#views.get(owner)
    const number = this.#remember(owner, undefined)
    for (const query of queries ?? []) query.queue.changed(this.#countPosition(number))
  }

  #sendFeed(query: Query, stream: string, change: FeedChange, number: number): void {
    const { author, app } = change
    const position = this.#countPosition(number)
    if (author === undefined) return query.queue.reset(position)
    if (!this.#parts.streams.followed(query.request.owner, app, author).has(stream)) return
    for (const { collection, ref } of change.records) {
      if (collection !== stream) continue
      const stored = this.#parts.store.records.get(author, ref)
      if (stored !== undefined) query.queue.record(position, stored.bytes)
    }
  }

  #send(query: Query, position: LivePosition, record: Arrival['record'], bytes: Uint8Array): void {
    const audience = query.isOwner ? 'owner' : 'public'
    query.queue.record(position, shownBytes(record, bytes, { withheld: noKinds, audience }))
  }

  #remember(owner: string, change: FeedChange | undefined): number {
    this.#history.push({ number: ++this.#number, owner, change })
    if (this.#history.length > historyMax * 2) this.#history.splice(0, historyMax)
    return this.#number
  }

  #add(index: Map<string, Set<Query>>, name: string, query: Query, signal: AbortSignal): void {
    const queries = index.get(name) ?? new Set<Query>()
    index.set(name, queries.add(query))
    const remove = (): void => {
      queries.delete(query)
      if (queries.size === 0 && index.get(name) === queries) index.delete(name)
    }
    signal.addEventListener('abort', remove, { once: true })
    if (signal.aborted) remove()
  }

  /** The log of a shard is as old as its first arrival here; a shard that was taken anew has another. */
  #logPosition(owner: IdentityId, position: number): LivePosition {
    const epoch = this.#parts.store.cursors.get({
      kind: 'stream-epoch',
      peer: this.#source,
      shard: owner,
    })?.epoch
    return { source: this.#source, epoch: epoch ?? 0, position }
  }

  #countPosition(position: number): LivePosition {
    return { source: this.#source, epoch: this.#epoch, position }
  }
}

function listName(owner: string, app: string, collection: string): string {
  return `${owner} ${app} ${collection}`
}

function feedName(owner: string, app: string): string {
  return `${owner} ${app}`
}
