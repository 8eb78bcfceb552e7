import type { Seat } from '../../protocol/placement/replica-set.ts'
import { hasEmptySeats, isMore, type IsGone } from '../../protocol/placement/seating.ts'
import type { KnownSet } from '../../protocol/placement/mending.ts'
import type { Config } from '../../daemon/config.ts'
import { Draw } from '../trial/data/draw.ts'
import { Agenda } from './agenda.ts'
import { boxOf, type Box } from './box.ts'
import { Boxes, type Pace } from './boxes.ts'
import { failingTogether, nextLookMs, nextStep, propose, type ChoiceParts } from './choice.ts'
import { events } from './events.ts'
import type { Population } from './population.ts'
import { dayMs } from './profile.ts'
import type { RoutingTables } from './routing-tables.ts'
import type { Sessions } from './sessions.ts'
import { Shard } from './shard.ts'

/** A person's app is opened once a day. */
const appEveryMs = dayMs
/** So long after their box is gone people have another one. */
export const newBoxAfterMs = 7 * dayMs
/** A home's uplink, 20 Mbit/s. */
export const uplinkBytesPerMs = 2_500

export interface YearOptions {
  readonly population: Population
  readonly tables: RoutingTables
  readonly sessions: Sessions
  readonly pace: Pace
  readonly days: number
  readonly seed: number
  readonly watched: number
  readonly shardBytes: number
  readonly hosting: Config['hosting']
  readonly sha256: (bytes: Uint8Array) => Uint8Array
}

/** What became of the copies on one day, over all shards that are watched. */
export interface Day {
  readonly alive: number
  readonly reachable: number
  readonly bytes: number
}

export interface Year {
  readonly shards: readonly Shard[]
  readonly days: readonly Day[]
  /** The sets of the beginning: placement as such, before anything happened. */
  readonly first: readonly KnownSet[]
  readonly followed: number
  readonly counts: Readonly<Record<Counted, number>>
}

type Counted = 'sessions' | 'left' | 'steps' | 'fills' | 'signedAnew' | 'movedIn' | 'lost' | 'failingTogether'

/** Events of a virtual time: who comes and goes is drawn, what is decided is what nodes and apps decide. */
export function liveThrough(options: YearOptions): Year {
  return new Story(options).run()
}

interface Fill {
  readonly shard: Shard
  readonly box: Box
  readonly startedMs: number
}

class Story {
  readonly #options: YearOptions
  readonly #agenda = new Agenda()
  readonly #boxes: Boxes
  readonly #draw: Draw
  readonly #parts: ChoiceParts
  readonly #shards: Shard[] = []
  readonly #fills: Fill[] = []
  readonly #days: Day[] = []
  #bytes = 0
  readonly #counts: Record<Counted, number> = {
    sessions: 0,
    left: 0,
    steps: 0,
    fills: 0,
    signedAnew: 0,
    movedIn: 0,
    lost: 0,
    failingTogether: 0,
  }

  constructor(options: YearOptions) {
    const { population, tables, sessions, pace, seed, sha256, hosting } = options
    this.#options = options
    this.#draw = new Draw(seed)
    this.#boxes = new Boxes(population, this.#agenda, this.#draw, sessions, pace)
    this.#parts = { sha256, hosting, population, tables, boxes: this.#boxes }
  }

  run(): Year {
    const { days } = this.#options
    const first = this.#begin()
    for (let day = 1; day <= days; day++) this.#agenda.add(day * dayMs, events.day, day)
    const endMs = days * dayMs
    while (this.#agenda.take(endMs + 1)) this.#happen(this.#agenda.what, this.#agenda.who)
    for (const shard of this.#shards) shard.count(endMs)
    return {
      shards: this.#shards,
      days: this.#days,
      first,
      followed: this.#boxes.followed,
      counts: this.#counts,
    }
  }

  /** Everybody is at home, and has a first set made and filled. */
  #begin(): KnownSet[] {
    const { population, watched, sha256, seed } = this.#options
    const homes = Array.from({ length: watched }, (_, i) => Math.floor((i * population.size) / watched))
    for (const slot of homes) this.#boxes.follow(slot)
    return homes.map((slot, i) => {
      const owner = sha256(Uint8Array.of(seed & 255, (seed >> 8) & 255, i & 255, (i >> 8) & 255, i >> 16))
      const shard = new Shard(i, owner, this.#boxes.follow(slot))
      this.#shards.push(shard)
      const set = propose(this.#parts, owner, shard.home, undefined, 0)
      for (const seat of set.members) shard.whole.add(boxOf(seat))
      this.#seat(shard, set)
      return set
    })
  }

  #happen(what: number, who: number): void {
    if (what === events.toggle) this.#toggle(this.#boxes.at(who))
    else if (what === events.leave) this.#leave(this.#boxes.at(who))
    else if (what === events.look) this.#look(this.#shards[who] as Shard)
    else if (what === events.app) this.#openApp(this.#shards[who] as Shard)
    else if (what === events.filled) this.#filled(who)
    else if (what === events.moveIn) this.#moveIn(this.#shards[who] as Shard)
    else this.#endDay()
  }

  #toggle(box: Box): void {
    if (box.gone) return
    this.#counts.sessions++
    this.#boxes.toggle(box)
    const staysAway = !box.on && box.untilMs - box.sinceMs >= this.#options.hosting.replaceAfterMs
    this.#tell(box, staysAway)
  }

  #leave(box: Box): void {
    const { nowMs } = this.#agenda
    this.#counts.left++
    this.#boxes.leave(box)
    for (const index of box.shards) {
      const shard = this.#shards[index] as Shard
      if (shard.home === box) this.#agenda.add(nowMs + newBoxAfterMs, events.moveIn, index)
    }
    this.#tell(box, true)
  }

  /** To the shards that it has to do with: who of them is away for long is to be looked for then. */
  #tell(box: Box, staysAway: boolean): void {
    const { nowMs } = this.#agenda
    const lookMs = box.sinceMs + this.#options.hosting.replaceAfterMs + 1
    for (const index of box.shards) {
      const shard = this.#shards[index] as Shard
      shard.count(nowMs)
      if (staysAway) this.#agenda.add(Math.max(nowMs, lookMs), events.look, index)
      if (shard.toFill.size > 0 && box.on) this.#fillAll(shard)
      if (shard.isIll) this.#look(shard)
    }
  }

  #look(shard: Shard): void {
    const { nowMs } = this.#agenda
    const { hosting } = this.#options
    if (shard.set === undefined) return
    for (;;) {
      const step = nextStep(this.#parts, shard.set, nowMs)
      if (step === undefined) break
      this.#counts.steps++
      this.#seat(shard, step)
    }
    this.#awaitApp(shard)
    const { members, copies } = shard.set
    shard.isIll =
      members.length <= copies ||
      members.some((seat) => !boxOf(seat).on && nowMs - boxOf(seat).sinceMs >= hosting.replaceAfterMs)
    if (!shard.isIll) return
    if (shard.nextLookMs <= nowMs) shard.nextLookMs = Number.POSITIVE_INFINITY
    const nextMs = nextLookMs(shard.set, hosting, nowMs)
    if (nextMs >= shard.nextLookMs) return
    shard.nextLookMs = nextMs
    this.#agenda.add(nextMs, events.look, shard.index)
  }

  /** Takes a set: whoever is new is filled, whoever lost the seat counts no more. */
  #seat(shard: Shard, set: KnownSet): void {
    const { nowMs } = this.#agenda
    for (const seat of [...(shard.set?.members ?? []), ...(shard.set?.standby ?? [])])
      boxOf(seat).shards.delete(shard.index)
    shard.set = set
    const seated = new Set(set.members.map(boxOf))
    for (const box of [...seated, ...set.standby.map(boxOf), shard.home]) box.shards.add(shard.index)
    // A home that was away for so long that it lost its seat still has what it had.
    for (const box of shard.whole) if (!seated.has(box) && box !== shard.home) shard.whole.delete(box)
    for (const box of shard.toFill) if (!seated.has(box)) shard.toFill.delete(box)
    for (const box of seated) if (!shard.whole.has(box)) shard.toFill.add(box)
    const before = shard.leastAlive
    shard.count(nowMs)
    if (before >= 2 && shard.leastAlive < 2) shard.fellAsSeated = true
    this.#fillAll(shard)
    this.#counts.failingTogether += failingTogether(set)
    this.#awaitApp(shard)
  }

  /** An app that is opened while nothing is wrong does nothing, and is left out. */
  #awaitApp(shard: Shard): void {
    if (shard.appWaits || !this.#needsApp(shard)) return
    shard.appWaits = true
    const { nowMs } = this.#agenda
    this.#agenda.add(nowMs + this.#draw.fraction() * appEveryMs, events.app, shard.index)
  }

  /** Or will, once its home has been on for long enough to know. */
  #needsApp({ set }: Shard): boolean {
    const { nowMs } = this.#agenda
    const { replaceAfterMs } = this.#options.hosting
    const isAway: IsGone = (seat) => {
      const { on, sinceMs } = boxOf(seat as Seat)
      return !on && nowMs - sinceMs >= replaceAfterMs
    }
    return set !== undefined && hasEmptySeats(set, isAway)
  }

  #fillAll(shard: Shard): void {
    if (!hasSource(shard)) return
    for (const box of shard.toFill) {
      if (!box.on) continue
      shard.toFill.delete(box)
      this.#fills.push({ shard, box, startedMs: this.#agenda.nowMs })
      const lastsMs = this.#options.shardBytes / uplinkBytesPerMs
      this.#agenda.add(this.#agenda.nowMs + lastsMs, events.filled, this.#fills.length - 1)
    }
  }

  #filled(fill: number): void {
    const { shard, box, startedMs } = this.#fills[fill] as Fill
    if (!shard.set?.members.some((seat) => boxOf(seat) === box) || shard.whole.has(box)) return
    // Whoever was switched off in between begins again.
    if (!box.on || box.sinceMs > startedMs || !hasSource(shard)) {
      if (!box.gone) shard.toFill.add(box)
      this.#fillAll(shard)
      return
    }
    this.#counts.fills++
    this.#bytes += this.#options.shardBytes
    shard.whole.add(box)
    shard.count(this.#agenda.nowMs)
  }

  /** What client/seats.ts does when an app is connected to the home. */
  #openApp(shard: Shard): void {
    const { nowMs } = this.#agenda
    shard.appWaits = false
    const { set, home } = shard
    if (set === undefined || !this.#needsApp(shard)) return
    const { heartbeatMs, replaceAfterMs } = this.#options.hosting
    const isGone: IsGone = (seat) => home.absentMs(boxOf(seat as Seat), nowMs, heartbeatMs) >= replaceAfterMs
    if (home.on && hasEmptySeats(set, isGone) && mayGetMore(set, home, isGone)) {
      const proposed = propose(this.#parts, shard.owner, home, set, nowMs)
      if (isMore(proposed, set, isGone)) {
        this.#counts.signedAnew++
        this.#seat(shard, proposed)
        if (shard.appWaits) return
      }
    }
    if (home.gone || !this.#needsApp(shard)) return
    shard.appWaits = true
    this.#agenda.add(nowMs + appEveryMs, events.app, shard.index)
  }

  /** `onehop recover`, at another box: once somebody who has the records answers. */
  #moveIn(shard: Shard): void {
    const { nowMs } = this.#agenda
    if (shard.alive === 0) {
      this.#counts.lost++
      return
    }
    const { slot } = shard.home
    const isFree = this.#boxes.get(slot)?.on !== false
    if (!isFree || shard.reachable === 0) {
      this.#agenda.add(nowMs + appEveryMs, events.moveIn, shard.index)
      return
    }
    this.#counts.movedIn++
    shard.home = this.#boxes.follow(slot)
    this.#seat(shard, propose(this.#parts, shard.owner, shard.home, shard.set, nowMs))
  }

  #endDay(): void {
    let [alive, reachable] = [0, 0]
    for (const shard of this.#shards) {
      alive += shard.alive
      reachable += shard.reachable
    }
    const count = this.#shards.length
    const bytes = this.#bytes - this.#days.reduce((sum, day) => sum + day.bytes, 0)
    this.#days.push({ alive: alive / count, reachable: reachable / count, bytes })
  }
}

function hasSource(shard: Shard): boolean {
  for (const box of shard.whole) if (box.on) return true
  return false
}

/** Whom the home does not hear it leaves out, and it proposes no more than are wanted: with such a set it need not try. */
function mayGetMore({ members, copies }: KnownSet, home: Box, isGone: IsGone): boolean {
  const [first] = members
  if (first === undefined || boxOf(first) !== home) return true
  const here = members.filter((seat) => !isGone(seat))
  if (here.length > copies + 1) return false
  return here.length <= copies || here.every((seat) => boxOf(seat).on)
}
