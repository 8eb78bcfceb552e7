import { toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'
import type { IdentityId, VerifiedRecord } from '../../protocol/record/types.ts'
import { scopeChain, scopeHierarchy } from '../../protocol/scope.ts'
import type { Arrival } from '../ingest.ts'
import type { Directory } from './directory.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts, Target } from './parts.ts'
import { placeOf, ShardPlaces } from './shard-log.ts'
import { ShardSource } from './shard-source.ts'
import { type Send, Uplink } from './uplink.ts'

export interface LeafParts extends SearchParts {
  readonly directory: Directory
  readonly send: Send
  /** Aggregators of this node's own: nearest of all, if they cover the scope. */
  readonly covers: (app: string) => readonly string[]
}

interface Assigned {
  readonly owner: IdentityId
  readonly app: string
  readonly scope: string
  readonly target: Target | undefined
}

const lookMs = 1_000
/** They share a write to the disk; others get a turn in between. */
const placesAtOnce = 256

/** Sees to it that every shard that this node speaks for is told to the nearest aggregator of each hierarchy. */
export class Leaf {
  readonly #parts: LeafParts
  readonly #places: ShardPlaces
  readonly #uplinks = new Map<string, { readonly uplink: Uplink; readonly source: ShardSource }>()
  /** By owner, app and hierarchy. */
  readonly #assigned = new Map<string, Assigned>()
  readonly #leading = new Map<string, IdentityId>()
  /** Led shards whose place was looked up for every app. */
  readonly #placed = new Set<string>()
  #leadChanges = -1
  /** When a nearer aggregator is looked for next; monotonic. */
  #nearerMs = 0
  #wake: (() => void) | undefined
  #closed = false
  readonly #working = new Set<Promise<void>>()

  constructor(parts: LeafParts) {
    this.#parts = parts
    this.#places = new ShardPlaces(parts.store, parts.crypto.sha256)
  }

  /** Everything that this node has to tell is confirmed. */
  get isIdle(): boolean {
    return [...this.#uplinks.values()].every(({ uplink }) => uplink.isIdle)
  }

  /** Places of the shards that this node speaks for. */
  places(app: string, hierarchy: string): { owner: IdentityId; scope: string }[] {
    return [...this.#assigned.values()].filter(
      (one) => one.app === app && scopeHierarchy(one.scope) === hierarchy,
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ingest, directory, config } = this.#parts
    const stops = [
      ingest.onStored((arrivals) => this.#stored(arrivals)),
      ingest.onDropped((owner, items) => {
        for (const app of new Set(items.map((item) => item.app))) this.#touch(toHex(owner), owner, app)
      }),
      directory.onChanged(() => this.#wake?.()),
    ]
    try {
      for (const { owner, target } of await this.#places.departures())
        this.#uplink(target).source.depart(owner)
      while (!signal.aborted) {
        await this.#review()
        await this.#look(signal)
        const heartbeatMs = Math.min(config.registerEveryMs, this.#parts.heartbeatMs)
        await this.#pause(this.#hasLost ? Math.min(lookMs, heartbeatMs) : heartbeatMs, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      this.#closed = true
      for (const stop of stops) stop()
      await Promise.all([...this.#uplinks.values()].map(({ uplink }) => uplink.stop()))
      await Promise.all(this.#working)
    }
  }

  #stored(arrivals: readonly Arrival[]): void {
    const written = new Map<string, { readonly owner: IdentityId; readonly apps: Set<string> }>()
    for (const { record } of arrivals) {
      const { owner, app } = record.header
      const name = nameOf(owner)
      const known = written.get(name) ?? { owner, apps: new Set<string>() }
      written.set(name, known)
      if (this.#mayMove(record) || !this.#touch(name, owner, app)) known.apps.add(app)
    }
    for (const [name, { owner, apps }] of written) {
      if (apps.size === 0 || !this.#parts.hosting.has(owner) || !this.#parts.leads(owner)) continue
      this.#leading.set(name, owner)
      // The newest schema of an app is read from the store once; then it is in memory.
      const work = this.#place(owner, apps)
        .catch((error: unknown) => {
          this.#parts.log.warn('search.place-failed', { error: String(error) })
        })
        .finally(() => this.#working.delete(work))
      this.#working.add(work)
    }
  }

  /** Only records of the collection that says where a shard stands can move it. */
  #mayMove({ header }: VerifiedRecord): boolean {
    const schema = this.#parts.schemas.get(header.schema)
    if (schema === undefined) return true
    const leaves = [...schema.hierarchies.values()].map(({ leaf }) => leaf)
    return leaves.some((leaf) => leaf.startsWith(`${header.collection}.`))
  }

  /** There is more to tell of a shard whose place is known. False when it is not known in every hierarchy. */
  #touch(name: string, owner: IdentityId, app: string): boolean {
    if (!this.#placed.has(name) || !this.#leading.has(name)) return false
    const hierarchies = this.#hierarchiesOf(name, app)
    for (const { target } of hierarchies) {
      if (target === undefined) return false
      const { uplink, source } = this.#uplink(target)
      source.touch(owner)
      uplink.wake()
    }
    return hierarchies.length > 0
  }

  #hierarchiesOf(name: string, app: string): { readonly target: Target | undefined }[] {
    // Nearly every app has one hierarchy or two; the names are those that `#assign` makes.
    const known = this.#parts.schemas.newestKnown(app)
    return [...(known?.hierarchies.keys() ?? [])].flatMap((hierarchy) => {
      const assigned = this.#assigned.get(`${name} ${app} ${hierarchy}`)
      return assigned === undefined ? [] : [assigned]
    })
  }

  /** Looks at every shard: who leads it now, where it stands, which aggregator is nearest. */
  async #review(): Promise<void> {
    const changes = this.#parts.leadChanges()
    if (changes !== this.#leadChanges) await this.#reviewLeads()
    this.#leadChanges = changes
    await this.#retarget()
    for (const [name, { uplink, source }] of this.#uplinks) {
      if (!source.isEmpty) continue
      this.#uplinks.delete(name)
      await uplink.stop()
    }
  }

  async #reviewLeads(): Promise<void> {
    const { hosting, leads, schemas } = this.#parts
    const leading = new Set<string>()
    for (const { owner } of hosting.list()) {
      if (!leads(owner)) continue
      leading.add(toHex(owner))
      this.#leading.set(toHex(owner), owner)
    }
    const apps = new Set(await schemas.apps())
    // Many at once share a write to the disk: after a neighbour's end there are hundreds.
    let works: Promise<void>[] = []
    for (const [name, owner] of this.#leading) {
      if (!leading.has(name)) works.push(this.#release(name, owner))
      else if (!this.#placed.has(name)) {
        this.#placed.add(name)
        works.push(this.#place(owner, apps))
      }
      if (works.length < placesAtOnce) continue
      await Promise.all(works)
      works = []
    }
    await Promise.all(works)
  }

  /** Shards whose place is known stay where they stand until a record says otherwise; who is nearest may change. */
  async #retarget(): Promise<void> {
    const changed = new Map<string, boolean>()
    for (const { owner, app, scope, target } of this.#assigned.values()) {
      const name = JSON.stringify([app, scope, target])
      let isChanged = changed.get(name)
      if (isChanged === undefined) {
        const nearest = this.#nearest(app, scope, target)
        isChanged = nearest !== undefined && (target === undefined || keyOf(nearest) !== keyOf(target))
        changed.set(name, isChanged)
      }
      if (isChanged) await this.#assign(owner, app, scopeHierarchy(scope), scope)
    }
  }

  async #place(owner: IdentityId, apps: ReadonlySet<string>): Promise<void> {
    const { schemas, store } = this.#parts
    for (const app of apps) {
      const schema = await schemas.newest(app)
      if (schema === undefined || this.#closed) continue
      for (const hierarchy of schema.hierarchies.keys()) {
        await this.#assign(owner, app, hierarchy, placeOf(store, schema, owner, hierarchy))
      }
    }
  }

  async #assign(owner: IdentityId, app: string, hierarchy: string, scope: string | undefined): Promise<void> {
    const name = `${toHex(owner)} ${app} ${hierarchy}`
    const before = this.#assigned.get(name)
    if (scope === undefined) {
      const placed = this.#places.get(owner, app, hierarchy)
      if (before === undefined && placed === undefined) return
      this.#assigned.delete(name)
      if (before?.target !== undefined) this.#uplinks.get(keyOf(before.target))?.source.release(owner)
      if (placed === undefined) return
      await this.#parts.store.write((batch) => {
        this.#places.deleteIn(batch, owner, app, hierarchy)
        this.#places.departIn(batch, owner, placed.target)
      })
      this.#depart(owner, placed.target)
      return
    }
    const target = this.#nearest(app, scope, before?.target)
    this.#assigned.set(name, { owner, app, scope, target })
    if (before?.target !== undefined && (target === undefined || keyOf(target) !== keyOf(before.target))) {
      this.#uplinks.get(keyOf(before.target))?.source.release(owner)
    }
    if (target === undefined) return
    const { uplink, source } = this.#uplink(target)
    if (before?.scope === scope && before.target !== undefined && keyOf(before.target) === keyOf(target)) {
      source.touch(owner)
    } else {
      source.assign(owner, scope)
    }
    uplink.wake()
  }

  /** Another holder speaks for the shard now; it tells from its own log. */
  async #release(name: string, owner: IdentityId): Promise<void> {
    this.#leading.delete(name)
    this.#placed.delete(name)
    const assigned = [...this.#assigned].filter(([key]) => key.startsWith(`${name} `))
    await this.#parts.store.write((batch) => {
      for (const [, { app, scope }] of assigned)
        this.#places.deleteIn(batch, owner, app, scopeHierarchy(scope))
    })
    for (const [key, { target }] of assigned) {
      this.#assigned.delete(key)
      if (target !== undefined) this.#uplinks.get(keyOf(target))?.source.release(owner)
    }
  }

  /** The one at hand is kept as long as no nearer one is known and it is not away. */
  #nearest(app: string, scope: string, current: Target | undefined): Target | undefined {
    const { directory, covers, rpc } = this.#parts
    const own = covers(app)
    const ownLevel = scopeChain(scope).findLast((level) => own.includes(level))
    const other = directory.nearest(app, scope)
    if (ownLevel !== undefined && (other === undefined || ownLevel.length >= other.advert.scope.length)) {
      return { node: rpc.self, app, parent: ownLevel }
    }
    if (other === undefined)
      return current !== undefined && scopeChain(scope).includes(current.parent) ? current : undefined
    const keep =
      current !== undefined &&
      current.parent === other.advert.scope &&
      scopeChain(scope).includes(current.parent) &&
      !directory.isAway(current.node)
    return keep ? current : { node: other.node, app, parent: other.advert.scope }
  }

  #uplink(target: Target): { readonly uplink: Uplink; readonly source: ShardSource } {
    const key = keyOf(target)
    const known = this.#uplinks.get(key)
    if (known !== undefined) return known
    const source = new ShardSource(
      { ...this.#parts, places: this.#places, onMoved: (from) => this.#moved(from) },
      target,
    )
    const made = { source, uplink: new Uplink(this.#parts, target, source) }
    this.#uplinks.set(key, made)
    if (!this.#closed) made.uplink.start()
    return made
  }

  #depart(owner: IdentityId, target: Target): void {
    const { uplink, source } = this.#uplink(target)
    source.depart(owner)
    uplink.wake()
  }

  #moved(from: Target): void {
    const work = this.#departures(from).finally(() => this.#working.delete(work))
    this.#working.add(work)
  }

  async #departures(from: Target): Promise<void> {
    try {
      for (const { owner, target } of await this.#places.departures()) {
        if (keyOf(target) === keyOf(from) && !this.#closed) this.#depart(owner, target)
      }
    } catch (error) {
      this.#parts.log.warn('search.departures-failed', { error: String(error) })
    }
  }

  /**
   * Marks aggregators that do not answer, and looks for ones that are nearer than those at hand: at once for shards
   * that have none, seldom for the rest. A nearer one makes itself known to its neighbours anyhow, and most towns of a
   * house's people never have one; asking the DHT for each of them kept eight nodes busy.
   */
  async #look(signal: AbortSignal): Promise<void> {
    const { clock, directory, heartbeatMs, config } = this.#parts
    for (const { uplink } of this.#uplinks.values()) {
      if (uplink.failingMs > heartbeatMs * 2) directory.markAway(uplink.target.node, config.registerEveryMs)
    }
    const isLost = this.#hasLost
    const nowMs = clock.monotonicMs()
    if (!isLost && nowMs < this.#nearerMs) return
    this.#nearerMs = nowMs + searchNodeLimits.nearerEveryMs
    const wanted = new Map<string, { readonly app: string; readonly scope: string; shards: number }>()
    for (const { app, scope, target } of this.#assigned.values()) {
      if (isLost && target !== undefined) continue
      for (const level of scopeChain(scope).toReversed()) {
        if (target?.parent === level) break
        if (directory.isAbsent(app, level)) continue
        const want = wanted.get(`${app} ${level}`) ?? { app, scope: level, shards: 0 }
        want.shards++
        wanted.set(`${app} ${level}`, want)
      }
    }
    const most = [...wanted.values()].sort((a, z) => z.shards - a.shards)
    for (const { app, scope } of most.slice(0, isLost ? searchNodeLimits.findsPerRoundMax : 1)) {
      await directory.find(app, scope, signal)
    }
  }

  /** Some shard has no aggregator at all. */
  get #hasLost(): boolean {
    return this.#assigned.values().some(({ target }) => target === undefined)
  }

  async #pause(delayMs: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#wake = resolve
    const cancel = this.#parts.clock.after(delayMs, resolve)
    signal.addEventListener('abort', resolve as () => void, { once: true })
    await promise
    signal.removeEventListener('abort', resolve as () => void)
    cancel()
    this.#wake = undefined
  }
}

function keyOf({ node, app, parent }: Target): string {
  return `${node} ${app} ${parent}`
}
