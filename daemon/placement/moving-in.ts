/** A person comes to live on a node while others hold their shard: after a recovery, or with a new box. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { ReplicaSet, Seat } from '../../protocol/placement/replica-set.ts'
import type { Log } from '../../protocol/ports.ts'
import type { Routing } from '../net/rpc.ts'

/**
 * From these the records have to come, so each that answers keeps its seat, whatever its place among the candidates.
 * None where the shard lived here already: then the choice is made anew.
 */
export function seatsToKeep(before: ReplicaSet | undefined, self: Uint8Array): readonly Seat[] {
  const seats = before?.members ?? []
  if (seats[0] === undefined || equalBytes(seats[0].node, self)) return []
  return seats.filter(({ node }) => !equalBytes(node, self))
}

/** Whether the new home has the records still to come: it held no seat, and somebody who did has one now. */
export function mustBeBrought(before: ReplicaSet | undefined, set: ReplicaSet, self: Uint8Array): boolean {
  if (before === undefined || hasSeat(before, self)) return false
  return set.members.some(({ node }) => hasSeat(before, node))
}

/** Where members of a set can be dialled that this node may never have met. */
export async function learnSeats(routing: Routing, log: Log, seats: readonly Seat[]): Promise<void> {
  const learning = seats.map(({ node, addresses }) =>
    routing.learn({ node: toHex(node), addresses: addresses.filter((one) => !one.endsWith('/http')) }),
  )
  for (const result of await Promise.allSettled(learning))
    if (result.status === 'rejected') log.debug('placement.address', { error: String(result.reason) })
}

function hasSeat({ members }: ReplicaSet, node: Uint8Array): boolean {
  return members.some((member) => equalBytes(member.node, node))
}
