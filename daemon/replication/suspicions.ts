import { concatBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import {
  doubtAfter,
  isConvicted,
  noDoubt,
  type Doubt,
  type Verdict,
} from '../../protocol/replication/doubt.ts'
import { bytes, choice, decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { Store, StoreBatch } from '../../storage/types.ts'
import type { NodeId } from '../net/rpc.ts'

/** By node and owner: what is held against it, and since when (Unix). */
const kind = 'suspicion'
const shape = struct({
  failures: uint(),
  evasions: uint(),
  behindMs: uint(),
  silentMs: uint(),
  judgedMs: uint(),
})
/** By node: in whose shard it was convicted, of what, and when. */
const distrustKind = 'distrusted'
const verdicts = ['passed', 'failed', 'evaded', 'behind', 'silent', 'open'] as const
const distrustShape = struct({ owner: bytes(32), verdict: choice(...verdicts), convictedMs: uint() })

const suspicionsMax = 4_096
const distrustMs = 30 * 86_400_000
/** For how long somebody shows nothing is written down whenever it has grown by that part of the time after which a seat is taken. */
const noteParts = 72

export interface SuspicionsParts {
  readonly store: Pick<Store, 'documents' | 'write'>
  readonly clock: Clock
  readonly log: Log
  readonly config: { readonly replaceAfterMs: number; readonly auditEveryMs: number }
}

export interface Suspicion {
  readonly node: NodeId
  readonly owner: IdentityId
  readonly doubt: Doubt
  /** When it is to be looked at again; monotonic. */
  readonly nextMs: number
  /** In this run; monotonic. */
  readonly last: { readonly verdict: Verdict; readonly atMs: number; readonly logHead: number } | undefined
}

/** Who could not show that it has a shard. On the disk, or whoever is restarted would have to find it all again. */
export class Suspicions {
  readonly #parts: SuspicionsParts
  readonly #all = new Map<string, Suspicion>()
  /** As they stand on the disk. */
  readonly #noted = new Map<string, Doubt>()
  /** Until when; monotonic. */
  readonly #distrusted = new Map<NodeId, number>()

  private constructor(parts: SuspicionsParts) {
    this.#parts = parts
  }

  static async open(parts: SuspicionsParts): Promise<Suspicions> {
    const { store, clock } = parts
    const suspicions = new Suspicions(parts)
    for (const { key, bytes: stored } of await store.documents.list(kind, { limit: suspicionsMax })) {
      const { judgedMs: _, ...doubt } = decodeAs(shape, stored, kind)
      const { node, owner } = { node: toHex(key.subarray(0, 32)), owner: key.slice(32) }
      suspicions.#all.set(nameOf(node, owner), { node, owner, doubt, nextMs: 0, last: undefined })
      suspicions.#noted.set(nameOf(node, owner), doubt)
    }
    for (const { key, bytes: stored } of await store.documents.list(distrustKind, { limit: suspicionsMax })) {
      const { convictedMs } = decodeAs(distrustShape, stored, distrustKind)
      // A clock that was set back must not hold it against somebody for ever.
      const leftMs = distrustMs - Math.abs(clock.nowMs() - convictedMs)
      if (leftMs > 0) suspicions.#distrusted.set(toHex(key), clock.monotonicMs() + leftMs)
      else await store.documents.delete(distrustKind, key)
    }
    return suspicions
  }

  list(): readonly Suspicion[] {
    return [...this.#all.values()]
  }

  has(node: NodeId, owner: IdentityId): boolean {
    return this.#all.has(nameOf(node, owner))
  }

  isConvicted(node: NodeId, owner: IdentityId): boolean {
    const suspicion = this.#all.get(nameOf(node, owner))
    return suspicion !== undefined && isConvicted(suspicion.doubt, this.#parts.config.replaceAfterMs)
  }

  /** It lost a seat by this, not long ago. */
  isDistrusted(node: NodeId): boolean {
    return this.#parts.clock.monotonicMs() < (this.#distrusted.get(node) ?? -Infinity)
  }

  /** Nothing is held against it yet, but it is to be looked at soon. */
  suspect(node: NodeId, owner: IdentityId): void {
    const name = nameOf(node, owner)
    if (!this.#all.has(name)) this.#set(name, { node, owner, doubt: noDoubt, nextMs: 0, last: undefined })
  }

  /** Where our log ended when it was looked at last in this run. */
  lookedAt(node: NodeId, owner: IdentityId): number | undefined {
    return this.#all.get(nameOf(node, owner))?.last?.logHead
  }

  /** Looked at again after `againMs`. */
  async judge(
    node: NodeId,
    owner: IdentityId,
    verdict: Verdict,
    { againMs, logHead }: { readonly againMs: number; readonly logHead: number },
  ): Promise<void> {
    const { clock, config } = this.#parts
    const name = nameOf(node, owner)
    const known = this.#all.get(name)
    if (verdict === 'passed') return this.forget([{ node, owner }])
    if (verdict === 'open' && known === undefined) return
    const nowMs = clock.monotonicMs()
    const lastMs = known?.last?.verdict === verdict ? known.last.atMs : nowMs
    // Who was away in between was not lazy.
    const sinceMs = Math.min(nowMs - lastMs, againMs * 2)
    const before = known?.doubt ?? noDoubt
    const doubt = doubtAfter(before, verdict, sinceMs)
    const last = { verdict, atMs: nowMs, logHead }
    const suspicion = { node, owner, doubt, nextMs: nowMs + againMs, last }
    this.#set(name, suspicion)
    const isNow = isConvicted(doubt, config.replaceAfterMs)
    const isConvicting = isNow && verdict !== 'open'
    if (isConvicting) this.#distrust({ node, owner }, verdict, nowMs)
    const isTurn = isNow !== isConvicted(before, config.replaceAfterMs)
    if (isTurn || this.#isNews(doubt, this.#noted.get(name)))
      await this.#note(suspicion, isConvicting ? verdict : undefined)
  }

  #isNews(doubt: Doubt, noted: Doubt = noDoubt): boolean {
    const leastMs = this.#parts.config.replaceAfterMs / noteParts
    if (doubt.failures !== noted.failures || doubt.evasions !== noted.evasions) return true
    const grown = [doubt.behindMs - noted.behindMs, doubt.silentMs - noted.silentMs]
    return grown.some((ms) => ms < 0 || ms >= leastMs)
  }

  /** They showed that they have it, or have no seat there any more. */
  async forget(those: readonly Pick<Suspicion, 'node' | 'owner'>[]): Promise<void> {
    for (const { node, owner } of those) this.#all.delete(nameOf(node, owner))
    const gone = [...this.#noted.keys()].filter((name) => !this.#all.has(name))
    if (gone.length === 0) return
    const { documents } = this.#parts.store
    const isWritten = await this.#write((batch) => {
      for (const name of gone) documents.deleteIn(batch, kind, keyOf(name))
    })
    if (isWritten) for (const name of gone) this.#noted.delete(name)
  }

  #distrust({ node, owner }: Pick<Suspicion, 'node' | 'owner'>, verdict: Verdict, nowMs: number): void {
    if (!this.isDistrusted(node))
      this.#parts.log.warn('audit.distrusted', { node, owner: toHex(owner), verdict })
    this.#distrusted.delete(node)
    this.#distrusted.set(node, nowMs + distrustMs)
    if (this.#distrusted.size > suspicionsMax)
      this.#distrusted.delete(this.#distrusted.keys().next().value as string)
  }

  #set(name: string, suspicion: Suspicion): void {
    this.#all.set(name, suspicion)
    if (this.#all.size <= suspicionsMax) return
    const { replaceAfterMs } = this.#parts.config
    const [oldest] = this.#all
    const mild = [...this.#all].find(([, { doubt }]) => !isConvicted(doubt, replaceAfterMs)) ?? oldest
    if (mild !== undefined) this.#all.delete(mild[0])
  }

  async #note({ node, owner, doubt }: Suspicion, conviction: Verdict | undefined): Promise<void> {
    const { clock, store } = this.#parts
    const { failures, evasions } = doubt
    const [behindMs, silentMs] = [Math.floor(doubt.behindMs), Math.floor(doubt.silentMs)]
    const name = nameOf(node, owner)
    const nowMs = Math.max(0, Math.floor(clock.nowMs()))
    const isWritten = await this.#write((batch) => {
      const noted = encode([failures, evasions, behindMs, silentMs, nowMs])
      store.documents.putIn(batch, kind, keyOf(name), noted)
      if (conviction === undefined) return
      const distrust = encode([owner, verdicts.indexOf(conviction), nowMs])
      store.documents.putIn(batch, distrustKind, fromHex(node, 32) as Uint8Array, distrust)
    })
    if (isWritten) this.#noted.set(name, doubt)
  }

  /** On a disk that takes nothing it holds for this run, and is written with what comes next. */
  async #write(prepare: (batch: StoreBatch) => void): Promise<boolean> {
    try {
      await this.#parts.store.write(prepare)
      return true
    } catch (error) {
      this.#parts.log.debug('audit.not-noted', { error: String(error) })
      return false
    }
  }
}

function nameOf(node: NodeId, owner: IdentityId): string {
  return `${node} ${toHex(owner)}`
}

function keyOf(name: string): Uint8Array {
  return concatBytes(...name.split(' ').map((part) => fromHex(part, 32) as Uint8Array))
}
