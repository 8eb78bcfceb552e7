/** One size, one profile: everything that the table tells. */
import { defaultConfig } from '../../daemon/config.ts'
import { hashing } from '../../daemon/crypto/hashing.ts'
import { Draw } from '../trial/data/draw.ts'
import { boxOf } from './box.ts'
import { paceOf } from './boxes.ts'
import { builtInCountries, loadCountries } from './countries.ts'
import {
  binomial,
  expectedAlive,
  expectedBelowTwo,
  expectedFills,
  expectedHops,
  expectedImbalance,
  type ChurnTerms,
  type RepairTerms,
} from './formulas.ts'
import { loadLatencies } from './latencies.ts'
import { lookUp, type Lookup } from './lookup.ts'
import { offerWeights, Population } from './population.ts'
import { dayMs, type Profile } from './profile.ts'
import { RoutingTables } from './routing-tables.ts'
import { builtInSessions, loadSessions } from './sessions.ts'
import { copiesCounted, type Shard } from './shard.ts'
import { durableTimes } from './durable.ts'
import { imbalanceOf } from './imbalance.ts'
import { median, share } from './shares.ts'
import { liveThrough, uplinkBytesPerMs, type Day } from './year.ts'

export interface MeasureOptions {
  readonly nodes: number
  readonly profile: Profile
  readonly days: number
  readonly seed: number
  readonly sessions: string | undefined
  readonly leaveShare: number
  readonly shardBytes: number
  readonly watch: number | undefined
  /** Distributions that are stated here in place of data, so that a test is the same everywhere. */
  readonly builtIn?: boolean
}

const lookups = 1_000
const writes = 2_000
/** Of fewer shards nobody can tell how unequal the loads are. */
const seenLeast = 0.01

export type Measured = ReturnType<typeof measure>
export interface Beside {
  readonly measured: number
  readonly formula: number
}

export function measure(options: MeasureOptions) {
  const { nodes, profile, days, seed, leaveShare, shardBytes, builtIn = false } = options
  const { hosting } = defaultConfig({ XDG_STATE_HOME: '/' })
  const startedMs = performance.now()
  const countries = builtIn ? builtInCountries : loadCountries()
  const sessions = builtIn ? builtInSessions() : loadSessions(options.sessions)
  const latencies = loadLatencies(countries)
  const population = new Population(nodes, seed, countries)
  const tables = new RoutingTables(population, seed)
  const pace = paceOf(profile, sessions, leaveShare)
  const watched = Math.min(nodes, options.watch ?? profile.watched)
  const { sha256 } = hashing
  const year = liveThrough({
    population,
    tables,
    sessions,
    pace,
    days,
    seed,
    watched,
    shardBytes,
    hosting,
    sha256,
  })

  const seats = hosting.copies + 1
  const fillDays = shardBytes / uplinkBytesPerMs / dayMs
  const { availability } = profile
  // Those who miss somebody count only while they are on.
  const keptMs = hosting.replaceAfterMs / availability
  const repair: RepairTerms = {
    seats,
    leavesPerDay: pace.leaveRate * dayMs,
    sessionsPerDay: dayMs / (pace.onMs + pace.offMs),
    longShare: sessions.shareLonger(keptMs / pace.offMs),
  }
  const fillsPerDay = expectedFills(repair)
  const mendDays = keptMs / dayMs + fillDays
  const churn: ChurnTerms = { seats, leavesPerDay: repair.leavesPerDay, mendDays, days }
  const alive = timesOf(year.shards, (shard) => shard.aliveMs)
  const reachable = timesOf(year.shards, (shard) => shard.reachableMs)
  const draw = new Draw(seed + 1)
  const parts = { population, tables, latencies, draw, availability, providers: seats }
  const asked = Array.from({ length: lookups }, () =>
    lookUp(parts, draw.whole(nodes), Math.floor(draw.fraction() * 2 ** 32)),
  )
  const durable = durableTimes(year.first, population, latencies, availability, draw, writes)
  return {
    profile: profile.name,
    nodes,
    days,
    seed,
    watched,
    followed: year.followed,
    sources: { sessions: sessions.source, latencies: latencies.source },
    onHours: round(pace.onMs / 3_600_000),
    offHours: round(pace.offMs / 3_600_000),
    copies: {
      alive: beside(meanOf(alive), expectedAlive(churn)),
      aliveShares: alive.map(round),
      reachable: beside(meanOf(reachable), seats * availability),
      reachableShares: reachable.map(round),
      reachableFormula: reachable.map((_, k) => (k > seats ? 0 : round(binomial(seats, availability, k)))),
      unreachable: beside(reachable[0] as number, (1 - availability) ** seats),
    },
    belowTwo: beside(countLeast(year.shards, 2), expectedBelowTwo(churn, watched)),
    /** Somebody is on for long enough to vote; else nobody is ever replaced. */
    belowTwoAsSeated: year.shards.filter(({ fellAsSeated }) => fellAsSeated).length,
    lost: countLeast(year.shards, 1),
    stuck: year.shards.filter(isStuck).length,
    repair: {
      mbPerNodeDay: beside(
        (year.counts.fills * shardBytes) / 2 ** 20 / watched / days,
        (fillsPerDay * shardBytes) / 2 ** 20,
      ),
      fillsPerShardYear: beside((year.counts.fills / watched / days) * 365, fillsPerDay * 365),
    },
    placement: {
      imbalance:
        watched / nodes < seenLeast
          ? null
          : beside(
              imbalanceOf(year.first, nodes),
              expectedImbalance(hosting.copies, offerWeights, countries),
            ),
      inOneDomain: year.counts.failingTogether,
    },
    write: {
      durableMs: median(durable.second),
      durableP95Ms: share(durable.second, 0.95),
      allMs: median(durable.all),
    },
    lookup: {
      requests: round(asked.reduce((sum, { requests }) => sum + requests, 0) / lookups),
      hops: beside(meanOfFound(asked), expectedHops(nodes)),
      ms: median(asked.map(({ ms }) => ms)),
      p95Ms: share(
        asked.map(({ ms }) => ms),
        0.95,
      ),
      found: asked.filter(({ found }) => found).length / lookups,
    },
    counts: year.counts,
    series: year.days.map((day) => roundDay(day)),
    realS: round((performance.now() - startedMs) / 1_000),
  }
}

/** A seat is lost, and whoever is on the standby list is gone as well: nobody but the owner can name others. */
function isStuck({ set, alive }: Shard): boolean {
  if (set === undefined || alive > set.copies) return false
  return set.standby.length > 0 && set.standby.every((seat) => boxOf(seat).gone)
}

/** Share of the time with 0, 1, 2 ... copies, over all shards. */
function timesOf(shards: readonly Shard[], of: (shard: Shard) => Float64Array): number[] {
  const sums = Array.from({ length: copiesCounted + 1 }, (_, k) =>
    shards.reduce((sum, shard) => sum + (of(shard)[k] as number), 0),
  )
  const all = sums.reduce((sum, one) => sum + one, 0)
  return sums.map((sum) => sum / all)
}

function meanOfFound(asked: readonly Lookup[]): number {
  const found = asked.filter((one) => one.found)
  return found.reduce((sum, { hops }) => sum + hops, 0) / Math.max(1, found.length)
}

function meanOf(shares: readonly number[]): number {
  return shares.reduce((sum, share, k) => sum + share * k, 0)
}

function countLeast(shards: readonly Shard[], below: number): number {
  return shards.filter(({ leastAlive }) => leastAlive < below).length
}

function roundDay({ alive, reachable, bytes }: Day): Day {
  return { alive: round(alive), reachable: round(reachable), bytes }
}

function beside(measured: number, formula: number): Beside {
  return { measured: round(measured), formula: round(formula) }
}

/** To five figures. */
function round(value: number): number {
  return Number(value.toPrecision(5))
}
