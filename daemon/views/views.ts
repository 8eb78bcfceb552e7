import { toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'
import { encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { Range } from '../../protocol/query/query.ts'
import {
  encodeViewAnswer,
  type FeedAuthor,
  type FeedPart,
  type LatestPart,
} from '../../protocol/query/view-answer.ts'
import { type FeedPlan, planView, type ViewPlan } from '../../protocol/query/view-plan.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { DroppedItem, Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { Arrival, Ingest } from '../ingest.ts'
import type { Schemas } from '../schemas.ts'
import type { FeedChange } from '../streams/feed-writer.ts'
import type { Streams } from '../streams/streams.ts'
import { AnswerCache, type Prepared } from './answer-cache.ts'
import { countRequests } from './asked-nodes.ts'
import { FeedReader } from './feed-reader.ts'
import { type Audience, latin1, type Shown, shownBytes, ShownRecords } from './shown-records.ts'

export interface ViewsParts {
  readonly clock: Clock
  readonly store: Store
  readonly hosting: Hosting
  readonly schemas: Schemas
  readonly ingest: Ingest
  readonly streams: Streams
}

export interface ViewRequest {
  readonly owner: IdentityId
  readonly app: string
  readonly view: string
  readonly range: Range
  /** `owner` for their own session and for whoever runs the node. */
  readonly audience: Audience
}

/** Prepared answers: some thousand pages of 30 KB. */
const cacheBytesMax = 64 * 2 ** 20
/** Of an answer for the head, own parts and counts; records take what is left. */
const feedRoom = limits.answerBytesMax - 16 * 1024

/** Pages, answered whole from the own disk. */
export class Views {
  readonly #parts: ViewsParts
  readonly #cache: AnswerCache
  readonly #plans = new WeakMap<Schema, Map<string, ViewPlan>>()
  readonly #changed = new Set<(owner: string) => void>()
  readonly #stops: readonly (() => void)[]
  readonly #shown: ShownRecords
  readonly feeds: FeedReader

  constructor(parts: ViewsParts) {
    this.#parts = parts
    this.#cache = new AnswerCache(parts.clock, cacheBytesMax)
    this.#shown = new ShownRecords(parts.store, parts.clock)
    this.feeds = new FeedReader(parts.store, parts.streams, this.#shown)
    this.#stops = [
      parts.ingest.onStored((arrivals) => this.#stored(arrivals)),
      parts.ingest.onDropped((owner, items) => this.#dropped(owner, items)),
      parts.streams.onFeed((change) => this.#fed(change)),
    ]
  }

  close(): void {
    for (const stop of this.#stops) stop()
    this.#changed.clear()
  }

  /**
   * The encoded reply of view.get: the answer, and how many other nodes were asked for it. Throws NOT_HOSTED,
   * UNKNOWN_SCHEMA, UNKNOWN_VIEW.
   */
  async answer(request: ViewRequest): Promise<Uint8Array> {
    const { owner, app, view, range, audience } = request
    const name = `${audience} ${app} ${view} ${rangeName(range)}`
    return this.#cache.get(toHex(owner), name, () => this.#prepare(request))
  }

  /** Calls back, with the owner in hex, whenever pages of theirs may show something else; returns the way to stop. */
  onChanged(listener: (owner: string) => void): () => void {
    this.#changed.add(listener)
    return () => this.#changed.delete(listener)
  }

  /** The newest clock that was taken into the shard. */
  async asOf(owner: IdentityId): Promise<bigint> {
    const { records } = this.#parts.store
    const [entry] = await records.log(owner, Math.max(0, records.logHead(owner) - 1), 1)
    return entry?.ref.clock ?? 0n
  }

  #stored(arrivals: readonly Arrival[]): void {
    // Each once: of a copy that comes thousands of records are of one owner.
    const changed = new Set<string>()
    for (const { record, put } of arrivals) {
      const { owner, app, key } = record.header
      const name = nameOf(owner)
      // A new item of its own supersedes nothing that is shown.
      const isPlain = put.state === 'stored' && record.header.merge === 'append' && key.length === 0
      if (!isPlain) {
        this.#shown.drop(owner)
        for (const follower of this.#parts.streams.followersHere(app, name)) changed.add(follower)
      }
      if (this.#parts.hosting.has(owner)) changed.add(name)
    }
    for (const name of changed) this.#drop(name)
  }

  #dropped(owner: IdentityId, items: readonly DroppedItem[]): void {
    const name = toHex(owner)
    this.#shown.drop(owner)
    for (const app of new Set(items.map((item) => item.app))) {
      for (const follower of this.#parts.streams.followersHere(app, name)) this.#drop(follower)
    }
    if (this.#parts.hosting.has(owner)) this.#drop(name)
  }

  #fed({ app, author, owners, records }: FeedChange): void {
    if (author !== undefined && records.length === 0) return
    for (const owner of owners) {
      this.feeds.drop(owner, app)
      this.#drop(owner)
    }
  }

  #drop(owner: string): void {
    this.#cache.drop(owner)
    for (const listener of this.#changed) listener(owner)
  }

  async #prepare(request: ViewRequest): Promise<Prepared> {
    const { owner, app, view } = request
    const { hosting, schemas, streams } = this.#parts
    if (!hosting.has(owner))
      throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
    const schema = await schemas.newest(app)
    if (schema === undefined) throw new OnehopError('UNKNOWN_SCHEMA', `no schema of ${app} here`)
    const plan = this.#plan(schema, view)
    const { value } = await countRequests(async (requests) => {
      if (request.audience === 'owner' && plan.feed !== undefined) await streams.serve(owner)
      return this.#execute(request, plan, requests)
    })
    return value
  }

  #plan(schema: Schema, view: string): ViewPlan {
    const plans = this.#plans.get(schema) ?? new Map<string, ViewPlan>()
    this.#plans.set(schema, plans)
    const plan = plans.get(view) ?? planView(schema, view)
    plans.set(view, plan)
    return plan
  }

  async #execute(
    { owner, app, range, audience }: ViewRequest,
    plan: ViewPlan,
    requests: () => number,
  ): Promise<Prepared> {
    const expiries: number[] = []
    const note = (shown: Shown): Shown => {
      if (shown.expiresMs !== undefined) expiries.push(shown.expiresMs)
      return shown
    }
    let room = feedRoom
    const own = plan.own.map((collection) => {
      const shown = this.#shown.single(owner, { app, collection, withheld: noKinds, audience })
      if (shown !== undefined) room -= note(shown).bytes.length
      return { collection, record: shown?.bytes }
    })
    const latest: LatestPart[] = []
    for (const { collection, limit } of plan.latest) {
      const part = await this.#latest(owner, app, collection, limit, audience, room, note)
      for (const record of part.records) room -= record.length + 5
      latest.push(part)
    }
    // Whom somebody follows is on their page; what those wrote for their followers is theirs to show.
    const feed =
      plan.feed === undefined || audience === 'public'
        ? undefined
        : await this.#feed(owner, app, plan.feed, range, room, note)
    const counts = Object.fromEntries(
      plan.counts.map(({ name, collection }) => [
        name,
        this.#parts.store.records.count(owner, app, collection),
      ]),
    )
    const asOf = await this.asOf(owner)
    const askedNodes = requests()
    const view = encodeViewAnswer({ askedNodes, asOf, own, latest, feed, counts })
    const bytes = encode({ requestsBetweenNodes: askedNodes, view })
    return { bytes, expiresMs: expiries.length === 0 ? undefined : Math.min(...expiries) }
  }

  async #latest(
    owner: IdentityId,
    app: string,
    collection: string,
    limit: number,
    audience: Audience,
    room: number,
    note: (shown: Shown) => Shown,
  ): Promise<LatestPart> {
    const stored = await this.#parts.store.records.latest(owner, app, collection, { limit: limit + 1 })
    const records: Uint8Array[] = []
    for (const [i, one] of stored.entries()) {
      const record = decodeStored(one)
      const bytes = shownBytes(record, one.bytes, { withheld: noKinds, audience })
      room -= bytes.length + 5
      if (records.length >= limit || (room < 0 && records.length > 0)) {
        return { collection, records, more: stored[i - 1]?.ref }
      }
      note({ ref: one.ref, collection, bytes, expiresMs: record.header.expiresMs })
      records.push(bytes)
    }
    return { collection, records, more: undefined }
  }

  async #feed(
    owner: IdentityId,
    app: string,
    plan: FeedPlan,
    range: Range,
    room: number,
    note: (shown: Shown) => Shown,
  ): Promise<FeedPart> {
    const limit = range.limit ?? plan.latest
    const page = await this.feeds.page(owner, app, plan, { ...range, limit, bytesMax: room })
    const authors: FeedAuthor[] = []
    const places = new Map<string, number>()
    const items: { author: number; record: Uint8Array }[] = []
    let left = room
    for (const item of page.items) {
      const name = latin1(item.author)
      const records = places.has(name) ? [] : this.#authorRecords(item.author, app, plan, note)
      left -= item.bytes.length + 16 + 48 + records.reduce((sum, record) => sum + record.length + 5, 0)
      // An author's records count as well: what they push out comes on the next page.
      if (left < 0 && items.length > 0) return { authors, items, more: page.items[items.length - 1]?.ref }
      let place = places.get(name)
      if (place === undefined) {
        place = authors.length
        places.set(name, place)
        authors.push({ id: item.author, records })
      }
      note(item)
      items.push({ author: place, record: item.bytes })
    }
    return { authors, items, more: page.more }
  }

  #authorRecords(
    author: IdentityId,
    app: string,
    plan: FeedPlan,
    note: (shown: Shown) => Shown,
  ): Uint8Array[] {
    return plan.authors.flatMap(({ collection, withheld }) => {
      const shown = this.#shown.single(author, { app, collection, withheld, audience: 'owner' })
      return shown === undefined ? [] : [note(shown).bytes]
    })
  }
}

const noKinds: ReadonlySet<string> = new Set()

function rangeName({ limit, before, after }: Range): string {
  const refName = (ref: Range['before']): string =>
    ref === undefined ? '' : `${ref.clock}.${latin1(ref.id)}`
  return `${limit ?? ''} ${refName(before)} ${refName(after)}`
}
