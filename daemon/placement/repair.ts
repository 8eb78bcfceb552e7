import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { makeChain, type ReplicaSetChain } from '../../protocol/placement/chain.ts'
import {
  decodeSteps,
  decodeStepSignatures,
  encodeSteps,
  encodeStepSignatures,
} from '../../protocol/placement/messages.ts'
import {
  agreesToStep,
  coordinatorOf,
  draftStep,
  isWhole,
  type AwayMs,
} from '../../protocol/placement/mending.ts'
import {
  decodeReplicaSet,
  encodeReplicaSet,
  packReplicaSet,
  seatChanges,
  signaturesNeeded,
  signReplicaSet,
  stepProblem,
  unpackReplicaSet,
  type ReplicaSet,
  type Seat,
} from '../../protocol/placement/replica-set.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { bytes, decodeAs, struct, uint } from '../../protocol/shape.ts'
import { TwoHalves } from '../../storage/two-halves.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Audits } from '../replication/audits.ts'
import type { Distribution } from './distribution.ts'
import type { Leases } from '../leases/leases.ts'
import type { Neighbours } from './neighbours.ts'
import type { ReplicaSets } from './replica-sets.ts'

export interface RepairParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly config: Config['hosting']
  readonly seed: Uint8Array
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  readonly neighbours: Neighbours
  readonly leases: Leases
  readonly distribution: Distribution
  readonly audits: Pick<Audits, 'hasFailed' | 'suspect'>
}

/** Predecessor's hash -> the one document that this node signed as its successor, and when. */
const signedKind = 'step-signed'
const promiseShape = struct({ document: bytes(1, limits.replicaSetBytesMax), signedMs: uint() })

/**
 * A promise that led to nothing for so many times the waiting time of a replacement no longer binds: else two
 * coordinators that each won half of the votes would block the shard until its owner signs again. Should both
 * documents come to stand after all, the order of sets (lower hash) picks one everywhere.
 */
const promiseReplaceTimes = 6

/** Who did not promise the bytes is passed over for so many heartbeats: another standby may. */
const refusedBeats = 10
const refusalsMax = 4_096

/** A step on its way: what changes, and who signed so far. */
interface Draft {
  readonly before: ReplicaSetChain
  readonly step: ReplicaSet
  readonly document: Uint8Array
  readonly signatures: { key: Uint8Array; signature: Uint8Array }[]
}

/**
 * Puts a standby in the seat of a member that stayed away too long, or could not show that it has the records. What is decided is in protocol/placement/mending.ts: the
 * first member, in the set's order, that is heard drafts the step, gets the newcomer's lease and the signatures
 * of a majority, and tells everybody. Each member signs one successor of a set and no other, on disk before it
 * answers, so that two coordinators cannot both win.
 */
export class Repair {
  readonly #parts: RepairParts
  /** By shard and standby: until when it is not asked again; monotonic. */
  readonly #refusals = new TwoHalves<number>(refusalsMax)

  constructor(parts: RepairParts) {
    this.#parts = parts
    parts.rpc.handle('shard/sign-step', async ({ from, body }) =>
      encodeStepSignatures(await this.#signAll(from, decodeSteps(body))),
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, log } = this.#parts
    while (!signal.aborted) {
      await clock.sleep(config.heartbeatMs, signal)
      try {
        await this.#round(signal)
      } catch (error) {
        if (!signal.aborted) log.warn('repair.failed', { error: String(error) })
      }
    }
  }

  /** Who could not show that it has a shard is as good as away for ever, in that one. */
  #awayFrom(owner: Uint8Array): AwayMs {
    const { audits, neighbours } = this.#parts
    return ({ node }) => {
      const name = toHex(node)
      return audits.hasFailed(name, owner) ? Infinity : neighbours.absentMs(name)
    }
  }

  /** One look at all shards: those that miss a member, in portions. */
  async #round(signal: AbortSignal): Promise<void> {
    const { hosting, replicaSets, neighbours, config, rpc, audits } = this.#parts
    // Thousands of shards have the same few members: each is looked at once.
    const away = new Map<NodeId, number>()
    const awayMs = (node: NodeId): number => {
      const known = away.get(node) ?? neighbours.absentMs(node)
      away.set(node, known)
      return known
    }
    let portion: ReplicaSetChain[] = []
    for (const { owner } of hosting.list()) {
      const chain = replicaSets.get(owner)
      if (chain === undefined) continue
      const { newest } = chain
      const members = replicaSets.members(owner)
      const awayFrom = (node: NodeId): number => (audits.hasFailed(node, owner) ? Infinity : awayMs(node))
      const coordinator = coordinatorOf(members, awayFrom, config.suspectAfterMs)
      if (coordinator !== rpc.self) continue
      if (isWhole(newest, (_, place) => awayFrom(members[place] as NodeId) >= config.replaceAfterMs)) continue
      portion.push(chain)
      if (portion.length < limits.placementShardsMax) continue
      await this.#mend(portion, signal)
      portion = []
      away.clear()
    }
    if (portion.length > 0) await this.#mend(portion, signal)
  }

  async #mend(chains: readonly ReplicaSetChain[], signal: AbortSignal): Promise<void> {
    const drafts = await this.#withLeases(
      chains.flatMap((chain) => this.#draft(chain) ?? []),
      signal,
    )
    if (drafts.length === 0) return
    await this.#gatherSignatures(drafts, signal)
    const mends = drafts.map((draft) => this.#accept(draft))
    const mended = (await Promise.all(mends)).filter(Boolean).length
    this.#parts.log.info('repair.round', { drafts: drafts.length, mended })
  }

  /** True when enough signed: the step is taken, and told to everybody. */
  async #accept({ before, step, document, signatures }: Draft): Promise<boolean> {
    if (signatures.length < signaturesNeeded(step, before.newest)) return false
    const { crypto, replicaSets, distribution, log } = this.#parts
    const set = unpackReplicaSet(crypto, packReplicaSet(document, signatures))
    try {
      const { chain, isNews } = await replicaSets.accept(makeChain([...before.sets, set]))
      if (isNews) distribution.announce(chain)
      return true
    } catch (error) {
      log.warn('repair.refused', { owner: toHex(step.owner), error: String(error) })
      return false
    }
  }

  #draft(before: ReplicaSetChain): Draft | undefined {
    const { config, crypto } = this.#parts
    const set = before.newest
    if (before.sets.length >= limits.replicaSetStepsMax) return undefined // the owner has to sign again
    const promised = this.#promised(set.hash)
    if (promised !== undefined) return this.#again(before, promised)
    const awayFrom = this.#awayFrom(set.owner)
    const awayMs: AwayMs = (seat) =>
      set.standby.includes(seat) && this.#hasRefused(seat, set.owner) ? config.heartbeatMs : awayFrom(seat)
    const step = draftStep(crypto.sha256, set, awayMs, config.replaceAfterMs)
    return step && { before, step, document: encodeReplicaSet(step), signatures: [] }
  }

  /** What this node promised to sign comes first, or it could never sign anything after that set. */
  #again(before: ReplicaSetChain, document: Uint8Array): Draft | undefined {
    const step = decodeReplicaSet(document)
    if (stepProblem(step, before.newest) !== undefined) return undefined
    return { before, step, document, signatures: [] }
  }

  /** Drops the drafts whose newcomer does not promise the bytes. */
  async #withLeases(drafts: readonly Draft[], signal: AbortSignal): Promise<Draft[]> {
    const byHost = new Map<NodeId, Draft[]>()
    const ready: Draft[] = []
    for (const draft of drafts) {
      const newcomer = newcomerOf(draft)
      if (newcomer === undefined) {
        ready.push(draft)
        continue
      }
      const host = toHex(newcomer.node)
      byHost.set(host, [...(byHost.get(host) ?? []), draft])
    }
    const kept = await Promise.all(
      [...byHost].map(async ([host, wanted]) => {
        const asks = wanted.map(({ step: { owner, shard } }) => ({
          owner,
          shard,
          bytes: this.#bytesOf(owner),
          lastsMs: 0,
        }))
        const leases = await this.#parts.leases.ask(host, asks, signal).catch((error: unknown) => {
          this.#parts.log.info('repair.no-lease', { host, error: String(error) })
          return []
        })
        for (const [i, { step }] of wanted.entries())
          if (leases[i] === undefined) this.#noteRefusal(host, step.owner)
        return wanted.filter((_, i) => leases[i] !== undefined)
      }),
    )
    return [...ready, ...kept.flat()]
  }

  #noteRefusal(host: NodeId, owner: Uint8Array): void {
    const { clock, config } = this.#parts
    this.#refusals.set(`${toHex(owner)} ${host}`, clock.monotonicMs() + config.heartbeatMs * refusedBeats)
  }

  #hasRefused({ node }: Seat, owner: Uint8Array): boolean {
    const untilMs = this.#refusals.get(`${toHex(owner)} ${toHex(node)}`)
    return untilMs !== undefined && this.#parts.clock.monotonicMs() < untilMs
  }

  #bytesOf(owner: Uint8Array): number {
    return this.#parts.hosting.leaseBytes(owner, this.#parts.config)
  }

  async #gatherSignatures(drafts: readonly Draft[], signal: AbortSignal): Promise<void> {
    const { rpc, seed, crypto, log } = this.#parts
    const own = await this.#reserve(drafts.map(({ step, document }) => ({ step, document })))
    for (const [i, draft] of drafts.entries()) {
      if (own[i] === true) draft.signatures.push(signReplicaSet(crypto, draft.document, seed))
    }
    const bySigner = new Map<NodeId, Draft[]>()
    for (const draft of drafts.filter((_, i) => own[i] === true)) {
      for (const { node } of draft.before.newest.members) {
        const signer = toHex(node)
        if (signer === rpc.self || this.#parts.neighbours.awayMs(signer) > 0) continue
        bySigner.set(signer, [...(bySigner.get(signer) ?? []), draft])
      }
    }
    await Promise.all(
      [...bySigner].map(async ([signer, wanted]) => {
        try {
          const request = encodeSteps(wanted.map(({ document }) => document))
          const reply = decodeStepSignatures(
            await rpc.request(signer, 'shard/sign-step', request, { signal }),
          )
          for (const [i, signature] of reply.entries()) {
            const draft = wanted[i]
            if (draft === undefined || signature === undefined) continue
            const key = fromHex(signer, 32) as Uint8Array
            const message = signedMessage(contexts.replicaSet, draft.document)
            if (crypto.verifyStrict(message, signature, key)) draft.signatures.push({ key, signature })
          }
        } catch (error) {
          log.info('repair.no-signature', { signer, error: String(error) })
        }
      }),
    )
  }

  /** As a member: signs what follows from what this node knows and sees itself. */
  async #signAll(from: NodeId, documents: readonly Uint8Array[]): Promise<(Uint8Array | undefined)[]> {
    const steps = documents.map((document) => ({ document, step: decodeReplicaSet(document) }))
    const willing = steps.map(({ step }) => this.#agrees(from, step))
    const reserved = await this.#reserve(steps.filter((_, i) => willing[i] === true))
    let next = 0
    return steps.map(({ document }, i) => {
      if (willing[i] !== true || reserved[next++] !== true) return undefined
      return signReplicaSet(this.#parts.crypto, document, this.#parts.seed).signature
    })
  }

  #agrees(from: NodeId, step: ReplicaSet): boolean {
    const { replicaSets, config, rpc, audits } = this.#parts
    const known = replicaSets.get(step.owner)?.newest
    if (known === undefined || stepProblem(step, known) !== undefined) return false
    const seated = known.members.map((member) => toHex(member.node))
    if (!seated.includes(from) || !seated.includes(rpc.self)) return false
    if (agreesToStep(step, known, this.#awayFrom(step.owner), config.replaceAfterMs)) return true
    // Nobody is voted out because one node says that it lies: this one looks for itself.
    for (const { node } of seatChanges(step, known).removed) audits.suspect(toHex(node), step.owner)
    return false
  }

  /** One successor per predecessor, whoever asks and however often; true where this is the one. */
  async #reserve(steps: readonly { step: ReplicaSet; document: Uint8Array }[]): Promise<boolean[]> {
    const { store, clock } = this.#parts
    return store.write((batch) =>
      steps.map(({ step, document }) => {
        if (step.previous === undefined) throw new OnehopError('INTERNAL', 'a step names its predecessor')
        const before = this.#binding(store.documents.getIn(batch, signedKind, step.previous))
        if (before !== undefined) return equalBytes(before, document)
        store.documents.putIn(batch, signedKind, step.previous, encode([document, clock.nowMs()]))
        return true
      }),
    )
  }

  #promised(predecessor: Uint8Array): Uint8Array | undefined {
    return this.#binding(this.#parts.store.documents.get(signedKind, predecessor))
  }

  /** The document that a stored promise still binds to. */
  #binding(stored: Uint8Array | undefined): Uint8Array | undefined {
    if (stored === undefined) return undefined
    const { document, signedMs } = decodeAs(promiseShape, stored, 'promise', {
      bytesMax: limits.replicaSetBytesMax + 64,
    })
    const { clock, config } = this.#parts
    const ageMs = Math.abs(clock.nowMs() - signedMs) // a clock that was set back must not bind for ever
    return ageMs < config.replaceAfterMs * promiseReplaceTimes ? document : undefined
  }
}

function newcomerOf({ step, before }: Draft): Seat | undefined {
  return seatChanges(step, before.newest).added[0]
}
