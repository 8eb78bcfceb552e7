/** What one would expect without a simulation. Each is told beside what was measured. */
import { bucketSize } from './routing-tables.ts'
import type { Country } from './countries.ts'

export function binomial(n: number, p: number, k: number): number {
  let ways = 1
  for (let i = 0; i < k; i++) ways = (ways * (n - i)) / (i + 1)
  return ways * p ** k * (1 - p) ** (n - k)
}

export interface ChurnTerms {
  /** The home's included. */
  readonly seats: number
  /** Of one node leaving for good, a day. */
  readonly leavesPerDay: number
  /** A seat is lost for so long until another node has the records. */
  readonly mendDays: number
  /** The time that is looked at. */
  readonly days: number
}

/** Seats whose node has left and is not replaced yet are independent of each other. */
export function expectedAlive({ seats, leavesPerDay, mendDays }: ChurnTerms): number {
  return seats * (1 - Math.min(1, leavesPerDay * mendDays))
}

/** All but two are lost and not replaced, and one of these two leaves: shards, of so many, to which that happens. */
export function expectedBelowTwo(
  { seats, leavesPerDay, mendDays, days }: ChurnTerms,
  shards: number,
): number {
  const atTwo = binomial(seats, 1 - Math.min(1, leavesPerDay * mendDays), 2)
  return shards * Math.min(1, atTwo * 2 * leavesPerDay * days)
}

export interface RepairTerms {
  readonly seats: number
  readonly leavesPerDay: number
  /** Times that a node goes off, a day. */
  readonly sessionsPerDay: number
  /** Of these, the share that lasts longer than a seat is kept. */
  readonly longShare: number
}

/**
 * Copies made anew for a shard, a day: of each seat whose node leaves, or stays away for too long and is voted away; and one for the
 * new box of whoever lost theirs.
 */
export function expectedFills({ seats, leavesPerDay, sessionsPerDay, longShare }: RepairTerms): number {
  return seats * (leavesPerDay + sessionsPerDay * longShare) + leavesPerDay
}

/** A push to each other holder, and each of these compares with the others once it is quiet. */
export function expectedWriteRequests(copies: number): number {
  return copies + copies * (copies - 1)
}

/** Every answer brings a node that shares one bit more with the key, and of twenty such the nearest. */
export function expectedHops(nodes: number): number {
  return Math.max(1, Math.ceil(Math.log2(nodes / bucketSize) / Math.log2(2 * bucketSize)))
}

/**
 * How unequal the loads are, as standard deviation over mean: by chance, by what each offers, and because each shard has one copy
 * on another continent, of which small ones get more.
 */
export function expectedImbalance(
  copies: number,
  weights: readonly number[],
  countries: readonly Country[],
): number {
  const mean = average(weights)
  const byOffer = average(weights.map((weight) => (weight / mean - 1) ** 2))
  const shares = new Map<string, number>()
  const total = countries.reduce((sum, { weight }) => sum + weight, 0)
  for (const { continent, weight } of countries)
    shares.set(continent, (shares.get(continent) ?? 0) + weight / total)
  let byPlace = 0
  for (const [continent, share] of shares) {
    let far = 0
    for (const [other, otherShare] of shares) if (other !== continent) far += otherShare / (1 - otherShare)
    byPlace += share * ((copies - 1 + far) / copies - 1) ** 2
  }
  return Math.sqrt(1 / copies + byOffer + byPlace)
}

function average(list: readonly number[]): number {
  return list.reduce((sum, one) => sum + one, 0) / list.length
}
