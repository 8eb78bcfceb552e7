import { describe, expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { limits } from '../../protocol/limits.ts'
import {
  agreesToStep,
  coordinatorOf,
  draftStep,
  isWhole,
  silenceMs,
  type AwayMs,
  type KnownSet,
} from '../../protocol/placement/mending.ts'
import { signaturesNeeded, type ReplicaSet, type Seat } from '../../protocol/placement/replica-set.ts'
import {
  chooseStandby,
  hasEmptySeats,
  hasSurplus,
  isMore,
  isTrimmed,
  seatsToAsk,
} from '../../protocol/placement/seating.ts'
import { candidateOf } from '../../protocol/placement/candidate.ts'

const { sha256 } = portableCrypto((length) => new Uint8Array(length))
const hourMs = 3_600_000
const replaceAfterMs = 72 * hourMs

function seat(n: number, role: Seat['role'] = 'replica', region = '/geo/africa/ng'): Seat {
  return {
    node: new Uint8Array(32).fill(n),
    role,
    addresses: [`/ip4/10.0.${n}.1/tcp/1`],
    operator: `operator ${n}`,
    region,
  }
}

const set: KnownSet = {
  owner: new Uint8Array(32),
  shard: new Uint8Array(32),
  epoch: 1,
  step: 0,
  previous: undefined,
  hash: new Uint8Array(32).fill(9),
  members: [seat(1, 'home'), seat(2), seat(3), seat(4)],
  standby: [seat(5), seat(6)],
  copies: 3,
  expiresMs: 0,
}

/** By the number of the node; the others are heard. */
function away(hours: Readonly<Record<number, number>>): AwayMs {
  return ({ node }) => (hours[node[0] as number] ?? 0) * hourMs
}

function numbers(seats: readonly Seat[] = []): number[] {
  return seats.map(({ node }) => node[0] as number)
}

describe('mending', () => {
  const draft = (hours: Readonly<Record<number, number>>, of: KnownSet = set): ReplicaSet | undefined =>
    draftStep(sha256, of, away(hours), replaceAfterMs)

  test('the first that is heard coordinates', () => {
    expect(coordinatorOf(set.members, away({ 1: 2 }), hourMs)).toBe(set.members[1])
    expect(coordinatorOf(set.members, away({ 1: 0.5 }), hourMs)).toBe(set.members[0])
  })

  test('a set is whole while nobody is dead and no seat is empty; a guest fills none', () => {
    const isDead = ({ node }: Seat): boolean => node[0] === 4
    expect(isWhole(set, () => false)).toBe(true)
    expect(isWhole(set, isDead)).toBe(false)
    expect(isWhole({ ...set, members: [...set.members.slice(0, 3), seat(7, 'guest')] }, () => false)).toBe(
      false,
    )
  })

  test('a standby takes the seat of one that is dead, and leaves the list', () => {
    const step = draft({ 3: 72 })
    expect(numbers(step?.members).slice(0, 3)).toEqual([1, 2, 4])
    expect(step?.members).toHaveLength(4)
    expect(step?.standby).toHaveLength(1)
    expect(step?.previous).toBe(set.hash)
    expect(step && signaturesNeeded(step, set)).toBe(3)
    expect(draft({ 3: 71 })).toBeUndefined()
  })

  test('a dead member is better than an empty seat', () => {
    expect(draft({ 3: 72, 5: 1, 6: 1 })).toBeUndefined()
    expect(draft({ 3: 72, 4: 72 })?.members).toHaveLength(5)
    expect(draft({ 2: 72, 3: 72, 4: 72 })).toBeUndefined()
  })

  test('after so many steps the owner has to sign', () => {
    expect(draft({ 3: 72 }, { ...set, step: limits.replicaSetStepsMax - 1 })).toBeUndefined()
  })

  test('a member agrees with its own eyes, after half of the time', () => {
    const step = draft({ 3: 72 }) as ReplicaSet
    expect(agreesToStep(step, set, away({ 3: 36 }), replaceAfterMs)).toBe(true)
    expect(agreesToStep(step, set, away({ 3: 35 }), replaceAfterMs)).toBe(false)
  })

  test('a member binds itself to nobody who is gone, and takes nobody off the list who does not come', () => {
    const added = (members: readonly Seat[], standby: readonly Seat[]): ReplicaSet => ({
      ...set,
      step: 1,
      previous: set.hash,
      members: [...set.members, ...members],
      standby,
    })
    const one = added([seat(5)], [seat(6)])
    expect(agreesToStep(one, set, away({ 3: 36, 5: 35 }), replaceAfterMs)).toBe(true)
    expect(agreesToStep(one, set, away({ 3: 36, 5: 36 }), replaceAfterMs)).toBe(false)
    expect(agreesToStep(added([seat(5)], []), set, away({ 3: 36 }), replaceAfterMs)).toBe(false)
  })

  test('a member lets nobody in while there are as many as there should be', () => {
    const one: ReplicaSet = {
      ...set,
      step: 1,
      previous: set.hash,
      members: [...set.members, seat(5)],
      standby: [seat(6)],
    }
    expect(agreesToStep(one, set, away({}), replaceAfterMs)).toBe(false)
    expect(agreesToStep(one, set, away({ 3: 35 }), replaceAfterMs)).toBe(false)
    expect(agreesToStep(one, { ...set, copies: 4 }, away({}), replaceAfterMs)).toBe(true)
    // In the place of one who is gone, whoever else the one that drafts takes for dead.
    const more = { ...set, copies: 2 }
    const instead = { ...one, copies: 2, members: one.members.filter(({ node }) => node[0] !== 3) }
    expect(agreesToStep(instead, more, away({ 3: 36 }), replaceAfterMs)).toBe(true)
  })

  test('silence counts from the own start, and not within two heartbeats', () => {
    const one = { nowMs: 100_000, startedMs: 10_000, heartbeatMs: 20_000 }
    expect(silenceMs({ ...one, heardMs: undefined })).toBe(90_000)
    expect(silenceMs({ ...one, heardMs: 40_000 })).toBe(60_000)
    expect(silenceMs({ ...one, heardMs: 60_000 })).toBe(0)
  })
})

describe('seating', () => {
  test('a home asks whom it hears to stay, a new one everybody', () => {
    const isHeard = ({ node }: Seat): boolean => node[0] !== 3
    expect(numbers(seatsToAsk(set, seat(1).node, isHeard))).toEqual([2, 4])
    expect(numbers(seatsToAsk(set, seat(8).node, isHeard))).toEqual([1, 2, 3, 4])
    expect(seatsToAsk(undefined, seat(1).node, isHeard)).toEqual([])
  })

  test('nobody stands by who has a seat or would fail with the home', () => {
    const home = candidateOf(seat(1))
    const candidates = [2, 5, 6, 7].map((n) => candidateOf(seat(n)))
    const neighbour = { ...candidateOf(seat(8)), operator: home.operator }
    const seated = [candidateOf(seat(2))]
    const chosen = chooseStandby(sha256, { shard: set.shard, home }, seated, [...candidates, neighbour])
    expect(chosen.map(({ node }) => toHex(node)).toSorted()).toEqual(
      [5, 6, 7].map((n) => toHex(seat(n).node)),
    )
  })

  test('the owner is asked for more while a seat is empty or nobody stands by', () => {
    expect(hasEmptySeats(set)).toBe(false)
    expect(hasEmptySeats({ ...set, standby: [] })).toBe(true)
    expect(hasEmptySeats({ ...set, members: set.members.slice(1) })).toBe(true)
    expect(isMore({ ...set, standby: [seat(5), seat(6), seat(7)] }, set)).toBe(true)
    expect(
      isMore({ members: [...set.members.slice(1), seat(8)], standby: [seat(5), seat(6), seat(7)] }, set),
    ).toBe(false)
  })

  test('the owner is asked as well where others took the seat of the home', () => {
    const members = [...set.members.slice(1), seat(7)]
    expect(hasEmptySeats({ ...set, members })).toBe(true)
    expect(isMore({ ...set, members: [seat(1, 'home'), ...members] }, { ...set, members })).toBe(true)
    // Not for the seat of one that does not answer just now.
    const fewer = [seat(1, 'home'), ...members.slice(1)]
    expect(isMore({ ...set, members: fewer }, { ...set, members })).toBe(false)
  })

  test('of those who stand by one that is away for a while counts, one that is gone does not', () => {
    const gone =
      (...numbered: number[]) =>
      ({ node }: Pick<Seat, 'node'>): boolean =>
        numbered.includes(node[0] as number)
    expect(hasEmptySeats(set, gone(5, 6))).toBe(true)
    expect(hasEmptySeats(set, gone(6))).toBe(true)
    const three = { ...set, standby: [seat(5), seat(6), seat(7)] }
    expect(hasEmptySeats(three, gone(7))).toBe(false)
    expect(hasEmptySeats(three, gone(6, 7))).toBe(true)
    // All that there were are here: asking again would bring nobody.
    expect(hasEmptySeats({ ...set, standby: [seat(5)] }, gone(6))).toBe(false)
    // Members fill the seats of their own from those who stand by.
    expect(hasEmptySeats(set, gone(4))).toBe(false)
    expect(hasEmptySeats({ ...set, copies: 0 }, gone(5, 6))).toBe(false)

    expect(isMore({ ...set, standby: [seat(7)] }, set, gone(5, 6))).toBe(true)
    expect(isMore({ ...set, standby: [seat(6)] }, set, gone(5))).toBe(false)
    expect(isMore({ ...set, standby: [] }, set, gone(5, 6))).toBe(false)
  })

  test('a copy more than was asked for may go, and nobody else goes or comes with it', () => {
    const moved = { ...set, members: [...set.members, seat(7)] }
    expect([hasSurplus(set), hasSurplus(moved)]).toEqual([false, true])
    expect(hasSurplus({ ...set, members: [...set.members, seat(8, 'guest')] })).toBe(false)
    expect(isTrimmed(set, moved)).toBe(true)
    const [home, two, three] = set.members as [Seat, Seat, Seat]
    expect(isTrimmed({ ...set, members: [home, two, three] }, moved)).toBe(false)
    expect(isTrimmed({ ...set, members: [home, two, three, seat(9)] }, moved)).toBe(false)
    expect(isTrimmed({ ...set, members: [two, three, seat(4), seat(7)] }, moved)).toBe(false)
    expect(isTrimmed({ ...set, copies: 2, members: [home, two, three] }, moved)).toBe(false)
    expect(isTrimmed(moved, moved)).toBe(false)
  })

  test('a new list takes the seat from one that is gone, and from nobody else', () => {
    const gone = ({ node }: Pick<Seat, 'node'>): boolean => [4, 5, 6].includes(node[0] as number)
    const [home, two, three] = set.members as [Seat, Seat, Seat]
    const standby = [seat(9)]
    expect(isMore({ members: [home, two, three, seat(8)], standby }, set, gone)).toBe(true)
    expect(isMore({ members: [home, two, three], standby }, set, gone)).toBe(true)
    expect(isMore({ members: [home, two, three], standby: [] }, set, gone)).toBe(false)
    expect(isMore({ members: [home, two, seat(7), seat(8)], standby }, set, gone)).toBe(false)
    expect(isMore({ members: [home, two], standby }, set, gone)).toBe(false)
  })
})
