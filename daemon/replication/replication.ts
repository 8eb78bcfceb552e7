import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import {
  decodeHash,
  decodePush,
  encodeMaybe,
  encodeReceipts,
  type Receipt,
} from '../../protocol/replication/messages.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { Ingest, Outcome } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Placement } from '../placement/placement.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { Schemas } from '../schemas.ts'
import { Wake } from '../wake.ts'
import { Copies } from './copies.ts'
import { Digests } from './digests.ts'
import { Holders } from './holders.ts'
import { Joining } from './joining.ts'
import { MissingSchemas } from './missing-schemas.ts'
import { passing } from './passing.ts'
import { Push } from './push.ts'
import { QuietShards } from './quiet-shards.ts'
import { Receipts } from './receipts.ts'
import { Reconcile, type Reconciled } from './reconcile.ts'
import { Snapshots } from './snapshots.ts'

export interface ReplicationParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly config: Config['hosting']
  readonly ingest: Ingest
  readonly hosting: Hosting
  readonly schemas: Schemas
  readonly replicaSets: ReplicaSets
  readonly placement: Placement
  readonly neighbours: Neighbours
  /** A shard is held here in full: from now on it may be announced in the DHT. */
  readonly onComplete: (owner: IdentityId) => void
  /** A member says that it does not hold the shard. */
  readonly onNotHeld?: ((node: NodeId, owner: IdentityId) => void) | undefined
}

/** What joined is compared this soon, and again until it is equal: ever more seldom as long as nothing becomes so. */
const joinCompareMs = 500
const joinCompareMsMax = 4_000

/** A shard that was written to is compared with holders that are not known to have all of it, once it is quiet this long. */
const quietMs = 4_000

/** Keeps the copies of a shard equal: pushes what comes in, compares on reconnect, on joining and on a schedule. */
export class Replication {
  readonly #parts: ReplicationParts
  readonly holders: Holders
  readonly receipts: Receipts
  readonly push: Push
  readonly reconcile: Reconcile
  readonly copies: Copies
  readonly #joining: Joining
  /** Which others said of them that they are filling as well. */
  readonly #filling = new Map<string, Set<NodeId>>()
  /** Holders that a shard which joined was found equal to, by owner. */
  readonly #equal = new Map<string, Set<NodeId>>()
  /** When this node and that one were last found equal; monotonic. */
  readonly #comparedMs = new Map<NodeId, number>()
  /** Nodes that are compared with once more, as the last time something moved. */
  readonly #moved = new Set<NodeId>()
  readonly #quiet = new QuietShards(quietMs)
  readonly #comparing = new Map<NodeId, Promise<void>>()
  /** When a shard last joined; monotonic. */
  #joinedMs = -Infinity
  /** After how long what joined is compared with a node again. */
  readonly #joinPauseMs = new Map<NodeId, number>()
  readonly #missingSchemas: MissingSchemas
  readonly #snapshots: Snapshots
  readonly #joinedNow = new Wake()

  constructor(parts: ReplicationParts) {
    this.#parts = parts
    const announceTo = (node: NodeId, owner: IdentityId): void =>
      parts.placement.distribution.announceTo(node, owner)
    this.holders = new Holders(parts.rpc.self, parts.hosting, parts.replicaSets)
    this.receipts = new Receipts(parts.clock)
    const shared = { ...parts, holders: this.holders, receipts: this.receipts, announceTo }
    this.push = new Push({
      ...shared,
      leads: (owner) => parts.placement.leads(owner),
      isWaiting: (node, owner) => parts.placement.distribution.isWaiting(node, owner),
    })
    const digests = new Digests(parts.store, parts.crypto)
    this.copies = new Copies(shared)
    const onEqual = this.copies.foundEqual.bind(this.copies)
    const isComing = this.push.isComing.bind(this.push)
    const answer = parts.placement.distribution.answer.bind(parts.placement.distribution)
    const isFilling = this.isJoining.bind(this)
    const snapshots = new Snapshots(shared)
    this.#snapshots = snapshots
    const onNotHeld = (node: NodeId, owner: IdentityId): void => {
      this.copies.foundLost(node, owner)
      parts.onNotHeld?.(node, owner)
    }
    const positionOf = this.copies.positionOf.bind(this.copies)
    const heard = { onEqual, onNotHeld, answer, positionOf }
    this.reconcile = new Reconcile({ ...shared, digests, isComing, isFilling, snapshots, ...heard })
    this.#joining = new Joining(parts)
    this.#missingSchemas = new MissingSchemas(parts)
    parts.rpc.handle('shard/push', async ({ from, body }) =>
      encodeReceipts(await this.#take(from, decodePush(body))),
    )
    parts.rpc.handle('shard/schema', async ({ body }) =>
      encodeMaybe(parts.schemas.get(decodeHash(body))?.bytes),
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const { ingest, placement, replicaSets, neighbours } = this.#parts
    const stops = [
      ingest.onStored((arrivals) => {
        this.copies.stored(arrivals)
        this.push.stored(arrivals)
        this.#missingSchemas.stored(arrivals)
        const nowMs = this.#parts.clock.monotonicMs()
        for (const { record } of arrivals) {
          const { owner } = record.header
          if (this.#parts.hosting.has(owner)) this.#quiet.written(owner, nowMs)
        }
      }),
      placement.distribution.onTold((node, owner) => {
        if (this.holders.others(owner).includes(node)) this.push.to(node, owner)
      }),
      this.#parts.hosting.onAdded((owner) => this.#watch(owner)),
      this.#parts.hosting.onRemoved((owner) => {
        this.#snapshots.ended(owner)
        // Compared on, with nothing here, all of it would be fetched each time, and refused.
        this.holders.refresh(owner)
      }),
      placement.onJoining((owner, sources) => this.#joining.note(owner, sources)),
      placement.onJoined((owner, sources) => {
        this.holders.refresh(owner)
        this.#joining.add(owner, sources)
        this.#snapshots.joined(owner)
        this.#joinPauseMs.clear()
        this.#joinedMs = this.#parts.clock.monotonicMs()
        this.#joinedNow.set()
        // Sets a cursor for each holder while the log is empty: what is written here later goes to all of them.
        this.push.shard(owner)
      }),
      replicaSets.onChanged(({ newest }) => {
        if (!this.#parts.hosting.has(newest.owner)) return
        this.#watch(newest.owner)
        this.push.shard(newest.owner)
        this.#endWaiting(newest.owner)
      }),
    ]
    for (const owner of this.#joining.owners) this.#endWaiting(owner)
    for (const { owner } of this.#parts.hosting.list()) this.#watch(owner)
    for (const node of this.holders.nodes()) {
      neighbours.watch(node)
      for (const owner of this.holders.shared(node)) this.push.to(node, owner)
    }
    try {
      await Promise.all([this.push.run(signal), this.#compareLoop(signal)])
    } finally {
      for (const stop of stops) stop()
      await Promise.all(this.#comparing.values())
    }
  }

  /** Standby nodes too: a repair must know at once who is there. */
  #watch(owner: IdentityId): void {
    const { replicaSets, neighbours } = this.#parts
    const set = replicaSets.get(owner)?.newest
    for (const { node } of [...(set?.members ?? []), ...(set?.standby ?? [])]) neighbours.watch(toHex(node))
  }

  /** Nodes that are not known to have all that this node has, or has up to a place of its log. */
  isBehind(node: NodeId, owner: IdentityId, upTo = this.#parts.store.records.logHead(owner)): boolean {
    if (this.copies.isCurrent(node, owner) || this.copies.hasAll(node, owner, upTo)) return false
    return !this.push.confirmed(node, owner, upTo)
  }

  isJoining(owner: IdentityId): boolean {
    return this.#joining.has(owner)
  }

  /** It joined, and somebody is heard who may have more. */
  isAwaiting(owner: IdentityId): boolean {
    const isHeard = (node: NodeId): boolean => !this.#parts.neighbours.isSuspect(node)
    return this.isJoining(owner) && this.holders.others(owner).some(isHeard)
  }

  /** Those who held the shard before its home was here, as far as they have a seat still. */
  sourcesLeft(owner: IdentityId): readonly NodeId[] {
    const others = this.holders.others(owner)
    return this.#joining.sourcesOf(owner).filter((node) => others.includes(node))
  }

  /** Compares with a node now, whatever the schedule says. One comparison with a node at a time. */
  compareWith(
    node: NodeId,
    signal: AbortSignal,
    owners: readonly IdentityId[] = this.holders.shared(node),
  ): Promise<void> {
    return this.#comparing.get(node) ?? this.#alone(node, this.#compare(node, owners, signal))
  }

  #alone(node: NodeId, comparison: Promise<void>): Promise<void> {
    // Nobody waits for it: a store that cannot be read for a moment must not end the process.
    const compared = comparison
      .catch((error: unknown) => this.#failed(node, error))
      .finally(() => this.#comparing.delete(node))
    this.#comparing.set(node, compared)
    return compared
  }

  async #compareLoop(signal: AbortSignal): Promise<void> {
    const { clock, config, neighbours, rpc } = this.#parts
    const stop = rpc.onPeer((peer, state) => {
      if (state !== 'disconnected') return
      this.#comparedMs.delete(peer)
      this.#joinPauseMs.delete(peer)
      this.#quiet.gone(peer)
    })
    try {
      while (!signal.aborted) {
        const nowMs = clock.monotonicMs()
        const connected = new Set(rpc.connected())
        // While more and more join, once in a while is enough.
        const pauseMs = nowMs - this.#joinedMs < joinCompareMs ? joinCompareMsMax : joinCompareMs
        const due = this.holders.nodes().filter((node) => {
          if (neighbours.awayMs(node) > 0 || !connected.has(node)) return false
          return this.#sinceMs(node, nowMs) >= (this.#joinPauseMs.get(node) ?? pauseMs)
        })
        const joining = due.length > 0 ? this.#joiningByNode() : undefined
        for (const node of due) {
          if (this.#sinceMs(node, nowMs) >= config.reconcileEveryMs) void this.compareWith(node, signal)
          else if (joining?.has(node)) void this.compareWith(node, signal, joining.get(node))
        }
        const isReady = (node: NodeId): boolean => connected.has(node) && !this.#comparing.has(node)
        const quiet = this.#quiet.take(nowMs, (owner) => this.holders.others(owner), isReady)
        for (const [node, owners] of quiet) void this.#alone(node, this.#compareQuiet(node, owners, signal))
        await this.#missingSchemas.fetch(signal)
        await this.#joinedNow.wait(clock, signal, joinCompareMs)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    } finally {
      stop()
    }
  }

  /** Once more only where something moved, was still to come or failed: else nothing is compared again. */
  async #compareQuiet(node: NodeId, quiet: readonly IdentityId[], signal: AbortSignal): Promise<void> {
    const isBehind = (owner: IdentityId): boolean =>
      this.holders.isShared(node, owner) && this.isBehind(node, owner)
    const behind = quiet.filter(isBehind)
    const coming = behind.filter((owner) => this.push.isComing(node, owner))
    if (behind.length === 0) return
    const result = await this.#exchange(node, behind, signal)
    const isEnd = result !== undefined && result.received + result.sent === 0
    const nowMs = this.#parts.clock.monotonicMs()
    for (const owner of isEnd ? coming : behind.filter(isBehind)) this.#quiet.written(owner, nowMs)
  }

  #sinceMs(node: NodeId, nowMs: number): number {
    return nowMs - (this.#comparedMs.get(node) ?? -Infinity)
  }

  async #compare(node: NodeId, wanted: readonly IdentityId[], signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#parts
    const result = await this.#exchange(node, wanted, signal)
    if (result === undefined) return
    // Once more where something moved: that both have all of it now is only known when they are found equal.
    const isToBeSeen = result.differed > 0 && !this.#moved.delete(node)
    if (isToBeSeen) this.#moved.add(node)
    const nowMs = clock.monotonicMs()
    this.#comparedMs.set(node, isToBeSeen ? nowMs - config.reconcileEveryMs + joinCompareMsMax : nowMs)
    for (const owner of result.filling) if (this.isJoining(owner)) this.#fillingOf(owner).add(node)
    for (const owner of result.equal) if (this.isJoining(owner)) this.#equalOf(owner).add(node)
    const whole = [
      ...result.equal.filter((owner) => this.isJoining(owner) && this.#provesWhole(node, owner)),
      ...result.filling.filter((owner) => this.isJoining(owner) && this.#nobodyIsWhole(owner)),
    ]
    // What was just moved is only known to be all once it is compared again.
    const isGoingOn = whole.length > 0 || result.received > 0
    const pauseMs = this.#joinPauseMs.get(node) ?? joinCompareMs
    this.#joinPauseMs.set(node, isGoingOn ? joinCompareMs : Math.min(joinCompareMsMax, pauseMs * 2))
    await this.#completed(whole)
  }

  #failed(node: NodeId, error: unknown): void {
    this.#parts.log.info('reconcile.failed', { node, code: asOnehopError(error).code, error: String(error) })
  }

  /** Undefined where it failed. What is on its way there is left out. */
  async #exchange(
    node: NodeId,
    wanted: readonly IdentityId[],
    signal: AbortSignal,
  ): Promise<Reconciled | undefined> {
    const { log } = this.#parts
    try {
      const owners = wanted.filter((owner) => !this.push.isComing(node, owner))
      const result = await this.reconcile.with(node, signal, owners)
      if (result.differed > 0) log.info('reconcile.done', { node, ...result, equal: result.equal.length })
      return result
    } catch (error) {
      if (!signal.aborted) this.#failed(node, error)
      return undefined
    }
  }

  /**
   * The leader's copy tells; where this node leads, as a new home does, all that are heard of those who are to bring the
   * records: of one, it would be enough to say so of nothing. Equal to a copy that is itself still filling proves nothing either:
   * two that are empty are equal.
   */
  #provesWhole(node: NodeId, owner: IdentityId): boolean {
    const { neighbours, placement, rpc } = this.#parts
    const leader = placement.leader(owner)
    if (leader === node) return true
    // Whoever is filling waits for the same records.
    const answered = [this.#equalOf(owner), this.#fillingOf(owner)]
    const isAwaited = (source: NodeId): boolean =>
      neighbours.awayMs(source) === 0 && !answered.some((nodes) => nodes.has(source))
    return leader === rpc.self && !this.sourcesLeft(owner).some(isAwaited)
  }

  /**
   * All others wait for records too, so that this node, the leader, has nobody to wait for. A home waits for those as well
   * that are not heard: what it takes for everything is what goes on counting of a lost device. A replica is better found
   * with a part than not at all.
   */
  #nobodyIsWhole(owner: IdentityId): boolean {
    const { placement, hosting, neighbours, rpc } = this.#parts
    if (placement.leader(owner) !== rpc.self) return false
    const isHome = hosting.get(owner)?.person === true
    const filling = this.#fillingOf(owner)
    return this.holders
      .others(owner)
      .every((node) => filling.has(node) || (!isHome && neighbours.isSuspect(node)))
  }

  /** Whose owner took all other holders out, as they burnt: what did not come will not, and here is what there is. */
  #endWaiting(owner: IdentityId): void {
    const { log, replicaSets, rpc } = this.#parts
    const members = replicaSets.members(owner)
    if (!this.isJoining(owner) || members.length !== 1 || members[0] !== rpc.self) return
    this.#completed([owner]).catch((error: unknown) =>
      log.warn('replication.not-noted', { error: String(error) }),
    )
  }

  #equalOf(owner: IdentityId): Set<NodeId> {
    const name = toHex(owner)
    const known = this.#equal.get(name) ?? new Set()
    this.#equal.set(name, known)
    return known
  }

  #fillingOf(owner: IdentityId): Set<NodeId> {
    const name = toHex(owner)
    const known = this.#filling.get(name) ?? new Set()
    this.#filling.set(name, known)
    return known
  }

  /** What joined, by the nodes whose answer would count. Twice a second: the rest that is held in common costs nothing. */
  #joiningByNode(): Map<NodeId, IdentityId[]> {
    const byNode = new Map<NodeId, IdentityId[]>()
    for (const owner of this.#joining.owners) {
      const leader = this.#parts.placement.leader(owner)
      const others = this.holders.others(owner)
      for (const node of leader === this.#parts.rpc.self ? others : others.filter((one) => one === leader)) {
        const owners = byNode.get(node)
        if (owners === undefined) byNode.set(node, [owner])
        else owners.push(owner)
      }
    }
    return byNode
  }

  /** They are announced from now on. */
  async #completed(owners: readonly IdentityId[]): Promise<void> {
    if (owners.length === 0) return
    for (const owner of await this.#joining.complete(owners)) {
      this.#snapshots.ended(owner)
      this.#filling.delete(toHex(owner))
      this.#equal.delete(toHex(owner))
      this.#parts.onComplete(owner)
    }
  }

  /** Records from another holder. Anybody may bring them: who wrote them is what counts, and the quota bounds them. */
  async #take(from: NodeId, records: readonly Uint8Array[]): Promise<Receipt[]> {
    const outcomes = await this.#parts.ingest.accept(records, { from: 'peer', node: from })
    for (const outcome of outcomes) {
      // Whoever sends a record holds it.
      if (outcome.outcome !== 'refused') this.receipts.confirm(outcome.id, from)
    }
    return outcomes.map(receiptOf)
  }
}

function receiptOf(outcome: Outcome): Receipt {
  if (outcome.outcome !== 'refused') return 'held'
  return passing.has(outcome.code) ? 'later' : 'never'
}
