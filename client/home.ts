/** The home of a person or group: what it alone does and knows, where it may answer, and what is said when it does not. */
import type { UnaryName } from '../protocol/api/operations.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { ReplicaSetChain } from '../protocol/placement/chain.ts'
import type { ReplicaSet, Seat } from '../protocol/placement/replica-set.ts'
import { addressUrl } from './address.ts'
import type { Racer } from './race.ts'

/** What the home of a person or group alone does and knows: other holders have their records, and are asked for those. */
const homeOperations: ReadonlySet<UnaryName> = new Set([
  'identity.host',
  'identity.groups',
  'placement.propose',
  'placement.commit',
])

export function isAtHome(operation: UnaryName): boolean {
  return homeOperations.has(operation)
}

/**
 * Others may have taken its seat while it was away. Its person lives there all the same, and an owner's app that finds it has it
 * seated again: then it is the one to whom the owner gave the seat in this epoch.
 */
export function homeSeat({ newest, sets }: ReplicaSetChain): Seat {
  const seat = seatOfHome(newest) ?? formerHome({ newest, sets })
  if (seat !== undefined) return seat
  throw noHome()
}

/** Undefined where it has its seat. */
export function formerHome({ newest, sets }: Pick<ReplicaSetChain, 'newest' | 'sets'>): Seat | undefined {
  const [first] = sets
  return seatOfHome(newest) === undefined && first !== undefined ? seatOfHome(first) : undefined
}

function seatOfHome({ members }: ReplicaSet): Seat | undefined {
  return members.find(({ role }) => role === 'home')
}

/** `cause`: of whoever was the home. */
export function noHome(cause?: OnehopError): OnehopError {
  return new OnehopError(
    'NOT_HOSTED',
    'no node is the home any more: others took the seat of one that was away',
    {
      cause,
      help: 'Start that node again, and an app of yours has it seated. Or have another one be the home, on its machine: onehop init. Or pair a phone with it: onehop pair.',
    },
  )
}

/** Where its seat says, or at an address of the app's: it may have moved to another port since the set was signed. */
export function homeRacers(
  { node, addresses }: Seat,
  members: readonly Racer[],
  bootstrap: readonly Racer[],
): Racer[] {
  const said = addresses.map(addressUrl).find((url) => url !== undefined)
  const met = members.find((member) => member.node !== undefined && equalBytes(member.node, node))
  const urls = [met?.url, said, ...bootstrap.map(({ url }) => url)].filter((url) => url !== undefined)
  return [...new Set(urls)].map((url) => ({ url, node }))
}

export function homeAway(node: Uint8Array, cause: OnehopError): OnehopError {
  const what = `the home node, ${toHex(node).slice(0, 12)}, does not answer: ${cause.message}`
  return new OnehopError('UNREACHABLE', what.slice(0, 1024), {
    cause,
    help: 'Which groups there are and who holds what is said and changed there alone. Start it, or wait until it is back.',
  })
}
