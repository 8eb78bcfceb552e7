/**
 * What members decide of a shard that misses somebody: who drafts the next step, what it is, who agrees. Decided from the set
 * and from how long each node was silent, as the one who decides sees it. Leases, promises and signatures are the daemon's.
 */
import { equalBytes } from '../bytes.ts'
import { limits } from '../limits.ts'
import { candidateOf } from './candidate.ts'
import { chooseHolders } from './rendezvous.ts'
import { seatChanges, type ReplicaSet, type Seat, type SignedReplicaSet } from './replica-set.ts'

/** 0 while the node is heard; else for how long it was not. */
export type AwayMs = (seat: Seat) => number

/** What one node knows of another, all by its own monotonic clock. */
export interface Heard {
  readonly nowMs: number
  /** Undefined: not since this node started. */
  readonly heardMs: number | undefined
  readonly startedMs: number
  readonly heartbeatMs: number
}

/** A heartbeat may be lost. Who was never heard is away since this node's own start, which remembers nobody. */
export function silenceMs({ nowMs, heardMs, startedMs, heartbeatMs }: Heard): number {
  const sinceMs = nowMs - (heardMs ?? startedMs)
  return sinceMs <= heartbeatMs * 2 ? 0 : sinceMs
}

/** A draft needs no signature, only the name of what it follows. */
export type KnownSet = ReplicaSet & Pick<SignedReplicaSet, 'hash'>

/** Computed, never stored: the first member, in the set's order, that is heard. */
export function coordinatorOf<Member>(
  members: readonly Member[],
  awayMs: (member: Member) => number,
  suspectAfterMs: number,
): Member | undefined {
  return members.find((member) => awayMs(member) < suspectAfterMs)
}

/** As many seats as there should be, and nobody in them who stayed away too long. */
export function isWhole(
  { members, copies }: Pick<ReplicaSet, 'members' | 'copies'>,
  isDead: (seat: Seat, place: number) => boolean,
): boolean {
  return !members.some(isDead) && members.filter(stays).length > copies
}

/**
 * The dead member out, the best standby in its seat. Where too few are left to vote it out, only the newcomer:
 * two suffice for that, and with it there may be enough for the vote. Undefined where nothing can be done.
 */
export function draftStep(
  sha256: (bytes: Uint8Array) => Uint8Array,
  set: KnownSet,
  awayMs: AwayMs,
  replaceAfterMs: number,
): ReplicaSet | undefined {
  if (set.step + 1 >= limits.replicaSetStepsMax) return undefined // the owner has to sign again
  const isDead = (seat: Seat): boolean => awayMs(seat) >= replaceAfterMs
  const heard = set.members.filter((member) => awayMs(member) === 0).length
  const canRemove = heard > set.members.length / 2
  if (!canRemove && heard < Math.min(2, set.members.length)) return undefined
  const dead = canRemove ? set.members.find(isDead) : undefined
  const staying = set.members.filter((member) => member !== dead)
  const alive = staying.filter((member) => stays(member) && !isDead(member)).length
  const isFull = alive > set.copies || staying.length >= limits.replicaSetMembersMax
  const newcomer = isFull ? undefined : chooseNewcomer(sha256, set, staying, awayMs)
  // A dead member is better than an empty seat: it may come back.
  if (newcomer === undefined && (dead === undefined || alive <= set.copies)) return undefined
  return {
    ...set,
    step: set.step + 1,
    previous: set.hash,
    members: newcomer === undefined ? staying : [...staying, newcomer],
    standby: set.standby.filter((seat) => seat !== newcomer),
  }
}

/**
 * Its own eyes: nobody is voted out because one node cannot hear it. Half the time, as clocks start apart. Nor does anybody come who
 * is as good as gone, or where nobody is missed, or are others taken off the list: what a member signs binds it, so that one member
 * could have all others wait for somebody who never comes.
 */
export function agreesToStep(
  step: ReplicaSet,
  before: ReplicaSet,
  awayMs: AwayMs,
  replaceAfterMs: number,
): boolean {
  const { added, removed } = seatChanges(step, before)
  const isGone = (seat: Seat): boolean => awayMs(seat) >= replaceAfterMs / 2
  const isListKept = step.standby.length + added.length >= before.standby.length
  const alive = step.members.filter((seat) => stays(seat) && !isGone(seat)).length - added.length
  // Beside a removal the number stays, whoever else this node takes for alive.
  const isMissed = added.length === 0 || removed.length > 0 || alive <= before.copies
  return isListKept && isMissed && removed.every(isGone) && !added.some(isGone)
}

function chooseNewcomer(
  sha256: (bytes: Uint8Array) => Uint8Array,
  set: ReplicaSet,
  staying: readonly Seat[],
  awayMs: AwayMs,
): Seat | undefined {
  const willing = set.standby.filter((seat) => awayMs(seat) === 0)
  const [home] = staying
  const candidates = willing.map((seat) => candidateOf(seat))
  const held = staying.map((seat) => candidateOf(seat))
  const [chosen] = chooseHolders(sha256, set.shard, candidates, {
    count: 1,
    held,
    near: home?.region ?? '/',
  })
  return willing.find(({ node }) => chosen !== undefined && equalBytes(node, chosen.node))
}

/** A guest's copy is one beside those that there should be. */
function stays({ role }: Seat): boolean {
  return role !== 'guest'
}
