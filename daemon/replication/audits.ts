import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import { clockMs, clockOf } from '../../protocol/record/clock.ts'
import { coversMs, dayMs, hasExpired, withoutSections } from '../../protocol/record/ends.ts'
import { itemKey } from '../../protocol/record/merge.ts'
import type { IdentityId, RecordRef, SignedRecord } from '../../protocol/record/types.ts'
import { checkBytes } from '../../protocol/record/verify.ts'
import {
  auditIndex,
  auditStart,
  auditStep,
  auditSteps,
  decodeAuditAnswer,
  decodeAuditAsk,
  encodeAuditAnswer,
  encodeAuditAsk,
  type AuditAnswer,
  type AuditAsk,
} from '../../protocol/replication/audit.ts'
import type { Verdict } from '../../protocol/replication/doubt.ts'
import { decodeAsNamed, decodeStored } from '../../storage/stored-record.ts'
import type { Store } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { Digests } from './digests.ts'
import type { FileAudits } from './file-audits.ts'
import type { Holders } from './holders.ts'
import type { Replication } from './replication.ts'
import { Suspicions } from './suspicions.ts'

export interface AuditsParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly store: Store
  readonly config: Config['hosting']
  readonly hosting: Pick<Hosting, 'has'>
  readonly holders: Holders
  readonly neighbours: Pick<Neighbours, 'get' | 'awayMs'>
  readonly digests: Digests
  readonly files: Pick<FileAudits, 'hasFiles' | 'claimsAll'>
  /** This node is itself still waiting for records; the other is not known to have all of them. */
  readonly replication: Pick<Replication, 'isJoining' | 'isBehind'>
}

/** What is younger than this part of the time between two audits may still be on its way to one of the two. */
const settledParts = 36
/** Beside twice the way there and back: a card in a small box reads so many records in half of it. */
const walkMs = 1_000
/** Read without letting anybody else have a turn. */
const stepsAtOnce = 16
const answersMax = 4
/** A failed one is done again after this part of the time between two. */
const againParts = 24
/** Shards of one node that are looked at together, once one of them failed. */
const portion = 8
/** More than two clocks, and `until` behind one of them, can be apart. */
const sweepDoubtMs = 3 * dayMs

/** Each holder asks each other for proof that it has what it says, a shard at a time; who fails again and again loses its seat. */
export class Audits {
  readonly #parts: AuditsParts
  readonly #suspicions: Suspicions
  /** When a node is to be asked next; monotonic. */
  readonly #nextMs = new Map<NodeId, number>()
  #answering = 0

  private constructor(parts: AuditsParts, suspicions: Suspicions) {
    this.#parts = parts
    this.#suspicions = suspicions
    parts.rpc.handle('shard/audit', async ({ from, body }) =>
      encodeAuditAnswer(await this.#answer(from, decodeAuditAsk(body))),
    )
  }

  static async open(parts: AuditsParts): Promise<Audits> {
    return new Audits(parts, await Suspicions.open(parts))
  }

  /** By this node's own audits it does not have the shard. */
  hasFailed(node: NodeId, owner: IdentityId): boolean {
    return this.#suspicions.isConvicted(node, owner)
  }

  /** It lost a seat by this, not long ago: it is offered no other. */
  isDistrusted(node: NodeId): boolean {
    return this.#suspicions.isDistrusted(node)
  }

  /** Somebody else says so: this node looks for itself, soon. */
  suspect(node: NodeId, owner: IdentityId): void {
    this.#suspicions.suspect(node, owner)
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config } = this.#parts
    try {
      while (!signal.aborted) {
        await clock.sleep(Math.min(config.heartbeatMs * 10, this.#againMs), signal)
        await this.#forgetStrangers()
        for (const { node, owner } of this.#due()) await this.audit(node, owner, signal)
      }
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  /**
   * Shows now that it has the records, and lacks no file; a shard in which nothing is old enough to be asked for yet is none that
   * may go.
   */
  async proves(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<boolean> {
    const { files, store } = this.#parts
    const hasRecords = (store.shards.get(owner)?.records ?? 0) > 0
    if (hasRecords && (await this.audit(node, owner, signal)) !== 'passed') return false
    try {
      return await files.claimsAll(node, owner, signal)
    } catch {
      signal.throwIfAborted()
      return false
    }
  }

  /** Asks now, and notes what came of it. */
  async audit(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<Verdict> {
    const logHead = this.#parts.store.records.logHead(owner)
    const verdict = await this.#ask(node, owner, signal)
    if (verdict === 'failed' || verdict === 'evaded')
      this.#parts.log.warn('audit.failed', { node, owner: toHex(owner), verdict })
    await this.#suspicions.judge(node, owner, verdict, { againMs: this.#againMs, logHead })
    return verdict
  }

  get #againMs(): number {
    return this.#parts.config.auditEveryMs / againParts
  }

  async #forgetStrangers(): Promise<void> {
    const { holders } = this.#parts
    await this.#suspicions.forget(
      this.#suspicions.list().filter(({ node, owner }) => !holders.isSeated(node, owner)),
    )
  }

  /** Of each node one shard that is drawn, more where one failed, and those that failed before. */
  *#due(): Generator<{ readonly node: NodeId; readonly owner: IdentityId }> {
    const { clock, config, holders, neighbours, random, replication } = this.#parts
    const nowMs = clock.monotonicMs()
    const suspicions = this.#suspicions.list()
    yield* suspicions.filter(({ node, nextMs }) => nextMs <= nowMs && neighbours.awayMs(node) === 0)
    for (const node of holders.nodes()) {
      const isFailing = suspicions.some((one) => one.node === node && one.doubt.failures > 0)
      const everyMs = isFailing ? this.#againMs : config.auditEveryMs
      const dueMs = this.#nextMs.get(node)
      // The first after a part of the time that is drawn: not everybody at once after a power cut.
      this.#nextMs.set(node, nowMs + (dueMs === undefined ? everyMs * fraction(random) : everyMs))
      if (dueMs === undefined || neighbours.awayMs(node) > 0) continue
      if (dueMs > nowMs) {
        this.#nextMs.set(node, Math.min(dueMs, nowMs + everyMs))
        continue
      }
      // Whoever lost its seat gave its copy up, or will: that is held against nobody.
      const shared = holders
        .shared(node)
        .filter((owner) => holders.isSeated(node, owner) && !replication.isJoining(owner))
      // Whoever owes us its records in a thousand shards is found by no drawing of one.
      for (const owner of shared)
        if (replication.isBehind(node, owner) && !this.#suspicions.has(node, owner)) yield { node, owner }
      for (let i = 0; i < Math.min(shared.length, isFailing ? portion : 1); i++) {
        const owner = shared[Math.floor(fraction(random) * shared.length)]
        if (owner !== undefined && !this.#suspicions.has(node, owner)) yield { node, owner }
      }
    }
  }

  async #ask(node: NodeId, owner: IdentityId, signal: AbortSignal): Promise<Verdict> {
    const { clock, config, random, replication } = this.#parts
    const isBehind = replication.isBehind(node, owner)
    // Where somebody writes all the time nobody has everything just now: what was there at the last look is asked for.
    const lookedAt = this.#suspicions.lookedAt(node, owner)
    if (isBehind && (lookedAt === undefined || replication.isBehind(node, owner, lookedAt))) return 'behind'
    const until = clockOf(clock.nowMs() - config.auditEveryMs / settledParts)
    const nonce = random.bytes(32)
    const expected = await this.#own(owner, until, nonce)
    if (expected?.proof === undefined) return 'open'
    try {
      const verdict = await this.#look(node, { owner, until, nonce }, expected, signal)
      return isBehind && verdict === 'evaded' ? 'open' : verdict
    } catch (cause) {
      signal.throwIfAborted()
      // Whoever is away is judged by that; whoever is there and says that it has none of it, or nonsense, by this.
      const { code } = asOnehopError(cause)
      if (code === 'NOT_HOSTED' || code === 'BAD_MESSAGE' || code === 'INTERNAL') return 'failed'
      return this.#parts.neighbours.awayMs(node) === 0 ? 'silent' : 'open'
    }
  }

  /** Each record against its signature: what rotted here must not be held against others. */
  async #own(owner: IdentityId, until: bigint, nonce: Uint8Array): Promise<AuditAnswer | undefined> {
    const { crypto, log } = this.#parts
    let isGood = true
    try {
      const walk = await this.#walk(owner, until, nonce, (record, ref) => {
        isGood &&= equalBytes(record.id, ref.id) && checkBytes(crypto, record) === undefined
      })
      if (isGood) return walk
    } catch (cause) {
      log.debug('audit.cut', { code: asOnehopError(cause).code })
    }
    log.error('audit.own-damage', { owner: toHex(owner), help: 'onehop stop, then onehop verify' })
    return undefined
  }

  async #look(
    node: NodeId,
    { owner, until, nonce }: AuditAsk,
    expected: AuditAnswer,
    signal: AbortSignal,
  ): Promise<Verdict> {
    const { rpc, clock, files, neighbours } = this.#parts
    const startMs = clock.monotonicMs()
    const body = encodeAuditAsk({ owner, until, nonce })
    const answer = decodeAuditAnswer(
      await rpc.request(node, 'shard/audit', body, { signal, timeoutMs: 30_000 }),
    )
    const tookMs = clock.monotonicMs() - startMs
    const now = await this.#standing(owner, until)
    const isSame = now.size === answer.size && equalBytes(now.fingerprint, answer.fingerprint)
    if (!isSame || now.size !== expected.size) return isSame ? 'open' : 'evaded'
    const isProven = answer.proof && expected.proof && equalBytes(answer.proof, expected.proof)
    if (isProven !== true) return 'failed'
    if (tookMs > walkMs + 2 * (neighbours.get(node)?.latencyMs ?? 0)) return 'failed'
    return (await files.hasFiles(node, owner, signal)) ? 'passed' : 'failed'
  }

  async #answer(from: NodeId, { owner, until, nonce }: AuditAsk): Promise<AuditAnswer> {
    const { hosting, holders } = this.#parts
    if (!hosting.has(owner))
      throw new OnehopError('NOT_HOSTED', `this node does not hold the shard of ${toHex(owner)}`)
    if (!holders.isHolder(owner, from))
      throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
    if (this.#answering >= answersMax) throw new OnehopError('BUSY', 'too many audits at once')
    this.#answering++
    try {
      return await this.#walk(owner, until, nonce)
    } finally {
      this.#answering--
    }
  }

  #standing(owner: IdentityId, until: bigint): Promise<Omit<AuditAnswer, 'proof'>> {
    return this.#parts.digests.over(owner, until, (set) => ({
      size: set.size,
      fingerprint: set.fingerprint(0, set.size),
    }))
  }

  async #walk(
    owner: IdentityId,
    until: bigint,
    nonce: Uint8Array,
    onRecord?: (record: SignedRecord, ref: RecordRef) => void,
  ): Promise<AuditAnswer> {
    const { crypto, digests, store } = this.#parts
    const standing = await this.#standing(owner, until)
    let at: Uint8Array | undefined = auditStart(crypto, nonce)
    for (let step = 0; step < auditSteps && at !== undefined && standing.size > 0; step += stepsAtOnce) {
      let next: Uint8Array | undefined = at
      await digests.over(owner, until, (set) => {
        for (let i = 0; i < stepsAtOnce && next !== undefined && set.size > 0; i++) {
          const ref = set.at(auditIndex(next, set.size))
          const stored = store.records.get(owner, ref)
          const record = stored && (onRecord === undefined ? decodeAsNamed(stored) : decodeStored(stored))
          if (record !== undefined) onRecord?.(record, ref)
          const isSwept = record !== undefined && this.#maySweep(owner, ref, record, until)
          next = record && auditStep(crypto, next, isSwept ? withoutSections(record) : record)
        }
      })
      at = next
    }
    return { ...standing, proof: standing.size > 0 ? at : undefined }
  }

  /** Of what one holder has swept and another has not yet, both show the header. */
  #maySweep(owner: IdentityId, ref: RecordRef, record: SignedRecord, until: bigint): boolean {
    const { app, clock, collection } = record.header
    const latestMs = clockMs(until) + sweepDoubtMs
    if (hasExpired(record, latestMs)) return true
    // What was just written over what is younger has come to one of the two alone, maybe.
    if (coversMs({ clock }) > latestMs) return false
    const winner = this.#parts.store.records.winnerEntry(owner, app, collection, itemKey(record))
    return winner !== undefined && !equalBytes(winner.ref.id, ref.id)
  }
}

function fraction(random: Random): number {
  const [a = 0, b = 0] = random.bytes(2)
  return (a * 256 + b) / 65_536
}
