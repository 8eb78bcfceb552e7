/** How fast a story goes, all of it in virtual milliseconds. */
export interface Pace {
  /** By so much the times of nodes and of faults are longer than in a short story. */
  readonly scale: number
  readonly operationEveryMs: number
  readonly forgeEveryMs: number
  readonly falseStepEveryMs: number
  readonly wholeEveryMs: number
  readonly faultEveryMs: number
  /** How far ahead a forged record is dated: the story must not get there. */
  readonly aheadMs: number
  /** Of a stretch in which nothing is drawn so much is passed at once, as by boxes that sleep; undefined: nothing is. */
  readonly skipMs: number | undefined
}

export const shortPace: Pace = {
  scale: 1,
  operationEveryMs: 50,
  forgeEveryMs: 500,
  falseStepEveryMs: 2_000,
  wholeEveryMs: 400,
  faultEveryMs: 4_000,
  aheadMs: 6 * 60_000,
  skipMs: undefined,
}

const hourMs = 3_600_000

/** A heartbeat an hour: what takes seconds in a short story takes hours. */
export const longPace: Pace = {
  scale: 3_600,
  operationEveryMs: hourMs,
  forgeEveryMs: 8 * hourMs,
  falseStepEveryMs: 12 * hourMs,
  wholeEveryMs: 6 * hourMs,
  faultEveryMs: 12 * hourMs,
  aheadMs: 400 * 24 * hourMs,
  skipMs: 0.75 * hourMs,
}
