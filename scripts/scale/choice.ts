/** The home's proposal, and what members take as the next step: all by the product's own decisions. */
import {
  agreesToStep,
  coordinatorOf,
  draftStep,
  isWhole,
  type AwayMs,
  type KnownSet,
} from '../../protocol/placement/mending.ts'
import { meetingHeartbeats } from '../../protocol/placement/absence.ts'
import { candidateOf } from '../../protocol/placement/candidate.ts'
import { failTogether } from '../../protocol/placement/rendezvous.ts'
import type { Candidate } from '../../protocol/placement/rendezvous.ts'
import { signaturesNeeded, type ReplicaSet, type Seat } from '../../protocol/placement/replica-set.ts'
import { chooseNew, chooseStandby, chooseStaying, seatsToAsk } from '../../protocol/placement/seating.ts'
import type { Config } from '../../daemon/config.ts'
import type { Box, BoxSeat } from './box.ts'
import { boxOf } from './box.ts'
import type { Boxes } from './boxes.ts'
import type { PlacedCandidate, Population } from './population.ts'
import type { RoutingTables } from './routing-tables.ts'

export interface ChoiceParts {
  readonly sha256: (bytes: Uint8Array) => Uint8Array
  readonly hosting: Config['hosting']
  readonly population: Population
  readonly tables: RoutingTables
  readonly boxes: Boxes
}

/** Nobody signs, so a set needs no name of its own. */
const unnamed = new Uint8Array(32)

/** What a home proposes: whoever is heard, as Placement.propose does. */
export function propose(
  { sha256, hosting, population, tables, boxes }: ChoiceParts,
  owner: Uint8Array,
  box: Box,
  before: KnownSet | undefined,
  nowMs: number,
): KnownSet {
  const { copies, firstLeaseBytes, heartbeatMs, leaseMs } = hosting
  const home = population.candidate(box.slot)
  const wanted = { shard: owner, home, copies }
  const isHeard = (seat: BoxSeat): boolean => box.absentMs(seat.box, nowMs, heartbeatMs) === 0
  const asked = seatsToAsk(before, home.node, (seat) => isHeard(seat as BoxSeat)) as readonly BoxSeat[]
  // Who is on answers, and promises again.
  const promised = asked
    .filter((seat) => seat.box.on)
    .map((seat) => ({ ...candidateOf(seat), slot: seat.box.slot }))
  const staying = chooseStaying(sha256, wanted, before, promised, () => false) as PlacedCandidate[]
  const candidates = tables
    .neighbours(box.slot)
    .filter((slot) => population.offeredBytes(slot) >= firstLeaseBytes && boxes.isOn(slot))
    .map((slot) => population.candidate(slot))
  const chosen = chooseNew(sha256, wanted, staying, candidates) as PlacedCandidate[]
  const members = [...staying, ...chosen]
  const standby = chooseStandby(sha256, wanted, members, candidates) as PlacedCandidate[]
  const seatOf = ({ slot }: PlacedCandidate): BoxSeat => boxes.follow(slot).seat
  return {
    owner,
    shard: owner,
    epoch: (before?.epoch ?? 0) + 1,
    step: 0,
    previous: before?.hash,
    hash: unnamed,
    members: [{ ...box.seat, role: 'home' } as BoxSeat, ...members.map(seatOf)],
    standby: standby.map(seatOf),
    copies,
    expiresMs: nowMs + leaseMs,
  }
}

/** What the members that are on bring about just now, as Repair does at every heartbeat; undefined: nothing. */
export function nextStep(
  { sha256, hosting }: Pick<ChoiceParts, 'sha256' | 'hosting'>,
  set: KnownSet,
  nowMs: number,
): KnownSet | undefined {
  const { heartbeatMs, suspectAfterMs, replaceAfterMs } = hosting
  const on = set.members.map(boxOf).filter((box) => box.on)
  // A look that can find nothing is left out.
  const isShort = set.members.length <= set.copies
  if (!isShort && !set.members.some((seat) => isOffFor(seat, nowMs, replaceAfterMs))) return undefined
  for (const self of on) {
    const awayMs: AwayMs = (seat) => self.absentMs(boxOf(seat), nowMs, heartbeatMs)
    const coordinator = coordinatorOf(set.members, awayMs, suspectAfterMs)
    if (coordinator === undefined || boxOf(coordinator) !== self) continue
    if (isWhole(set, (seat) => awayMs(seat) >= replaceAfterMs)) continue
    const step = draftStep(sha256, set, awayMs, replaceAfterMs)
    if (step === undefined) continue
    const signers = on.filter(
      (box) =>
        box === self ||
        agreesToStep(step, set, (seat) => box.absentMs(boxOf(seat), nowMs, heartbeatMs), replaceAfterMs),
    )
    if (signers.length >= signaturesNeeded(step, set)) return { ...step, hash: unnamed }
  }
  return undefined
}

/** When, should nobody come or go meanwhile, somebody will see it otherwise. */
export function nextLookMs(
  set: KnownSet,
  { heartbeatMs, suspectAfterMs, replaceAfterMs }: Config['hosting'],
  nowMs: number,
): number {
  let nextMs = Number.POSITIVE_INFINITY
  const boxes = set.members.map(boxOf)
  for (const self of boxes) {
    if (!self.on) continue
    for (const other of boxes) {
      if (other.on) continue
      const absentMs = self.absentMs(other, nowMs, heartbeatMs)
      const inMs = [suspectAfterMs, replaceAfterMs / 2, replaceAfterMs].map((afterMs) => afterMs - absentMs)
      // Whoever was just started remembers a little later.
      for (const atMs of [
        ...inMs.map((ms) => nowMs + ms + 1),
        self.sinceMs + heartbeatMs * meetingHeartbeats + 1,
      ])
        if (atMs > nowMs && atMs < self.untilMs && atMs < nextMs) nextMs = atMs
    }
  }
  return nextMs
}

function isOffFor(seat: Seat, nowMs: number, forMs: number): boolean {
  const { on, sinceMs } = boxOf(seat)
  return !on && nowMs - sinceMs >= forMs
}

/** Seats of one set that would fail together; there must be none. */
export function failingTogether({ members }: ReplicaSet): number {
  const seats: Candidate[] = members.map((seat) => candidateOf(seat))
  let pairs = 0
  for (const [i, one] of seats.entries())
    for (const other of seats.slice(i + 1)) if (failTogether(one, other)) pairs++
  return pairs
}
