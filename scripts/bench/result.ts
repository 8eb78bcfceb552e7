/** One figure and what it is judged by. A ratio survives a change of machine; an absolute figure does not. */
export interface Judged {
  readonly figure: number
  /** What was measured beside it in the same run, in the same unit. The ratio is the figure's share of it. */
  readonly limit?: number
  /** The target, a ratio; in the figure's own unit when it is `absolute` or there is no limit. */
  readonly atLeast?: number
  readonly atMost?: number
  readonly absolute?: true
}

export interface BenchResult {
  /** Keyed by figure, unit last: `getPerS`, `latest50P50Ms`. */
  readonly judged: Readonly<Record<string, Judged>>
  /** Told, not judged. */
  readonly figures?: Readonly<Record<string, unknown>>
  readonly limit?: Readonly<Record<string, number>>
  /** Packages whose versions matter to the figures. */
  readonly packages?: readonly string[]
}

/** A bench is a file of benches/ that exports `bench`. */
export type Bench = (context: BenchContext) => Promise<BenchResult>

export interface BenchContext {
  /** `--mb`, for a bench that says that it takes it. */
  readonly mb?: number
  /** `--docs` and `--records`, likewise. */
  readonly docs?: number
  readonly records?: number
  /** An empty folder, removed afterwards. */
  readonly folder: string
  /** A line for the person who waits. */
  note(line: string): void
}

/** `ratio[k]` is compared with `target[k]`, from the side that `sense[k]` names. */
export interface BenchReport {
  readonly name: string
  readonly figures: Readonly<Record<string, unknown>>
  readonly limit: Readonly<Record<string, number>>
  readonly ratio: Readonly<Record<string, number>>
  readonly target: Readonly<Record<string, number>>
  readonly sense: Readonly<Record<string, 'atLeast' | 'atMost'>>
  readonly met: boolean
  readonly versions: Readonly<Record<string, string>>
}

/** An absolute target is told as the ratio it amounts to in this run; where no limit was measured it is the limit. */
export function report(
  name: string,
  result: BenchResult,
  versions: Readonly<Record<string, string>>,
): BenchReport {
  const figures: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(result.figures ?? {}))
    figures[key] = typeof value === 'number' ? round(value) : value
  const limit: Record<string, number> = { ...result.limit }
  const ratio: Record<string, number> = {}
  const target: Record<string, number> = {}
  const sense: Record<string, 'atLeast' | 'atMost'> = {}
  let met = true
  for (const [key, { figure, limit: measured, atLeast, atMost, absolute }] of Object.entries(result.judged)) {
    const bound = atLeast ?? atMost
    if (bound === undefined || (atLeast !== undefined && atMost !== undefined))
      throw new Error(`${name}: ${key} needs a target, one of atLeast and atMost`)
    figures[key] = round(figure)
    const whole = measured ?? bound
    // Judged as measured, printed rounded. A figure that is not a number meets nothing.
    const share = figure / whole
    const wanted = absolute || measured === undefined ? bound / whole : bound
    met &&= atLeast === undefined ? share <= wanted : share >= wanted
    limit[key] = round(whole)
    ratio[key] = round(share)
    target[key] = round(wanted)
    sense[key] = atLeast === undefined ? 'atMost' : 'atLeast'
  }
  return { name, figures, limit, ratio, target, sense, met, versions }
}

/** Four digits that mean something. */
function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : value
}
