import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { IdentityId, RecordId, RecordRef } from '../../protocol/record/types.ts'
import { createInitiator } from '../../protocol/reconcile/machine.ts'
import {
  compareShardsMax,
  decodeCompared,
  decodeComparison,
  decodeFetched,
  decodeReceipts,
  encodeCompared,
  encodeComparison,
  encodeFetch,
  encodePush,
  encodeReconcile,
  pushRecordsMax,
  type Compared,
} from '../../protocol/replication/messages.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { Ingest } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import { byTurns } from './by-turns.ts'
import type { Digests } from './digests.ts'
import type { Holders } from './holders.ts'
import { ManyShards } from './many-shards.ts'
import { lacking } from './passing.ts'
import type { Receipts } from './receipts.ts'
import { messageBytesMax, Responder } from './responder.ts'
import { Rests } from './rests.ts'
import type { Snapshots } from './snapshots.ts'

export interface ReconcileParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly config: Pick<Config['hosting'], 'reconcileEveryMs'>
  readonly store: Store
  readonly ingest: Ingest
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  readonly holders: Holders
  readonly digests: Digests
  readonly receipts: Receipts
  readonly announceTo: (node: NodeId, owner: IdentityId) => void
  /** The same for one that asked without a seat in the shard. */
  readonly answer: (node: NodeId, owner: IdentityId) => void
  /** The node is yet to be pushed something of the shard. */
  readonly isComing: (node: NodeId, owner: IdentityId) => boolean
  /** This node is itself still waiting for records of the shard. */
  readonly isFilling: (owner: IdentityId) => boolean
  /** A member says that it does not hold the shard: it never sat, or lost what it had. */
  readonly onNotHeld?: ((node: NodeId, owner: IdentityId) => void) | undefined
  /** Fetches all of a shard of which nothing is here yet. */
  readonly snapshots: Pick<Snapshots, 'fetch' | 'isComing' | 'isWithheld' | 'complete'>
  /** Place in its shard's arrival log of a record that came lately. */
  readonly positionOf: (id: RecordId) => number | undefined
  /** The node was found to hold everything up to this place of the own arrival log. */
  readonly onEqual: (node: NodeId, owner: IdentityId, logHead: number) => void
}

/** What a comparison with one node found. */
export interface Reconciled {
  /** To a copy that is whole by its own word, and before anything moved. */
  readonly equal: readonly IdentityId[]
  /** To a copy that is itself still filling. */
  readonly filling: readonly IdentityId[]
  readonly differed: number
  readonly received: number
  readonly sent: number
}

interface Moved {
  readonly moved: number
  /** All of one message, for a reason that may pass: the rest has time. */
  readonly isRefused: boolean
}

/** Rounds for one shard in which nothing moved: equal parts of a million records need four. */
const idleRoundsMax = 32

/** Compares what two holders of the same shards hold, and moves what differs, both ways. */
export class Reconcile {
  readonly #parts: ReconcileParts
  readonly #many: ManyShards
  readonly #rests: Rests

  constructor(parts: ReconcileParts) {
    this.#parts = parts
    this.#rests = new Rests(parts.clock, parts.config.reconcileEveryMs)
    this.#many = new ManyShards(parts)
    new Responder(parts).serve()
    parts.rpc.handle('shard/compare', async ({ from, body }) => this.#compare(from, body))
  }

  /** All shards held in common with a node, many in a message; only those that differ cost more. */
  async with(
    node: NodeId,
    signal: AbortSignal,
    owners = this.#parts.holders.shared(node),
  ): Promise<Reconciled> {
    const { rpc, digests, replicaSets, clock, announceTo, holders, onEqual, onNotHeld, snapshots } =
      this.#parts
    const result = {
      equal: [] as IdentityId[],
      filling: [] as IdentityId[],
      differed: 0,
      received: 0,
      sent: 0,
    }
    const same = await this.#many.same(node, owners, clockOf(clock.nowMs() + limits.clockAheadMsMax), signal)
    for (const { owner, logHead } of same) {
      result.equal.push(owner)
      if (logHead !== undefined) onEqual(node, owner, logHead)
    }
    const settled = new Set(same.map(({ owner }) => toHex(owner)))
    const others = owners.filter((owner) => !settled.has(toHex(owner)))
    for (let start = 0; start < others.length; start += compareShardsMax) {
      const part = others.slice(start, start + compareShardsMax)
      // Also what is dated ahead, by a clock that is: it would wait until that time.
      const until = clockOf(clock.nowMs() + limits.clockAheadMsMax)
      const shards: { owner: IdentityId; set: Uint8Array | undefined; fingerprint: Uint8Array }[] = []
      const heads: (number | undefined)[] = []
      for (const owner of part) {
        const set = replicaSets.get(owner)?.newest.hash
        const { fingerprint, logHead } = await digests.of(owner, until)
        heads.push(logHead)
        shards.push({ owner, set, fingerprint })
      }
      const body = encodeComparison({ until, shards })
      const compared = decodeCompared(
        await rpc.request(node, 'shard/compare', body, { signal, timeoutMs: 30_000 }),
      )
      for (const [i, owner] of part.entries()) {
        const verdict = compared[i]
        // It may have heard of no seat of its own, or of this node's, as the one that was to tell it restarted.
        if (verdict?.sameSet === false || verdict?.records === 'notHeld') announceTo(node, owner)
        if (verdict?.records === 'notHeld') {
          onNotHeld?.(node, owner)
          holders.left(node, owner)
        }
        if (verdict?.records === 'equal' && snapshots.isWithheld(owner)) {
          // Equal in names: that is known once it is compared again.
          result.received += await snapshots.complete(node, owner, signal)
        } else if (verdict?.records === 'equal' || verdict?.records === 'filling') {
          result[verdict.records].push(owner)
          const head = heads[i]
          if (head !== undefined) onEqual(node, owner, head)
        }
        if (verdict?.records !== 'differs') continue
        result.differed++
        if (this.#rests.isResting(node, owner)) continue
        if (this.#parts.isFilling(owner)) result.received += await snapshots.fetch(node, owner, signal)
        const moved = await this.shard(node, owner, until, signal)
        result.received += moved.received
        result.sent += moved.sent
        if (moved.isRefused && moved.received + moved.sent === 0) this.#rests.refused(node, owner)
        else this.#rests.took(node, owner)
      }
    }
    return result
  }

  /**
   * One shard: finds the difference, sends what the other lacks, fetches what this node lacks. A message lists so many ids, and what
   * it lists is moved before the next: the memory is bounded, a cut loses little, and whoever leads on must bring something each time.
   */
  async shard(
    node: NodeId,
    owner: IdentityId,
    until: bigint,
    signal: AbortSignal,
  ): Promise<{
    received: number
    sent: number
    complete: boolean
    /** One side took nothing of a message for which it had asked. */
    isRefused: boolean
    roundTrips: number
    messageBytes: number
  }> {
    const { rpc, digests, store } = this.#parts
    const initiator = createInitiator({ messageBytes: messageBytesMax })
    let message: Uint8Array | undefined = await digests.over(owner, until, (set) => initiator.initiate(set))
    let [roundTrips, idleRounds, messageBytes, listed, received, sent] = [0, 0, 0, 0, 0, 0]
    let isRefused = false
    while (message !== undefined && !isRefused) {
      if (idleRounds > idleRoundsMax) throw new OnehopError('BAD_MESSAGE', `${node} does not converge`)
      const reply: Uint8Array = await rpc.request(
        node,
        'shard/reconcile',
        encodeReconcile({ owner, until, message }),
        {
          signal,
          timeoutMs: 30_000,
        },
      )
      roundTrips++
      messageBytes += message.length + reply.length
      const step = await byTurns(this.#parts, { owner, until }, initiator.take(reply), signal)
      const [out, into] = await Promise.all([
        this.#send(node, owner, step.have, signal),
        this.#receive(node, owner, step.need, signal),
      ])
      listed += step.have.length + step.need.length
      sent += out.moved
      received += into.moved
      isRefused = out.isRefused || into.isRefused
      if (out.moved + into.moved === 0) idleRounds++
      // Each of ours is sent once at most, however often it is said to lack there.
      if (sent > (store.shards.get(owner)?.records ?? 0)) idleRounds = Infinity
      message = step.reply
    }
    return { received, sent, complete: sent + received === listed, isRefused, roundTrips, messageBytes }
  }

  async #send(
    node: NodeId,
    owner: IdentityId,
    have: readonly RecordRef[],
    signal: AbortSignal,
  ): Promise<Moved> {
    const { rpc, store, receipts, announceTo } = this.#parts
    let [moved, isRefused] = [0, false]
    let batch: { id: RecordId; bytes: Uint8Array }[] = []
    let bytes = 0
    const flush = async (): Promise<void> => {
      if (batch.length === 0) return
      const body = encodePush(batch.map((one) => one.bytes))
      const answers = decodeReceipts(
        await rpc.request(node, 'shard/push', body, { signal, timeoutMs: 30_000 }),
      )
      for (const [i, answer] of answers.entries()) {
        if (answer === 'held') {
          moved++
          receipts.confirm((batch[i] as { id: RecordId }).id, node)
        } else if (answer === 'later') announceTo(node, owner)
      }
      isRefused = answers.length > 0 && answers.every((answer) => answer === 'later')
      batch = []
      bytes = 0
    }
    for (let start = 0; start < have.length && !isRefused; start += pushRecordsMax) {
      for (const stored of await store.records.getMany(owner, have.slice(start, start + pushRecordsMax))) {
        if (stored === undefined) continue // deleted meanwhile
        if (bytes + stored.bytes.length + 5 > messageBytesMax || batch.length === pushRecordsMax)
          await flush()
        if (isRefused) break
        batch.push({ id: stored.ref.id, bytes: stored.bytes })
        bytes += stored.bytes.length + 5
      }
    }
    await flush()
    return { moved, isRefused }
  }

  async #receive(
    node: NodeId,
    owner: IdentityId,
    need: readonly RecordId[],
    signal: AbortSignal,
  ): Promise<Moved> {
    const { rpc, ingest, log } = this.#parts
    let [moved, isRefused] = [0, false]
    let wanted = [...need]
    while (wanted.length > 0 && !isRefused) {
      const ids = wanted.slice(0, pushRecordsMax)
      const reply = await rpc.request(node, 'shard/fetch', encodeFetch({ owner, ids }), {
        signal,
        timeoutMs: 30_000,
      })
      const records = decodeFetched(reply)
      const brought = ids.flatMap((_, i) => records[i] ?? [])
      if (brought.length === 0) break // the other side dropped them, or does not keep its word
      const outcomes = await ingest.accept(brought, { from: 'peer', node })
      const refusals = outcomes.filter((one) => one.outcome === 'refused')
      moved += outcomes.length - refusals.length
      isRefused = refusals.length === outcomes.length && refusals.every(({ code }) => lacking.has(code))
      const [first] = refusals
      if (first !== undefined)
        log.warn('reconcile.refused', {
          node,
          records: refusals.length,
          code: first.code,
          message: first.message,
        })
      wanted = [...ids.filter((_, i) => records[i] === undefined), ...wanted.slice(pushRecordsMax)]
    }
    return { moved, isRefused }
  }

  async #compare(from: NodeId, body: Uint8Array): Promise<Uint8Array> {
    const { digests, replicaSets, hosting, announceTo, answer, isComing, isFilling, snapshots } = this.#parts
    const { until, shards } = decodeComparison(body)
    // By a clock that is far behind: two that are equal below such a bound may have nothing in common.
    const isLate = until < clockOf(this.#parts.clock.nowMs())
    const compared: Compared[] = []
    for (const { owner, set, fingerprint } of shards) {
      if (!hosting.has(owner) || !this.#mayAsk(owner, from)) {
        // Seated by a set that lost against another, it must hear so: nobody names it any more.
        if (hosting.has(owner)) answer(from, owner)
        compared.push({ records: 'notHeld', sameSet: true })
        continue
      }
      const known = replicaSets.get(owner)?.newest.hash
      const sameSet =
        known === undefined ? set === undefined : set !== undefined && toHex(known) === toHex(set)
      if (!sameSet) announceTo(from, owner)
      const { fingerprint: own, logHead } = await digests.of(owner, until)
      const isAll = !isLate || logHead !== undefined
      const same = !isAll ? 'coming' : isFilling(owner) ? 'filling' : 'equal'
      const otherwise = isComing(from, owner) || snapshots.isComing(owner) ? 'coming' : 'differs'
      compared.push({ records: equalBytes(own, fingerprint) ? same : otherwise, sameSet })
    }
    return encodeCompared(compared)
  }

  #mayAsk(owner: IdentityId, from: NodeId): boolean {
    return this.#parts.holders.isHolder(owner, from)
  }
}
