import { toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { scopeChain, scopeContains, scopeHierarchy } from '../../protocol/scope.ts'
import type { LogCursor, LogEntry } from '../../protocol/search/log.ts'
import { decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { Table } from '../../storage/types.ts'
import { searchNodeLimits } from './limits.ts'
import type { SearchParts, Target } from './parts.ts'
import { placedEntry, readRemovals, readStretch, type ShardPlaces, targetName } from './shard-log.ts'
import type { LogSource, Portion } from './uplink.ts'

const cursorKind = 'search'
const stateShape = struct({ epoch: uint(), position: uint(), heardMs: uint() })

type ShardSourceParts = Pick<
  SearchParts,
  'store' | 'crypto' | 'clock' | 'random' | 'identities' | 'suspectAfterMs'
> & {
  readonly places: ShardPlaces
  /** A shard left this target for another, which is now to be told. */
  readonly onMoved: (from: Target) => void
}

interface Step {
  readonly owner: IdentityId
  readonly from: number
  readonly position: number
  readonly departing: boolean
}

/**
 * The shards that this node speaks for, as one log for one target. The arrival logs of the shards are the outbox;
 * cursors into them are durable, hold for one epoch of the log, and move when the aggregator has confirmed.
 */
export class ShardSource implements LogSource {
  readonly kind = 'leaf'
  readonly #parts: ShardSourceParts
  readonly #target: Target
  readonly #name: Uint8Array
  readonly #states: Table
  readonly #scopes = new Map<string, { readonly owner: IdentityId; readonly scope: string }>()
  readonly #dirty = new Set<string>()
  /** Shards to take out again, and how far into their arrival log that has come. */
  readonly #departing = new Map<string, { readonly owner: IdentityId; position: number }>()
  #head: LogCursor
  #heardMs: number

  constructor(parts: ShardSourceParts, target: Target) {
    this.#parts = parts
    this.#target = target
    this.#name = targetName(parts.crypto.sha256, target)
    this.#states = parts.store.table('search/target')
    const row = this.#states.get(this.#name)
    const state = row && decodeAs(stateShape, row, 'target')
    const isFresh = state !== undefined && parts.clock.nowMs() - state.heardMs <= parts.suspectAfterMs
    this.#head = isFresh ? { epoch: state.epoch, position: state.position } : this.#begin()
    this.#heardMs = isFresh ? state.heardMs : parts.clock.nowMs()
  }

  /** From now on the shard is told to this target, as standing in the scope. */
  assign(owner: IdentityId, scope: string): void {
    const name = toHex(owner)
    this.#departing.delete(name)
    this.#scopes.set(name, { owner, scope })
    this.#dirty.add(name)
  }

  touch(owner: IdentityId): void {
    if (this.#scopes.has(toHex(owner))) this.#dirty.add(toHex(owner))
  }

  /** The shard is another's to tell, here or elsewhere. What was told stays until it is taken out. */
  release(owner: IdentityId): void {
    this.#scopes.delete(toHex(owner))
    this.#dirty.delete(toHex(owner))
  }

  /** What was told of the shard is to be taken out at this target. */
  depart(owner: IdentityId): void {
    if (!this.#scopes.has(toHex(owner))) this.#departing.set(toHex(owner), { owner, position: 0 })
  }

  get isEmpty(): boolean {
    return this.#scopes.size === 0 && this.#departing.size === 0
  }

  /** The deepest scope that all its shards stand in. */
  scope(): string {
    const [first, ...rest] = new Set([...this.#scopes.values()].map(({ scope }) => scope))
    const common = scopeChain(first ?? this.#target.parent).findLast((level) =>
      rest.every((scope) => scopeContains(level, scope)),
    )
    return common !== undefined && scopeContains(this.#target.parent, common) ? common : this.#target.parent
  }

  head(): LogCursor {
    return this.#head
  }

  async resume(acknowledged: LogCursor): Promise<LogCursor | undefined> {
    const { clock, suspectAfterMs } = this.#parts
    // What was gathered and not confirmed has to be gathered again.
    for (const name of this.#scopes.keys()) this.#dirty.add(name)
    const isLost = acknowledged.epoch !== this.#head.epoch || acknowledged.position < this.#head.position
    const wasAway = clock.nowMs() - this.#heardMs > suspectAfterMs
    this.#heardMs = clock.nowMs()
    if (isLost || wasAway) {
      // Either side may have missed something: all is told anew.
      this.#head = this.#begin()
      await this.#states.put(this.#name, this.#state(this.#head))
      return undefined
    }
    this.#head = acknowledged
    await this.#states.put(this.#name, this.#state(this.#head))
    return acknowledged
  }

  async gather(after: LogCursor): Promise<Portion | undefined> {
    const hierarchy = scopeHierarchy(this.#target.parent)
    const entries: LogEntry[] = []
    const identities = new Map<string, IdentityId>()
    const steps: Step[] = []
    let roomBytes: number = searchNodeLimits.appendBytesMax
    let position = after.position
    const roomEntries = (): number => searchNodeLimits.appendEntriesMax - entries.length
    const departing = [...this.#departing.values()]
    for (const { owner, position: from } of departing) {
      if (roomEntries() <= 0) break
      const stretch = await readRemovals(this.#parts, this.#target, owner, from, roomEntries())
      for (const entry of stretch.entries) entries.push(placedEntry(entry, ++position, '', hierarchy))
      steps.push({ owner, from, position: stretch.position, departing: true })
    }
    // Each shard once: where it goes on is known when this portion is confirmed.
    const goesOn: string[] = []
    for (const name of this.#dirty) {
      const shard = this.#scopes.get(name)
      this.#dirty.delete(name)
      if (shard === undefined) continue
      const { owner, scope } = shard
      const from = this.#from(owner, scope)
      if (from >= this.#parts.store.records.logHead(owner)) continue
      if (roomEntries() <= 0 || roomBytes <= 0) {
        this.#dirty.add(name)
        break
      }
      const room = { entries: roomEntries(), bytes: roomBytes }
      const stretch = await readStretch(this.#parts, this.#target, owner, from, room)
      roomBytes -= stretch.bytes
      for (const entry of stretch.entries) {
        entries.push(placedEntry(entry, ++position, scope, hierarchy))
        if (entry.operation !== 'put') continue
        for (const id of [owner, entry.author]) {
          if (identities.has(toHex(id))) continue
          identities.set(toHex(id), id)
          roomBytes -= Math.ceil((this.#parts.identities.log(id)?.length ?? 0) / 2)
        }
      }
      steps.push({ owner, from, position: stretch.position, departing: false })
      if (stretch.position < this.#parts.store.records.logHead(owner)) goesOn.push(name)
    }
    for (const name of goesOn) this.#dirty.add(name)
    if (steps.length === 0) return undefined
    const scopes = new Map(this.#scopes)
    return {
      entries,
      through: position,
      identities: [...identities.values()],
      commit: async (acknowledged) => {
        await this.#commit(steps, scopes, acknowledged)
      },
    }
  }

  /** From the start of the arrival log, unless it was told here, under the same scope, in this epoch. */
  #from(owner: IdentityId, scope: string): number {
    const { places, store } = this.#parts
    const placed = places.get(owner, this.#target.app, scopeHierarchy(scope))
    if (placed === undefined || placed.scope !== scope || !isSame(placed.target, this.#target)) return 0
    const cursor = store.cursors.get(this.#cursorName(owner))
    return cursor?.epoch === this.#head.epoch ? cursor.position : 0
  }

  async #commit(
    steps: readonly Step[],
    scopes: ReadonlyMap<string, { readonly scope: string }>,
    acknowledged: LogCursor,
  ): Promise<void> {
    const { store, places, clock } = this.#parts
    const { app } = this.#target
    const moved: Target[] = []
    const done: string[] = []
    this.#head = acknowledged
    this.#heardMs = clock.nowMs()
    await store.write((batch) => {
      moved.length = 0
      done.length = 0
      this.#states.putIn(batch, this.#name, this.#state(acknowledged))
      for (const { owner, from, position, departing } of steps) {
        if (departing) {
          if (position < store.records.logHead(owner) && position > from) continue
          places.departedDoneIn(batch, owner, this.#target)
          done.push(toHex(owner))
          continue
        }
        const scope = scopes.get(toHex(owner))?.scope
        if (scope === undefined) continue
        const before = places.get(owner, app, scopeHierarchy(scope))
        if (before !== undefined && !isSame(before.target, this.#target)) {
          places.departIn(batch, owner, before.target)
          moved.push(before.target)
        }
        places.putIn(batch, owner, { scope, target: this.#target })
        store.cursors.setIn(batch, this.#cursorName(owner), { epoch: acknowledged.epoch, position })
      }
    })
    for (const { owner, position, departing } of steps) {
      const open = departing ? this.#departing.get(toHex(owner)) : undefined
      if (open !== undefined) open.position = position
    }
    for (const name of done) this.#departing.delete(name)
    for (const target of new Set(moved)) this.#parts.onMoved(target)
  }

  #begin(): LogCursor {
    let epoch = 0
    for (const byte of this.#parts.random.bytes(6)) epoch = epoch * 256 + byte
    return { epoch: epoch + 1, position: 0 }
  }

  #state({ epoch, position }: LogCursor): Uint8Array {
    return encode([epoch, position, this.#heardMs])
  }

  #cursorName(owner: IdentityId): { kind: string; peer: Uint8Array; shard: IdentityId } {
    return { kind: cursorKind, peer: this.#name, shard: owner }
  }
}

function isSame(a: Target, z: Target): boolean {
  return a.node === z.node && a.app === z.app && a.parent === z.parent
}
