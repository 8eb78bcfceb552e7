import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { isClockAhead } from '../../protocol/record/clock.ts'
import type { IdentityId, VerifiedRecord } from '../../protocol/record/types.ts'
import { verifyRecord } from '../../protocol/record/verify.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { scopeContains, scopeDepth, scopeHierarchy } from '../../protocol/scope.ts'
import { signAdvert } from '../../protocol/search/advert.ts'
import { decodeAppend, type Announcement } from '../../protocol/search/exchange.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import {
  aggregatorKey,
  decodeLogBatch,
  decodeRegistration,
  encodeAcknowledgement,
  type LogBatch,
  type LogEntry,
} from '../../protocol/search/log.ts'
import type { Coverage } from '../../protocol/search/query.ts'
import { climbingRecord } from '../../protocol/search/record-document.ts'
import type { NodeId } from '../net/rpc.ts'
import { ClimbedSource } from './climbed-source.ts'
import { type Directory, nodeBytes } from './directory.ts'
import { type Change, Documents, liveRecord, type Offer } from './documents.ts'
import { Indexes } from './indexes.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts, Target } from './parts.ts'
import { type Child, childName, Roster } from './roster.ts'
import { type Send, Uplink } from './uplink.ts'
import type { PostingsIndex } from '../../storage/search/postings-index.ts'

export interface AggregatorParts extends SearchParts {
  readonly directory: Directory
  readonly send: Send
}

/** Indexes the scopes that this node was set to aggregate, from those below, and passes on to those above. */
export class Aggregator {
  readonly #parts: AggregatorParts
  readonly #documents: Documents
  readonly #roster: Roster
  #indexes: Indexes | undefined
  readonly #uplinks = new Map<string, Uplink>()
  readonly #apps = new Set<string>()
  readonly stats = { accepted: 0, refused: 0 }

  constructor(parts: AggregatorParts) {
    this.#parts = parts
    this.#documents = new Documents(parts.store, parts.crypto.sha256)
    this.#roster = new Roster(parts.store, parts)
    parts.rpc.handle('search/register', ({ from, body }) => this.register(from, body))
    parts.rpc.handle('search/append', ({ from, body }) => this.append(from, body))
  }

  get isAggregating(): boolean {
    return this.#parts.aggregate.length > 0
  }

  /** Scopes that this node indexes for the app. */
  covers(app: string): string[] {
    return this.#parts.aggregate.filter((one) => one.app === app || one.app === '*').map(({ scope }) => scope)
  }

  /** Of a hierarchy in which this node aggregates something. */
  index(hierarchy: string): PostingsIndex | undefined {
    return this.#indexes?.get(hierarchy)
  }

  document(hierarchy: string, item: Uint8Array): { record: VerifiedRecord; scope: string } | undefined {
    const kept = this.#documents.get(hierarchy, item)
    const record = liveRecord(kept)
    // Verified before it was kept.
    return record && kept && { record: record as VerifiedRecord, scope: kept.scope }
  }

  /** Builds the index from what was kept. */
  async open(): Promise<void> {
    await this.#roster.open()
    if (!this.isAggregating) return
    let epoch = 1
    for (const byte of this.#parts.random.bytes(6)) epoch = (epoch * 256 + byte) % Number.MAX_SAFE_INTEGER
    await this.#documents.begin(epoch)
    const { aggregate, store, crypto, clock, log, config } = this.#parts
    const hierarchies = aggregate.map(({ scope }) => scopeHierarchy(scope))
    this.#indexes = await Indexes.open(
      { store, crypto, clock, log, config, documents: this.#documents },
      hierarchies,
    )
    for await (const app of this.#documents.apps()) this.#apps.add(app)
  }

  async run(signal: AbortSignal): Promise<void> {
    if (!this.isAggregating) return
    const { aggregate, provideQueue, crypto, clock, heartbeatMs, directory, log } = this.#parts
    for (const { app, scope } of aggregate) {
      provideQueue.add(aggregatorKey(crypto.sha256, app, scope), { urgent: true })
    }
    const review = (): void => this.#climb()
    const stop = directory.onChanged(review)
    try {
      while (!signal.aborted) {
        review()
        await this.#indexes?.dropExpired()
        // What those below miss is missing here too.
        const below = [...this.#roster.list()].filter(
          ({ kind, node }) => kind === 'aggregator' && node !== this.#parts.rpc.self,
        )
        for (const { node } of below) void directory.ask(node, signal)
        for (const uplink of this.#uplinks.values()) {
          const { node, parent } = uplink.target
          if (uplink.failingMs > heartbeatMs * 2) directory.markAway(node, heartbeatMs * 3)
          // The way to an aggregator may begin in the DHT alone.
          if (directory.get(node, parent) === undefined) log.debug('search.parent-gone', { node, parent })
        }
        await this.#findAbove(signal)
        await clock.sleep(heartbeatMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      stop()
      const uplinks = [...this.#uplinks.values()]
      this.#uplinks.clear()
      this.#closed = true
      await Promise.all(uplinks.map((uplink) => uplink.stop()))
      await this.#indexes?.close()
    }
  }

  #closed = false

  /** Everything accepted is confirmed above. */
  get isIdle(): boolean {
    return [...this.#uplinks.values()].every((uplink) => uplink.isIdle)
  }

  announcements(): Announcement[] {
    const { crypto, rpc, nodeSeed, clock, aggregate, addresses } = this.#parts
    return aggregate.map(({ app, scope }) => {
      const { complete, sources, sourcesCurrent, missing } = this.coverage(app, scope)
      const advert = signAdvert(
        crypto,
        {
          node: nodeBytes(rpc.self),
          app,
          scope,
          collections: [],
          addresses: addresses().slice(0, 8),
          documents: this.index(scopeHierarchy(scope))?.size ?? 0,
          sources,
          sourcesCurrent,
          complete,
          asOfMs: clock.nowMs(),
          hitsMax: searchLimits.hitsMax,
          blockList: undefined,
          expiresMs: clock.nowMs() + searchNodeLimits.advertValidityMs,
        },
        nodeSeed,
      )
      return { advert, missing }
    })
  }

  /** What an answer for the scope rests on: who is registered for it, who is silent. */
  coverage(app: string, scope: string): Coverage {
    const { clock, directory } = this.#parts
    const apps = app === '*' ? [...this.#apps] : [app]
    const children = apps.flatMap((one) => this.#roster.concerning(one, scope))
    const missing = new Set<string>()
    let sources = 0
    let sourcesCurrent = 0
    let isWhole = true
    let asOfMs = clock.nowMs()
    for (const child of children) {
      const isCurrent = this.#roster.isCurrent(child)
      sources++
      if (isCurrent) sourcesCurrent++
      else for (const place of this.#roster.missingOf(child, scope)) missing.add(place)
      asOfMs = Math.min(asOfMs, child.heardAtMs)
      const below = child.kind === 'aggregator' && directory.get(child.node, child.scope)
      if (!below) continue
      sources += below.advert.sources
      sourcesCurrent += isCurrent ? below.advert.sourcesCurrent : 0
      const inside = below.missing.filter((place) => scopeContains(scope, place))
      for (const place of inside) missing.add(place)
      if (!below.advert.complete && (inside.length > 0 || scopeContains(scope, child.scope))) isWhole = false
    }
    // A region named as missing says it for all within.
    const named = [...missing].filter(
      (place) => ![...missing].some((one) => one !== place && scopeContains(one, place)),
    )
    return {
      complete: isWhole && missing.size === 0 && sources === sourcesCurrent,
      sources,
      sourcesCurrent,
      asOfMs,
      missing: named.sort().slice(0, searchLimits.missingScopesMax),
    }
  }

  async register(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const registration = decodeRegistration(body)
    const { app, parent, scope, kind } = registration
    if (!this.covers(app).includes(parent)) {
      throw new OnehopError('NOT_FOUND', `this node does not aggregate ${parent} for ${app}`)
    }
    if (!scopeContains(parent, scope)) throw new OnehopError('BAD_REQUEST', `${scope} lies outside ${parent}`)
    const child = await this.#roster.register(from, registration)
    this.#apps.add(app)
    if (kind === 'aggregator' && from !== this.#parts.rpc.self && child.documents === 0) this.#climb()
    return encodeAcknowledgement({ cursor: child.cursor, credit: searchLimits.logEntriesMax })
  }

  async append(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { kind, logs, batch: packed } = decodeAppend(body)
    const batch = decodeLogBatch(packed)
    const child = this.#roster.get(childName(from, { kind, app: batch.app, parent: batch.parent }))
    if (child === undefined) throw new OnehopError('STALE', 'register first')
    this.#roster.heard(child)
    if (child.cursor.epoch !== batch.epoch || child.cursor.position !== batch.after) {
      // A batch that was taken while its acknowledgement got lost, or a source that lost count: it looks again.
      return encodeAcknowledgement({ cursor: child.cursor, credit: searchLimits.logEntriesMax })
    }
    this.#checkRoom(child, batch)
    // At once, so that they share a sync of the disk.
    await Promise.all(
      logs.map((log) =>
        this.#parts.identities.visit(undefined, log).catch((error: unknown) => {
          this.stats.refused++
          this.#parts.log.warn('search.log-refused', { from, code: asOnehopError(error).code })
        }),
      ),
    )
    const offers = batch.entries.flatMap((entry) => this.#check(child, batch, entry) ?? [])
    await this.#keepLogsOf(offers)
    const cursor = { epoch: batch.epoch, position: batch.through }
    const changes = await this.#parts.store.write((stage) => {
      const now = this.#roster.cursorIn(stage, child)
      if (now.epoch !== batch.epoch || now.position !== batch.after) {
        throw new OnehopError('STALE', 'two batches at once')
      }
      this.#roster.setCursorIn(stage, child, cursor)
      const accepted = this.#documents.acceptIn(stage, child.name, offers, (holder) =>
        this.#yields(holder, child),
      )
      this.#indexes?.stage(stage, accepted)
      this.#roster.countIn(stage, accepted)
      return accepted
    })
    child.cursor = cursor
    for (const change of changes) this.#apply(change)
    this.stats.accepted += changes.length
    if (changes.length > 0) this.#climb()
    return encodeAcknowledgement({ cursor, credit: searchLimits.logEntriesMax })
  }

  /** Bound, decode, verify, authorise. A bad entry is left out and counted; the rest of the batch is not at fault. */
  #check({ kind, scope: within }: Child, { parent, app }: LogBatch, entry: LogEntry): Offer | undefined {
    const hierarchy = scopeHierarchy(parent)
    if (entry.operation === 'remove') return { operation: 'remove', item: entry.item, app, hierarchy }
    const { crypto, identities, clock } = this.#parts
    const refuse = (why: string): undefined => {
      this.stats.refused++
      this.#parts.log.warn('search.refused', { why })
      return undefined
    }
    const scope = entry.scopes[hierarchy]
    if (scope === undefined || !scopeContains(kind === 'aggregator' ? within : parent, scope))
      return refuse('scope')
    let record
    try {
      record = decodeRecord(crypto, entry.record)
    } catch (error) {
      return refuse(asOnehopError(error).code)
    }
    const { header } = record
    if (header.app !== app) return refuse('app')
    const owner = identities.get(header.owner)
    const author = toHex(header.author) === toHex(header.owner) ? owner : identities.get(header.author)
    if (owner === undefined || author === undefined) {
      throw new OnehopError('UNKNOWN_IDENTITY', 'send the identity logs with the records')
    }
    const verdict = verifyRecord(crypto, record, owner, author)
    if (!verdict.ok) return refuse(verdict.code)
    if (isClockAhead(header.clock, clock.nowMs())) return refuse('CLOCK_AHEAD')
    // Whatever the source sent, no more is kept than may be searched here.
    const climbing = climbingRecord(verdict.record, hierarchy, scopeDepth(parent))
    return { operation: 'put', record: climbing, hierarchy, scope, analyser: entry.analyser }
  }

  /** Of those whose records are indexed, and of nobody else whom a source may name. */
  async #keepLogsOf(offers: readonly Offer[]): Promise<void> {
    const people = new Map<string, IdentityId>()
    for (const offer of offers) {
      if (offer.operation !== 'put') continue
      const { owner, author } = offer.record.header
      people.set(toHex(author), author).set(toHex(owner), owner)
    }
    await Promise.all([...people.values()].map((id) => this.#parts.identities.keep(id)))
  }

  #checkRoom(child: Child, batch: LogBatch): void {
    const bytes = batch.entries.reduce(
      (sum, one) => sum + (one.operation === 'put' ? one.record.length : 0),
      0,
    )
    if (
      child.bytes + bytes > searchNodeLimits.childBytesMax ||
      child.documents + batch.entries.length > searchNodeLimits.childDocumentsMax
    ) {
      throw new OnehopError('NO_QUOTA', 'this source has sent as much as is kept of one')
    }
  }

  /**
   * Of one version, the newer word counts, so that a shard can pass from holder to holder. But a leaf that turned to
   * us while it could not reach its own aggregator does not take from that one what it goes on to look after.
   */
  #yields(holder: string, to: Child): boolean {
    const child = this.#roster.get(holder)
    if (child === undefined || to.kind === 'aggregator') return true
    return child.kind === 'leaf' || !this.#roster.isCurrent(child)
  }

  #apply(change: Change): void {
    this.#roster.count(change)
    this.#apps.add(change.after.app)
    this.#indexes?.apply(change)
  }

  /** Registers with the nearest aggregator above each scope, for each app, and wakes what is registered. */
  #climb(): void {
    if (this.#closed) return
    const wanted = new Map<string, { readonly target: Target; readonly scopes: string[] }>()
    for (const app of this.#apps) {
      const own = this.covers(app)
      for (const scope of own) {
        const above = this.#above(app, scope)
        if (above === undefined) continue
        const target = { node: above.node, app, parent: above.scope }
        const name = JSON.stringify(target)
        wanted.set(name, { target, scopes: [...(wanted.get(name)?.scopes ?? []), scope] })
      }
    }
    for (const [name, { target, scopes }] of wanted) {
      const known = this.#uplinks.get(name)
      if (known !== undefined) {
        known.wake()
        continue
      }
      const uplink = new Uplink(this.#parts, target, new ClimbedSource(this.#documents, target, scopes))
      this.#uplinks.set(name, uplink)
      uplink.start()
    }
    for (const [name, uplink] of this.#uplinks) {
      if (wanted.has(name)) continue
      this.#uplinks.delete(name)
      uplink.stop().catch((error: unknown) => {
        this.#parts.log.warn('search.stop-failed', { error: String(error) })
      })
    }
  }

  /** Undefined also when the next scope above is this node's own: its index holds all of it already. */
  #above(app: string, scope: string): { node: NodeId; scope: string } | undefined {
    const own = this.covers(app).filter((one) => one !== scope && scopeContains(one, scope))
    const nearestOwn = own.sort((a, z) => z.length - a.length)[0]
    const current = [...this.#uplinks.values()].find(
      ({ target, source }) => target.app === app && source.scope() === scope,
    )
    const found = this.#parts.directory.nearest(app, scope, ({ advert }) => advert.scope !== scope)
    if (found === undefined) {
      // The last one that was known is tried on: it may only be away.
      return current && { node: current.target.node, scope: current.target.parent }
    }
    if (nearestOwn !== undefined && nearestOwn.length >= found.advert.scope.length) return undefined
    if (current?.target.parent === found.advert.scope && !this.#parts.directory.isAway(current.target.node)) {
      return { node: current.target.node, scope: current.target.parent }
    }
    return { node: found.node, scope: found.advert.scope }
  }

  async #findAbove(signal: AbortSignal): Promise<void> {
    const { directory } = this.#parts
    let finds = 0
    for (const { app, scope } of this.#parts.aggregate) {
      for (let level = scope.lastIndexOf('/'); level > 0; level = scope.lastIndexOf('/', level - 1)) {
        const above = scope.slice(0, level)
        const known = directory.list(app).find(({ advert }) => advert.scope === above)
        if (known !== undefined && !directory.isAway(known.node)) break
        if (this.covers(app).includes(above) || ++finds > searchNodeLimits.findsPerRoundMax) break
        if (await directory.find(app, above, signal)) break
      }
    }
  }
}

/** The record as it goes to a reader of this scope. */
export function recordFor(record: VerifiedRecord, scope: string): Uint8Array {
  return encodeRecord(climbingRecord(record, scopeHierarchy(scope), scopeDepth(scope)))
}
