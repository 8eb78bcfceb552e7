import { equalBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { ReplicaSetChain } from '../../protocol/placement/chain.ts'
import { decodeTaken, encodePlaced, placedBytes, type Placed } from '../../protocol/placement/messages.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Identities } from '../identities.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { ReplicaSets } from './replica-sets.ts'

export interface DistributionParts {
  readonly rpc: Rpc
  readonly clock: Clock
  readonly log: Log
  readonly identities: Identities
  readonly replicaSets: ReplicaSets
}

const retryMs = 1_000
const retryMsMax = 5_000
/** Leaves room for the frame around it. */
const messageBytes = limits.frameBytesMax - 8_192

/**
 * Tells members of the newest replica sets, many shards in a message. What a member did not take yet waits for
 * it; it is rebuilt by reconciliation, which compares sets too, so it need not survive a restart.
 */
export class Distribution {
  readonly #parts: DistributionParts
  readonly #waiting = new Map<NodeId, Set<string>>()
  readonly #listeners = new Set<(node: NodeId, owner: IdentityId) => void>()
  readonly #senders = new Map<NodeId, Promise<void>>()
  #signal: AbortSignal | undefined

  constructor(parts: DistributionParts) {
    this.#parts = parts
  }

  /** To every member of the set, and to those who just lost a seat in it. */
  announce(chain: ReplicaSetChain): void {
    const seats = [...chain.newest.members, ...(chain.sets.at(-2)?.members ?? [])]
    for (const { node } of seats) this.announceTo(toHex(node), chain.newest.owner)
  }

  announceTo(node: NodeId, owner: IdentityId): void {
    if (node === this.#parts.rpc.self) return
    const owners = this.#waiting.get(node) ?? new Set()
    this.#waiting.set(node, owners.add(toHex(owner)))
    this.#wake(node)
  }

  /** True while the node has yet to hear the newest of this shard: records that came first it would refuse. */
  isWaiting(node: NodeId, owner: IdentityId): boolean {
    return this.#waiting.get(node)?.has(toHex(owner)) ?? false
  }

  /** Calls back when a node has heard the newest of a shard; returns the way to stop. */
  onTold(listener: (node: NodeId, owner: IdentityId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  get waiting(): number {
    let count = 0
    for (const owners of this.#waiting.values()) count += owners.size
    return count
  }

  /** One sender for each node: one that does not answer must not hold up the others. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    for (const node of this.#waiting.keys()) this.#wake(node)
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    await Promise.all(this.#senders.values())
  }

  #wake(node: NodeId): void {
    const signal = this.#signal
    if (signal === undefined || signal.aborted || this.#senders.has(node)) return
    const sender = this.#deliver(node, signal).finally(() => {
      this.#senders.delete(node)
      if (this.#waiting.has(node)) this.#wake(node)
    })
    this.#senders.set(node, sender)
  }

  /** Until all went out, with growing pauses: some nodes never come back. */
  async #deliver(node: NodeId, signal: AbortSignal): Promise<void> {
    let pauseMs = retryMs
    while (!signal.aborted && !(await this.#send(node, signal))) {
      await this.#parts.clock.sleep(pauseMs, signal).catch(() => {})
      pauseMs = Math.min(pauseMs * 2, retryMsMax)
    }
  }

  /** True when everything for the node went out. */
  async #send(node: NodeId, signal: AbortSignal): Promise<boolean> {
    const { rpc, log } = this.#parts
    try {
      for (;;) {
        const batch = this.#next(node)
        if (batch.length === 0) return true
        const placed = batch.map(({ one }) => one)
        const reply = await rpc.request(node, 'shard/take', encodePlaced(placed), {
          signal,
          timeoutMs: 30_000,
        })
        const refused = decodeTaken(reply).filter((taken) => !taken).length
        if (refused > 0) log.warn('placement.not-taken', { node, refused })
        for (const { name, one } of batch) this.#settle(node, name, one)
      }
    } catch (error) {
      if (!signal.aborted) log.debug('placement.unsent', { node, code: asOnehopError(error).code })
      return false
    }
  }

  #next(node: NodeId): { name: string; one: Placed }[] {
    const batch: { name: string; one: Placed }[] = []
    let bytes = 0
    for (const name of this.#waiting.get(node) ?? []) {
      const owner = fromHex(name, 32) as IdentityId
      const one = this.#newest(owner)
      if (one === undefined) {
        this.#settle(node, name)
        continue
      }
      bytes += placedBytes(one)
      if (batch.length > 0 && (bytes > messageBytes || batch.length === limits.placementShardsMax)) break
      batch.push({ name, one })
    }
    return batch
  }

  #newest(owner: IdentityId): Placed | undefined {
    const chain = this.#parts.replicaSets.get(owner)?.bytes
    const log = this.#parts.identities.log(owner)
    if (chain === undefined || log === undefined) return undefined
    return { chain, log, people: this.#parts.identities.people(owner) }
  }

  /** Unless a newer set or log came up while this one was on its way. */
  #settle(node: NodeId, name: string, sent?: Placed): void {
    const newest = sent && this.#newest(fromHex(name, 32) as IdentityId)
    if (sent !== undefined && newest !== undefined && !isSame(newest, sent)) return
    const owners = this.#waiting.get(node)
    owners?.delete(name)
    if (owners?.size === 0) this.#waiting.delete(node)
    if (sent === undefined) return
    for (const listener of this.#listeners) listener(node, fromHex(name, 32) as IdentityId)
  }
}

function isSame(a: Placed, b: Placed): boolean {
  if (!equalBytes(a.chain, b.chain) || !equalBytes(a.log, b.log)) return false
  return (
    a.people.length === b.people.length &&
    a.people.every((log, i) => equalBytes(log, b.people[i] as Uint8Array))
  )
}
