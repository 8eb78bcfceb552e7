/** Whom the first set of an epoch seats: those who stay, those who come, those who stand by. */
import { equalBytes } from '../bytes.ts'
import { limits } from '../limits.ts'
import { chooseHolders, type Candidate } from './rendezvous.ts'
import type { ReplicaSet, Seat } from './replica-set.ts'

type Sha256 = (bytes: Uint8Array) => Uint8Array

export interface Wanted {
  readonly shard: Uint8Array
  readonly home: Candidate
  /** Beside the home. */
  readonly copies: number
}

/** Willing nodes named beside the members, from which the members may fill a seat without the owner. */
const standbyMax = 4

/** Whoever holds a copy keeps its seat, as long as it answers and promises the bytes anew: a copy that moves is one more to make. */
export function seatsToKeep(before: ReplicaSet | undefined, self: Uint8Array): readonly Seat[] {
  return (before?.members ?? []).filter(({ node }) => !equalBytes(node, self))
}

/** By the set as it stands, or as nobody has signed one yet. */
function isHomeOf(before: ReplicaSet | undefined, self: Uint8Array): boolean {
  const home = before?.members[0]
  return home === undefined || equalBytes(home.node, self)
}

/** Who is asked for another promise. A new home may not have heard of them yet: its records have to come from there. */
export function seatsToAsk(
  before: ReplicaSet | undefined,
  self: Uint8Array,
  isHeard: (seat: Seat) => boolean,
): readonly Seat[] {
  const isHome = isHomeOf(before, self)
  return seatsToKeep(before, self).filter((seat) => seat.role !== 'guest' && (!isHome || isHeard(seat)))
}

/**
 * Of those who promised the bytes again. Fewer copies may be wanted than there were, but none goes that has something
 * still to bring; and a new home sends nobody away.
 */
export function chooseStaying(
  sha256: Sha256,
  { shard, home, copies }: Wanted,
  before: ReplicaSet | undefined,
  promised: readonly Candidate[],
  brings: (candidate: Candidate) => boolean,
): Candidate[] {
  if (!isHomeOf(before, home.node)) return promised.slice(0, limits.replicaSetMembersMax - 1)
  const needed = promised.filter(brings)
  const count = Math.max(0, copies - needed.length)
  const held = [home, ...needed]
  return [...needed, ...chooseHolders(sha256, shard, promised, { count, held, near: home.region })]
}

/** For the seats that are left. */
export function chooseNew(
  sha256: Sha256,
  { shard, home, copies }: Wanted,
  staying: readonly Candidate[],
  candidates: readonly Candidate[],
): Candidate[] {
  const count = Math.max(0, copies - staying.length)
  const held = [home, ...staying]
  return chooseHolders(sha256, shard, candidates, { count, held, near: home.region })
}

export function chooseStandby(
  sha256: Sha256,
  { shard, home }: Pick<Wanted, 'shard' | 'home'>,
  seated: readonly Candidate[],
  candidates: readonly Candidate[],
): Candidate[] {
  const others = candidates.filter(({ node }) => !seated.some((one) => equalBytes(one.node, node)))
  return chooseHolders(sha256, shard, others, { count: standbyMax, held: [home], near: home.region })
}

/** Not heard by the home for so long that others may have its seat. */
export type IsGone = (seat: Pick<Seat, 'node'>) => boolean

const nobody: IsGone = () => false

/** Fewer in waiting, once others of them are gone, are too few: one may go before the owner's device looks again. */
const standbyLeast = 2

/**
 * Or nobody would take the seat of one that stays away: the owner's device asks for more. A short list of those who are here is
 * all that there was to have; on one that most have left nobody else comes by itself. Nor does a home that lost its seat while it was away.
 */
export function hasEmptySeats(
  { members, standby, copies }: Pick<ReplicaSet, 'members' | 'standby' | 'copies'>,
  isGone: IsGone = nobody,
): boolean {
  const waiting = standby.filter((seat) => !isGone(seat)).length
  const hasLeft = waiting < standby.length && waiting < standbyLeast
  if (!members.some(({ role }) => role === 'home')) return true
  return copies > 0 && (members.length <= copies || standby.length === 0 || hasLeft)
}

/** As after a move, where whoever had a copy before has one still: one more than the owner asked for may go. */
export function hasSurplus({ members, copies }: Pick<ReplicaSet, 'members' | 'copies'>): boolean {
  return members.filter(({ role }) => role !== 'guest').length > copies + 1
}

/** Of those who hold a copy some go, nobody comes, and as many stay as the owner asked for. */
export function isTrimmed(
  proposed: Pick<ReplicaSet, 'members' | 'copies'>,
  known: Pick<ReplicaSet, 'members' | 'copies'>,
): boolean {
  const seats = proposed.members.filter(({ role }) => role !== 'guest')
  const isKnown = ({ node }: Pick<Seat, 'node'>): boolean =>
    known.members.some((one) => equalBytes(one.node, node))
  return (
    hasSurplus(known) &&
    proposed.copies === known.copies &&
    proposed.members.length < known.members.length &&
    seats.length > known.copies &&
    proposed.members.every(isKnown) &&
    seats[0]?.role === 'home'
  )
}

/** Whether it is worth signing. Nobody loses a seat for the sake of those in waiting, or of one that is gone. */
export function isMore(
  proposed: Pick<ReplicaSet, 'members' | 'standby'>,
  known: Pick<ReplicaSet, 'members' | 'standby'>,
  isGone: IsGone = nobody,
): boolean {
  const here = known.members.filter((seat) => !isGone(seat))
  const keeps = here.every(({ node }) => proposed.members.some((one) => equalBytes(one.node, node)))
  if (proposed.members.length > here.length) return keeps || here.length === known.members.length
  if (proposed.members.length < here.length) return false
  return keeps && proposed.standby.length > known.standby.filter((seat) => !isGone(seat)).length
}
