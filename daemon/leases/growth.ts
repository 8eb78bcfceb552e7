import { toHex } from '../../protocol/bytes.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { Placement } from '../placement/placement.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { Ask, Leases } from './leases.ts'
import type { TakenLeases } from './taken.ts'

/** So many are looked at before others get a turn: some milliseconds. */
const turnShards = 1_024
/** Who had no more room, or was away, is asked again after so many heartbeats. */
const againBeats = 30

export interface LeaseGrowthParts {
  readonly rpc: Pick<Rpc, 'self'>
  readonly clock: Clock
  readonly log: Log
  readonly config: Config['hosting']
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  readonly neighbours: Pick<Neighbours, 'awayMs'>
  readonly placement: Pick<Placement, 'leads'>
  readonly leases: Pick<Leases, 'ask'>
  readonly taken: Pick<TakenLeases, 'get'>
}

/** A holder that would promise no more than it did, for a shard that grew. */
export interface Short {
  readonly owner: IdentityId
  readonly host: NodeId
  readonly bytes: number
}

/** When a shard is to be looked at again. */
interface Look {
  /** Once more than so much is in use: half of the smallest lease. */
  readonly aboveBytes: number
  /** Or then, by the monotonic clock. */
  readonly againMs: number
}

/** Whoever speaks for a shard asks its holders for more room while half of what they promised is still free. */
export class LeaseGrowth {
  readonly #parts: LeaseGrowthParts
  readonly #looks = new Map<string, Look>()
  readonly #short = new Map<string, Short>()

  constructor(parts: LeaseGrowthParts) {
    this.#parts = parts
    // Other holders, or the same with other leases.
    const forget = (owner: IdentityId): void => void this.#looks.delete(toHex(owner))
    parts.replicaSets.onChanged(({ newest: { owner } }) => forget(owner))
    parts.hosting.onRemoved(forget)
  }

  /** With what they still have room for. */
  get short(): readonly Short[] {
    const { hosting, replicaSets } = this.#parts
    return [...this.#short.values()].filter(
      ({ owner, host }) => hosting.has(owner) && replicaSets.members(owner).includes(host),
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, log } = this.#parts
    while (!signal.aborted) {
      await clock.sleep(config.heartbeatMs, signal)
      try {
        await this.#look(signal)
      } catch (error) {
        if (!signal.aborted) log.warn('leases.not-grown', { error: String(error) })
      }
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, hosting, placement } = this.#parts
    const byHost = new Map<NodeId, Ask[]>()
    let looked = 0
    for (const { owner } of [...hosting.list()]) {
      if (++looked % turnShards === 0) await clock.sleep(0, signal)
      const last = this.#looks.get(toHex(owner))
      if (
        last !== undefined &&
        hosting.usedBytes(owner) <= last.aboveBytes &&
        clock.monotonicMs() < last.againMs
      )
        continue
      if (!placement.leads(owner)) continue
      for (const [host, ask] of this.#asks(owner)) byHost.set(host, [...(byHost.get(host) ?? []), ask])
    }
    await Promise.all([...byHost].map(([host, asks]) => this.#ask(host, asks, signal)))
  }

  /** A guest goes when its time is over; of whom no lease is known the renewals ask one. */
  #asks(owner: IdentityId): [NodeId, Ask][] {
    const { clock, config, hosting, neighbours, replicaSets, rpc, taken } = this.#parts
    const bytes = hosting.leaseBytes(owner, config)
    const usedBytes = hosting.usedBytes(owner)
    const asks: [NodeId, Ask][] = []
    let aboveBytes = Number.POSITIVE_INFINITY
    let isShort = false
    for (const { node, role } of replicaSets.get(owner)?.newest.members ?? []) {
      const host = toHex(node)
      const known = host === rpc.self || role === 'guest' ? undefined : taken.get(owner, host)?.lease
      if (known === undefined) continue
      const halfBytes = known.bytes / 2
      if (usedBytes <= halfBytes) aboveBytes = Math.min(aboveBytes, halfBytes)
      else {
        isShort = true
        if (known.bytes < bytes && neighbours.awayMs(host) === 0)
          asks.push([host, { owner, shard: owner, bytes, lastsMs: 0 }])
      }
    }
    const againMs = isShort ? clock.monotonicMs() + config.heartbeatMs * againBeats : Number.POSITIVE_INFINITY
    // Whoever is short is asked again in a while, however much is written meanwhile.
    this.#looks.set(toHex(owner), { aboveBytes: isShort ? Number.POSITIVE_INFINITY : aboveBytes, againMs })
    return asks
  }

  async #ask(host: NodeId, asks: readonly Ask[], signal: AbortSignal): Promise<void> {
    const { leases, log } = this.#parts
    try {
      let left = asks
      while (left.length > 0) {
        const answers = await leases.ask(host, left, signal)
        for (const [i, { owner }] of left.entries()) if (answers[i] !== undefined) this.#granted(owner, host)
        // Who has no room for so much may have some for half of it, where that is still more than there is.
        const refused = left.filter((_, i) => answers[i] === undefined)
        const halves = refused.map((ask) => ({ ...ask, bytes: Math.floor(ask.bytes / 2) }))
        left = halves.filter(({ owner, bytes }) => bytes > this.#promised(owner, host))
      }
      for (const { owner, bytes } of asks) {
        const promised = this.#promised(owner, host)
        if (promised >= bytes) continue
        this.#short.set(nameOf(owner, host), { owner, host, bytes: promised })
        log.info('leases.not-grown', { host, owner: toHex(owner), bytes, promised })
      }
    } catch (error) {
      if (!signal.aborted) log.debug('leases.unasked', { host, error: String(error) })
    }
  }

  #granted(owner: IdentityId, host: NodeId): void {
    this.#short.delete(nameOf(owner, host))
    this.#looks.delete(toHex(owner))
  }

  #promised(owner: IdentityId, host: NodeId): number {
    return this.#parts.taken.get(owner, host)?.lease.bytes ?? 0
  }
}

function nameOf(owner: IdentityId, host: NodeId): string {
  return `${toHex(owner)} ${host}`
}
