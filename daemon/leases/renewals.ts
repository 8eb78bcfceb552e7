import { toHex } from '../../protocol/bytes.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Ask, Leases } from './leases.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { Placement } from '../placement/placement.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { TakenLeases } from './taken.ts'

/** A look in so many parts of a lease's time: one that half ran out is asked for anew many times before it ends. */
const looksPerLease = 64
/** So many are looked at before others get a turn: some milliseconds. */
const turnShards = 256
/** Asked at a time; the others say so again when they are compared. */
const lostMax = 4_096

export interface LeaseRenewalsParts {
  readonly rpc: Pick<Rpc, 'self'>
  readonly clock: Clock
  readonly log: Log
  readonly config: Config['hosting']
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  readonly neighbours: Pick<Neighbours, 'awayMs'>
  readonly placement: Pick<Placement, 'leader' | 'leads'>
  readonly leases: Pick<Leases, 'ask'>
  readonly taken: TakenLeases
}

/** A holder that will not renew: its copy is there until the lease ends. */
export interface Refusal {
  readonly owner: IdentityId
  readonly host: NodeId
  readonly expiresMs: number
}

/** Whoever speaks for a shard has its leases renewed while half of their time is left. */
export class LeaseRenewals {
  readonly #parts: LeaseRenewalsParts
  readonly #refused = new Map<string, Refusal>()
  readonly #lost = new Map<string, Pick<Refusal, 'owner' | 'host'>>()

  constructor(parts: LeaseRenewalsParts) {
    this.#parts = parts
  }

  get refused(): readonly Refusal[] {
    const { hosting, replicaSets } = this.#parts
    const isSeated = ({ owner, host }: Refusal): boolean =>
      hosting.has(owner) && replicaSets.members(owner).includes(host)
    return [...this.#refused.values()].filter(isSeated)
  }

  /** The host says that it does not hold a shard that it promised to: it is asked anew, whatever time is left. */
  lost(owner: IdentityId, host: NodeId): void {
    if (this.#lost.size < lostMax && this.#asks(owner, host))
      this.#lost.set(`${toHex(owner)} ${host}`, { owner, host })
  }

  /** Whoever speaks for the shard; of the one who does, the next. */
  #asks(owner: IdentityId, host: NodeId): boolean {
    const { neighbours, placement, replicaSets, rpc } = this.#parts
    if (placement.leader(owner) !== host) return placement.leads(owner)
    const isNext = (node: NodeId): boolean => node !== host && neighbours.awayMs(node) === 0
    return replicaSets.members(owner).find(isNext) === rpc.self
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, log } = this.#parts
    const everyMs = Math.max(config.heartbeatMs, config.leaseMs / looksPerLease)
    // Soon after a start, once neighbours were heard: a box that is switched off each night would never get to it.
    let dueMs = clock.monotonicMs() + Math.min(everyMs, config.heartbeatMs * 3)
    while (!signal.aborted) {
      await clock.sleep(config.heartbeatMs, signal)
      const nowMs = clock.monotonicMs()
      try {
        if (nowMs >= dueMs) {
          dueMs = nowMs + everyMs
          await this.#look(signal)
        }
        await this.#askLost(signal)
      } catch (error) {
        if (!signal.aborted) log.warn('leases.not-renewed', { error: String(error) })
      }
    }
  }

  async #askLost(signal: AbortSignal): Promise<void> {
    const byHost = new Map<NodeId, Ask[]>()
    for (const { owner, host } of this.#lost.values()) {
      const ask = { owner, shard: owner, bytes: this.#bytesOf(owner, host), lastsMs: 0 }
      byHost.set(host, [...(byHost.get(host) ?? []), ask])
    }
    this.#lost.clear()
    await Promise.all([...byHost].map(([host, asks]) => this.#renew(host, asks, signal)))
  }

  async #look(signal: AbortSignal): Promise<void> {
    const byHost = new Map<NodeId, Ask[]>()
    let looked = 0
    for (const { owner } of [...this.#parts.hosting.list()]) {
      if (++looked % turnShards === 0) await this.#parts.clock.sleep(0, signal)
      if (!this.#parts.placement.leads(owner)) continue
      for (const { node, role } of this.#parts.replicaSets.get(owner)?.newest.members ?? []) {
        const host = toHex(node)
        // A guest goes when its time is over.
        if (role === 'guest' || !this.#isDue(owner, host)) continue
        byHost.set(host, [
          ...(byHost.get(host) ?? []),
          { owner, shard: owner, bytes: this.#bytesOf(owner, host), lastsMs: 0 },
        ])
      }
    }
    await Promise.all([...byHost].map(([host, asks]) => this.#renew(host, asks, signal)))
  }

  #isDue(owner: IdentityId, host: NodeId): boolean {
    const { rpc, clock, config, neighbours, taken } = this.#parts
    if (host === rpc.self || neighbours.awayMs(host) > 0) return false
    const known = taken.get(owner, host)
    if (known === undefined) return true
    const nowMs = clock.nowMs()
    const halfMs = config.leaseMs / 2
    // By both clocks, and a clock that was set back counts as well: asking once too often costs one message.
    return Math.abs(nowMs - known.takenMs) > halfMs || known.lease.expiresMs - nowMs < halfMs
  }

  #bytesOf(owner: IdentityId, host: NodeId): number {
    const { config, hosting, taken } = this.#parts
    return taken.get(owner, host)?.lease.bytes ?? hosting.leaseBytes(owner, config)
  }

  async #renew(host: NodeId, asks: readonly Ask[], signal: AbortSignal): Promise<void> {
    const { leases, log, taken } = this.#parts
    try {
      const answers = await leases.ask(host, asks, signal)
      for (const [i, { owner }] of asks.entries()) {
        const name = `${toHex(owner)} ${host}`
        if (answers[i] !== undefined) this.#refused.delete(name)
        else {
          const expiresMs = taken.get(owner, host)?.lease.expiresMs ?? 0
          this.#refused.set(name, { owner, host, expiresMs })
        }
      }
      const refused = answers.filter((one) => one === undefined).length
      if (refused > 0) log.info('leases.refused', { host, refused })
    } catch (error) {
      if (!signal.aborted) log.debug('leases.unasked', { host, error: String(error) })
    }
  }
}
