import { silenceMs } from '../../protocol/placement/mending.ts'
import type { Seat } from '../../protocol/placement/replica-set.ts'

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
  /** Watched shards in which it has a seat or stands by. */
  readonly shards = new Set<number>()

  constructor(index: number, slot: number, seat: Seat, nowMs: number, leavesMs: number) {
    this.index = index
    this.slot = slot
    this.seat = { ...seat, box: this }
    this.sinceMs = nowMs
    this.leavesMs = leavesMs
  }

  /** For how long this one has not heard the other. Whoever comes back was started anew, and remembers nobody. */
  awayMs(other: Box, nowMs: number, heartbeatMs: number): number {
    if (other === this || other.on) return 0
    const heardMs = this.sinceMs <= other.sinceMs ? other.sinceMs : undefined
    return silenceMs({ nowMs, heardMs, startedMs: this.sinceMs, heartbeatMs })
  }
}

/** What decides hands seats back as it was given them. */
export interface BoxSeat extends Seat {
  readonly box: Box
}

export function boxOf(seat: Seat): Box {
  return (seat as BoxSeat).box
}
