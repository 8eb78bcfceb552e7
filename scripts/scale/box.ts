import { absenceMs } from '../../protocol/placement/absence.ts'
import type { Seat } from '../../protocol/placement/replica-set.ts'
import { Past } from './past.ts'

/** A node that is followed, as some watched shard has or may get a copy there. */
export class Box {
  readonly index: number
  readonly slot: number
  readonly seat: BoxSeat
  /** When it leaves for good. */
  readonly leavesMs: number
  on = true
  gone = false
  /** Since when it is on, or off. */
  sinceMs: number
  untilMs = 0
  readonly #past = new Past()
  /** Watched shards in which it has a seat or stands by. */
  readonly shards = new Set<number>()

  constructor(index: number, slot: number, seat: Seat, nowMs: number, leavesMs: number) {
    this.index = index
    this.slot = slot
    this.seat = { ...seat, box: this }
    this.sinceMs = nowMs
    this.leavesMs = leavesMs
  }

  /** Goes off, or on again. */
  turn(nowMs: number): void {
    if (this.on) this.#past.end(this.sinceMs, nowMs)
    this.on = !this.on
    this.sinceMs = nowMs
  }

  leave(nowMs: number): void {
    if (this.on) this.turn(nowMs)
    this.gone = true
    this.untilMs = Number.POSITIVE_INFINITY
  }

  /** For how long this one has missed the other, by all of its times on since both were last on at once. Somebody else is always heard. */
  absentMs(other: Box, nowMs: number, heartbeatMs: number): number {
    if (other === this || other.on) return 0
    const metMs = other.#past.lastMet(this.#past, this.on ? this.sinceMs : Number.POSITIVE_INFINITY)
    const thisRunMs = this.on ? nowMs - Math.max(this.sinceMs, metMs) : 0
    const beforeMs = metMs >= this.sinceMs ? 0 : this.#past.onMsSince(metMs)
    const awayMs = absenceMs({ beforeMs, sinceMs: 0 }, thisRunMs, heartbeatMs)
    return awayMs <= heartbeatMs * 2 ? 0 : awayMs
  }
}

/** What decides hands seats back as it was given them. */
export interface BoxSeat extends Seat {
  readonly box: Box
}

export function boxOf(seat: Seat): Box {
  return (seat as BoxSeat).box
}
