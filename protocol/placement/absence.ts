/** How long others were away, as one node saw it over all of its runs. */

/**
 * Runs only while its node is on and hears somebody: whoever was off, asleep or cut off does not take its own absence for that of others.
 * No Unix time goes in, which may jump by years.
 */
export class HearingClock {
  readonly #gapMs: number
  #readMs = 0
  #heardMs: number | undefined

  constructor(heartbeatMs: number) {
    // A heartbeat may be lost.
    this.#gapMs = heartbeatMs * 2
  }

  /** Somebody was heard; by the node's monotonic clock. */
  heard(nowMs: number): void {
    this.#readMs = this.readMs(nowMs)
    this.#heardMs = nowMs
  }

  /** From 0 at the node's start. Never goes back. */
  readMs(nowMs: number): number {
    return this.#readMs + Math.min(nowMs - (this.#heardMs ?? nowMs), this.#gapMs)
  }
}

/** Of one node that another listens for. */
export interface Absence {
  /** Missed in earlier runs, and not heard in this one. */
  readonly beforeMs: number
  /** By the hearing clock: when it was heard, or listened for at first. */
  readonly sinceMs: number
}

/** Over all runs: what is to be remembered. */
export function missedMs({ beforeMs, sinceMs }: Absence, readMs: number): number {
  return beforeMs + readMs - sinceMs
}

/** Who was just started may not have met everybody yet: so many heartbeats long it judges nobody by what it remembers. */
export const meetingHeartbeats = 15

/** As it counts for taking a seat away. */
export function absenceMs(absence: Absence, readMs: number, heartbeatMs: number): number {
  const hereMs = readMs - absence.sinceMs
  return hereMs < heartbeatMs * meetingHeartbeats ? hereMs : missedMs(absence, readMs)
}
