/** A person comes to live on a node while others hold their shard: after a recovery, or with a new box. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import type { ReplicaSet, Seat } from '../../protocol/placement/replica-set.ts'
import type { Log } from '../../protocol/ports.ts'
import type { Routing } from '../net/rpc.ts'

/** Who is to bring the records to a new home, which held no seat: those who held one before and have one now. */
export function broughtBy(
  before: ReplicaSet | undefined,
  set: ReplicaSet,
  self: Uint8Array,
): readonly Uint8Array[] {
  if (before === undefined || hasSeat(before, self)) return []
  return set.members.flatMap(({ node }) => (hasSeat(before, node) ? [node] : []))
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
