import type { Coverage } from './coverage.ts'
import { type Found, fuzz, type FuzzResult, type Target } from './fuzzer.ts'

/** One turn of one target; then the next, so that all get their share. */
const turnInputs = 4_000
/** Each target is tried with so many at least, however little time there is: one that was not tried has no faults. */
export const inputsLeast = 25

export interface TurnsOptions {
  readonly seed: number
  /** By `performance.now()`. */
  readonly untilMs: number
  readonly coverage?: Coverage
  readonly onFault?: (fault: Found) => void
  readonly onTurn?: (turn: number) => void
}

export interface Tried {
  /** One for each target. */
  readonly results: readonly FuzzResult[]
  readonly faults: readonly Found[]
}

/**
 * All targets in turn, again and again. In each round what is left of the time is shared by those that come yet: what quick
 * ones leave goes to the others, and none has the time of all.
 */
export async function takeTurns(targets: readonly Target[], options: TurnsOptions): Promise<Tried> {
  const { seed, untilMs, coverage, onFault, onTurn } = options
  const sums = new Map<string, FuzzResult>()
  const faults: Found[] = []
  for (let turn = 0; turn === 0 || performance.now() < untilMs; turn++) {
    for (const [i, target] of targets.entries()) {
      const nowMs = performance.now()
      if (turn > 0 && nowMs >= untilMs) break
      const before = sums.get(target.name)
      const result = await fuzz(target, {
        seed: seed + turn,
        inputs: turnInputs,
        inputsLeast: turn === 0 ? inputsLeast : 0,
        untilMs: nowMs + Math.max(0, untilMs - nowMs) / (targets.length - i),
        kept: before?.kept ?? [],
        ...(coverage && { coverage }),
      })
      for (const fault of result.faults) {
        const isKnown = faults.some((one) => one.target === fault.target && one.problem === fault.problem)
        if (isKnown) continue
        faults.push(fault)
        onFault?.(fault)
      }
      sums.set(target.name, added(before, result))
    }
    onTurn?.(turn)
  }
  return { results: [...sums.values()], faults }
}

function added(before: FuzzResult | undefined, result: FuzzResult): FuzzResult {
  if (before === undefined) return result
  return {
    ...result,
    inputs: before.inputs + result.inputs,
    taken: before.taken + result.taken,
    slowestMs: Math.max(before.slowestMs, result.slowestMs),
  }
}
