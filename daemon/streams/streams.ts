import { fromHex, toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { carriedCollections, type Schema } from '../../protocol/schema/schema.ts'
import type { Followers, FollowersAsk } from '../../protocol/stream/followers.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { Arrival, Ingest } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Finder } from '../placement/find.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { Placement } from '../placement/placement.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { Schemas } from '../schemas.ts'
import { Farewells } from './farewells.ts'
import { type FeedListener, FeedWriter } from './feed-writer.ts'
import { FollowerList } from './followers.ts'
import { Following } from './following.ts'
import { type Edge, Follows } from './follows.ts'
import { Intake } from './intake.ts'
import { LocalAuthors } from './local-authors.ts'
import { Seeker } from './seeker.ts'
import { type Joined, Served } from './served.ts'
import { holds, Source } from './source.ts'
import { type Wanted, WantedAuthors } from './wanted.ts'

/** All shards are looked at when somebody else leads some; and so often, for those who are served for a session's sake. */
const lookEveryMs = 60_000

export interface StreamsParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly config: Config['hosting']
  readonly identities: Identities
  readonly schemas: Schemas
  readonly hosting: Hosting
  readonly ingest: Ingest
  readonly finder: Pick<Finder, 'findMany'>
  readonly replicaSets: Pick<ReplicaSets, 'members' | 'onChanged'>
  readonly placement: Pick<Placement, 'leads' | 'changes'>
  readonly neighbours: Pick<Neighbours, 'isSuspect' | 'watch'>
}

export interface StreamCounts {
  /** People of this house whose feeds are kept here. */
  readonly served: number
  /** Authors whom they follow. */
  readonly wanted: number
  /** Of these, authors for whom no source is known or answers. */
  readonly seeking: number
  /** Authors per node that sends them here. */
  readonly sources: readonly { readonly node: NodeId; readonly authors: number }[]
  /** Registrations of other nodes for people of this house. */
  readonly registrations: number
  /** Serving nodes that do not answer. */
  readonly away: number
}

/**
 * Who of this house follows whom, and how the records come here.
 *
 * 1. An author is wanted as long as a served person follows them; then and only then a source is asked for them.
 * 2. A wanted author who is held here is read from the own disk, any other from exactly one source.
 * 3. Feeds and the cursor that says how far they reach change in one batch.
 */
export class Streams {
  readonly #parts: StreamsParts
  readonly #wanted = new WantedAuthors()
  readonly #follows = new Follows()
  readonly #collections = new Map<string, { readonly hash: string; readonly names: ReadonlySet<string> }>()
  readonly #streamSets = new Map<string, ReadonlySet<string>>()
  readonly #feeds: FeedWriter
  readonly #intake: Intake
  readonly #local: LocalAuthors
  readonly #following: Following
  readonly #seeker: Seeker
  readonly #served: Served
  readonly #source: Source
  readonly #stops: Farewells
  readonly #followers: FollowerList
  readonly #tasks = new Set<Promise<void>>()
  #signal: AbortSignal | undefined

  private constructor(parts: StreamsParts, source: Source) {
    this.#parts = parts
    this.#source = source
    const isSuspect = (node: NodeId): boolean => parts.neighbours.isSuspect(node)
    this.#feeds = new FeedWriter(parts.store, this.#wanted)
    const shared = { ...parts, wanted: this.#wanted, feeds: this.#feeds, isSuspect }
    this.#stops = new Farewells({
      ...parts,
      method: 'stream/stop',
      stillSo: (app, author) => this.#wanted.get(app, toHex(author)) === undefined,
    })
    this.#followers = new FollowerList({
      ...shared,
      servingNodes: (app, author) => source.registrations.nodesOf(app, toHex(author)),
    })
    this.#intake = new Intake(shared)
    this.#local = new LocalAuthors(shared)
    this.#seeker = new Seeker({
      ...shared,
      self: parts.rpc.self,
      onFound: (wanted, node) => {
        parts.neighbours.watch(node)
        this.#following.ask(wanted, node)
      },
    })
    this.#following = new Following({
      ...shared,
      intake: this.#intake,
      collections: (app) => this.#collections.get(app)?.names ?? new Set(),
      onLost: (wanted) => {
        this.#following.leave(wanted)
        this.#seeker.seekLater(wanted)
      },
    })
    this.#served = new Served({
      ...shared,
      schemas: parts.schemas,
      crypto: parts.crypto,
      follows: this.#follows,
      onEdge: (owner, item, edge) => this.#edge(owner, item, edge),
      onSchema: (schema) => this.#learn(schema),
    })
  }

  /** Takes up where the last run ended; `run` does the rest. */
  static async open(parts: StreamsParts): Promise<Streams> {
    return new Streams(parts, await Source.open(parts))
  }

  /** Until the signal aborts. Everybody whom this node leads is served soon after. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const stops = [
      this.#parts.ingest.onStored((arrivals) => this.#stored(arrivals)),
      this.#parts.ingest.onDropped((owner, items) => this.#served.dropped(toHex(owner), items)),
      this.#parts.hosting.onRemoved((owner) => this.#served.release(owner, true)),
    ]
    try {
      await Promise.all([this.#source.run(signal), this.#served.run(signal), this.#receive(signal)])
    } finally {
      for (const stop of stops) stop()
      await Promise.all(this.#tasks)
    }
  }

  /** Nothing is taken in, of this node's own shards neither, until it is known into whose feeds it goes. */
  async #receive(signal: AbortSignal): Promise<void> {
    await this.#served.restore([...this.#parts.hosting.list()].map(({ owner }) => owner))
    await Promise.all([
      this.#following.run(signal),
      this.#seeker.run(signal),
      this.#local.run(signal),
      this.#watch(signal),
    ])
  }

  /** Nodes to which the author's posts go from here. */
  servingNodes(author: IdentityId): ReadonlySet<NodeId> {
    return new Set([...this.#source.registrations.of(toHex(author))].map(({ node }) => node))
  }

  /** A session of this person was opened here: from now on their feed is kept here. Resolves when it is begun. */
  async serve(owner: IdentityId): Promise<void> {
    if (this.#parts.hosting.has(owner)) await this.#served.serveNow(owner)
  }

  /** Streams of the author that the owner follows; empty when none. */
  followed(owner: IdentityId, app: string, author: IdentityId): ReadonlySet<string> {
    return this.#wanted.get(app, toHex(author))?.followers.get(toHex(owner)) ?? noStreams
  }

  /** People of this house, in hex, whose pages show the author. */
  followersHere(app: string, author: string): Iterable<string> {
    return this.#wanted.get(app, author)?.followers.keys() ?? []
  }

  /** Who follows a person of this house in an app, as far as it is served from here. */
  followersOf(ask: FollowersAsk, signal: AbortSignal): Promise<Followers> {
    return this.#followers.of(ask, signal)
  }

  /** Calls back when feeds changed; returns the way to stop. */
  onFeed(listener: FeedListener): () => void {
    return this.#feeds.onChange(listener)
  }

  counts(): StreamCounts {
    return {
      served: this.#served.size,
      wanted: this.#wanted.size,
      seeking: this.#seeker.size,
      sources: this.#following.sources(),
      registrations: this.#source.registrations.size,
      away: this.#source.sender.away,
    }
  }

  #stored(arrivals: readonly Arrival[]): void {
    for (const arrival of arrivals) {
      const { header } = arrival.record
      const owner = nameOf(header.owner)
      for (const wanted of this.#wanted.ofAuthor(owner)) {
        if (wanted.place.state === 'local' && wanted.app === header.app) this.#local.mark(wanted)
      }
      if (this.#served.has(owner)) this.#served.stored(owner, arrival, toHex(itemKey(arrival.record)))
    }
  }

  /** One follow record says something new. Answers what has to be read for the feed. */
  #edge(owner: string, item: string, edge: Edge | undefined): Joined | undefined {
    const before = this.#follows.set(owner, item, edge)
    if (before !== undefined && (edge === undefined || before.name !== edge.name))
      this.#unfollow(owner, before)
    if (edge === undefined) return undefined
    const wanted = this.#wanted.get(edge.app, edge.name) ?? this.#want(edge)
    const streams = this.#follows.streams(owner, edge.app, edge.name)
    wanted.followers.set(owner, this.#intern(streams))
    return { wanted, owner }
  }

  #want({ app, author }: Edge): Wanted {
    const wanted = this.#wanted.add(app, author)
    this.#place(wanted)
    return wanted
  }

  #place(wanted: Wanted): void {
    if (holds(this.#parts, wanted.author)) {
      this.#local.begin(wanted)
      return
    }
    wanted.cursor = this.#intake.cursor(wanted.app, wanted.author)
    wanted.mustList = wanted.cursor === undefined
    this.#seeker.seek(wanted)
  }

  #unfollow(owner: string, { app, author, name }: Edge): void {
    const wanted = this.#wanted.get(app, name)
    if (wanted === undefined) return
    const left = this.#follows.streams(owner, app, name)
    if (left.size > 0) wanted.followers.set(owner, this.#intern(left))
    else {
      wanted.followers.delete(owner)
      this.#track(this.#emptyFeed(fromHex(owner, 32) as Uint8Array, app, author))
    }
    if (wanted.followers.size === 0) this.#drop(wanted)
  }

  /** Nobody here follows the author any more. */
  #drop(wanted: Wanted): void {
    const { place } = wanted
    this.#following.leave(wanted)
    this.#seeker.leave(wanted)
    this.#wanted.delete(wanted)
    if (place.state === 'asking' || place.state === 'following') {
      this.#sayStop(place.node, wanted)
    }
    this.#track(this.#intake.forget([wanted]))
  }

  #sayStop(node: NodeId, { app, author }: Wanted): void {
    const collections = this.#collections.get(app)?.names
    if (this.#signal === undefined || collections === undefined) return
    this.#track(this.#stops.say(node, app, { author, collections }, this.#signal))
  }

  async #emptyFeed(owner: IdentityId, app: string, author: IdentityId): Promise<void> {
    const { store } = this.#parts
    // Entries of batches under way are on disk after this one.
    await store.write(() => undefined)
    // Who follows again meanwhile has had the feed filled anew, or will.
    await store.feeds.removeAuthor(owner, app, author, () => this.followed(owner, app, author).size === 0)
    this.#feeds.tell({ app, author: undefined, owners: [toHex(owner)], records: [] })
  }

  /** Looks at the whole now and then: who leads, who is away, what changed hands. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { clock, config, hosting, placement, schemas, log } = this.#parts
    let lookedAt = -1
    let lookMs = 0
    while (!signal.aborted) {
      try {
        for (const app of this.#collections.keys()) {
          const schema = await schemas.newest(app)
          if (schema !== undefined) this.#learn(schema)
        }
        const { changes } = placement
        if (changes !== lookedAt || clock.monotonicMs() >= lookMs) {
          lookedAt = changes
          lookMs = clock.monotonicMs() + lookEveryMs
          for (const { owner } of hosting.list()) {
            if (placement.leads(owner)) this.#served.serve(owner)
            else this.#served.release(owner)
          }
          for (const wanted of this.#wanted.all()) this.#checkPlace(wanted)
        }
        this.#following.leaveSuspects()
      } catch (error) {
        log.error('stream.watch-fault', { error: String(error) })
      }
      await clock.sleep(config.heartbeatMs, signal).catch(() => undefined)
    }
  }

  #checkPlace(wanted: Wanted): void {
    const isHere = holds(this.#parts, wanted.author)
    if (isHere === (wanted.place.state === 'local')) return
    this.#following.leave(wanted)
    this.#seeker.leave(wanted)
    this.#place(wanted)
  }

  #learn(schema: Schema): void {
    const hash = toHex(schema.hash)
    const known = this.#collections.get(schema.id)
    if (known?.hash === hash) return
    this.#collections.set(schema.id, { hash, names: new Set(carriedCollections(schema)) })
    if (known === undefined) return
    for (const wanted of this.#wanted.all()) {
      if (wanted.app !== schema.id) continue
      wanted.mustList = true
      this.#following.again(wanted)
    }
  }

  /** A million followers share a handful of sets. */
  #intern(streams: ReadonlySet<string>): ReadonlySet<string> {
    const name = [...streams].toSorted().join(' ')
    const known = this.#streamSets.get(name)
    if (known !== undefined) return known
    this.#streamSets.set(name, streams)
    return streams
  }

  #track(task: Promise<void>): void {
    const tracked = task
      .catch((error: unknown) => {
        this.#parts.log.warn('stream.task-failed', { error: String(error) })
      })
      .finally(() => this.#tasks.delete(tracked))
    this.#tasks.add(tracked)
  }
}

const noStreams: ReadonlySet<string> = new Set()
