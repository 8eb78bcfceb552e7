import { toHex } from '../../protocol/bytes.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Config } from '../config.ts'
import type { Hosted, Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Leases } from './leases.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'

const looksPerLease = 64
/** So many are looked at before others get a turn. */
const turnShards = 256

export interface LeaseEndsParts {
  readonly rpc: Pick<Rpc, 'self'>
  readonly clock: Clock
  readonly log: Log
  readonly config: Config['hosting']
  readonly hosting: Hosting
  readonly replicaSets: ReplicaSets
  readonly neighbours: Pick<Neighbours, 'awayMs'>
  readonly leases: Pick<Leases, 'granted' | 'hasNotice' | 'forget'>
  /** Whether that node is not known to have all that is here. */
  readonly isBehind: (node: NodeId, owner: IdentityId) => boolean
  /** Whether that node shows now that it has the records. */
  readonly proves: (node: NodeId, owner: IdentityId, signal: AbortSignal) => Promise<boolean>
  /** Where this node has no seat: all that is here was brought to one that has. */
  readonly isHandedOver: (owner: IdentityId) => boolean
}

/**
 * A copy goes when its lease is over and nobody wants it renewed: a guest's, one that was given notice, one whose seat went to somebody
 * else. Not before another holder is known to have all of it: nothing that this node alone acknowledged may go with it.
 */
export class LeaseEnds {
  readonly #parts: LeaseEndsParts

  constructor(parts: LeaseEndsParts) {
    this.#parts = parts
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, config, log } = this.#parts
    const everyMs = Math.max(config.heartbeatMs, config.leaseMs / looksPerLease)
    while (!signal.aborted) {
      await clock.sleep(everyMs, signal)
      try {
        await this.#look(signal)
      } catch (error) {
        if (!signal.aborted) log.warn('leases.not-ended', { error: String(error) })
      }
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, hosting, leases, log } = this.#parts
    let looked = 0
    for (const hosted of [...hosting.list()]) {
      if (++looked % turnShards === 0) await clock.sleep(0, signal)
      const { owner } = hosted
      if (!this.#isOver(hosted) || !(await this.#isElsewhere(owner, signal))) continue
      await hosting.remove(owner)
      await leases.forget(owner)
      log.info('lease.ended', { owner: toHex(owner) })
    }
  }

  #isOver({ owner, person }: Hosted): boolean {
    const { leases, replicaSets, rpc } = this.#parts
    if (person || leases.granted(owner) !== undefined) return false
    const members = replicaSets.get(owner)?.newest.members ?? []
    const seat = members.find(({ node }) => toHex(node) === rpc.self)
    const isSeatless = members.length > 0 && seat === undefined
    return isSeatless || seat?.role === 'guest' || leases.hasNotice(owner)
  }

  /** All other holders but one have all of it, and show it: what somebody only says lets nothing go. */
  async #isElsewhere(owner: IdentityId, signal: AbortSignal): Promise<boolean> {
    const { isBehind, isHandedOver, neighbours, proves, replicaSets, rpc } = this.#parts
    const others = replicaSets.get(owner)?.newest.members ?? []
    if (!others.some(({ node }) => toHex(node) === rpc.self)) return isHandedOver(owner)
    const holders = others
      .filter(({ node, role }) => role !== 'guest' && toHex(node) !== rpc.self)
      .map(({ node }) => toHex(node))
    const whole = holders.filter((node) => neighbours.awayMs(node) === 0 && !isBehind(node, owner))
    const needed = Math.max(1, holders.length - 1)
    if (whole.length < needed) return false
    const shown = await Promise.all(whole.map((node) => proves(node, owner, signal)))
    return shown.filter(Boolean).length >= needed
  }
}
