/** One figure and what it is judged by. A ratio survives a change of machine; an absolute figure does not. */
export interface Judged {
  readonly figure: number
  /** What was measured beside it in the same run: the figure is judged as a share of it. Else it is judged itself. */
  readonly limit?: number
  /** The target, as a share of the limit where there is one, else in the figure's own unit. */
  readonly atLeast?: number
  readonly atMost?: number
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

/** Without a limit of its own, a figure's ratio is its share of the target, whose own is then 1. */
export function report(
  name: string,
  result: BenchResult,
  versions: Readonly<Record<string, string>>,
): BenchReport {
  const figures: Record<string, unknown> = { ...result.figures }
  const limit: Record<string, number> = { ...result.limit }
  const ratio: Record<string, number> = {}
  const target: Record<string, number> = {}
  const sense: Record<string, 'atLeast' | 'atMost'> = {}
  let met = true
  for (const [key, { figure, limit: measured, atLeast, atMost }] of Object.entries(result.judged)) {
    const bound = atLeast ?? atMost
    if (bound === undefined || (atLeast !== undefined && atMost !== undefined))
      throw new Error(`${name}: ${key} needs a target, one of atLeast and atMost`)
    figures[key] = round(figure)
    limit[key] = round(measured ?? bound)
    // Judged as measured, printed rounded.
    const share = figure / (measured ?? bound)
    ratio[key] = round(share)
    target[key] = measured === undefined ? 1 : bound
    sense[key] = atLeast === undefined ? 'atMost' : 'atLeast'
    // A figure that is not a number meets nothing.
    met &&= atLeast === undefined ? share <= target[key] : share >= target[key]
  }
  return { name, figures, limit, ratio, target, sense, met, versions }
}

/** Four digits that mean something. */
function round(value: number): number {
  return Number.isFinite(value) ? Number(value.toPrecision(4)) : value
}
