import { toHex } from '../../protocol/bytes.ts'
import { createSeededRandom } from '../support/seeded-random.ts'
import type { Coverage } from './coverage.ts'
import { Mutator } from './mutate.ts'

export interface Target {
  readonly name: string
  /** What the inputs are made of. */
  readonly seeds: readonly Uint8Array[]
  /** Whether the input was taken, as it was or in part. Throws a Fault, or what nobody may throw. */
  run(input: Uint8Array): boolean | Promise<boolean>
  /** Where its calls wait in time that is not real. */
  readonly world?: World
}

/** What goes on around a call that waits: 25 virtual seconds of two nodes cost more than most calls may. */
export interface World {
  elapsedMs(): number
  /** So much time without any call. */
  pass(ms: number): Promise<void>
}

/** What an input must not bring about. */
export class Fault extends Error {}

/** One call, on a processor of today: at twenty of them a second a peer would take all of it. */
const cpuMsMax = 50
/** Coverage is asked once for so many inputs. */
const batchInputs = 200
/** More of one target say little that the first did not. */
const faultsMax = 5

export interface FuzzOptions {
  readonly seed: number
  readonly inputs: number
  /** Goes on no longer than this, by `performance.now()`, once `inputsLeast` were tried. */
  readonly untilMs?: number
  readonly inputsLeast?: number
  readonly coverage?: Coverage
  /** What earlier turns kept, to begin from as well. */
  readonly kept?: readonly Uint8Array[]
}

export interface Found {
  readonly target: string
  readonly problem: string
  readonly hex: string
}

export interface FuzzResult {
  readonly target: string
  readonly inputs: number
  readonly taken: number
  /** Inputs that reached new code. */
  readonly kept: readonly Uint8Array[]
  readonly slowestMs: number
  readonly faults: readonly Found[]
}

export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzResult> {
  const { seed, inputs, untilMs = Number.POSITIVE_INFINITY, inputsLeast = 0, coverage } = options
  const kept = [...(options.kept ?? [])]
  const mutator = new Mutator(createSeededRandom(seed), [...target.seeds, ...kept])
  const faults: Found[] = []
  const slowest = { ms: 0 }
  let [done, taken] = [0, 0]
  const tryOne = async (input: Uint8Array): Promise<boolean> => {
    const { problem, wasTaken } = await check(target, input, slowest)
    if (problem !== undefined && !faults.some((fault) => fault.problem === problem)) {
      faults.push({ target: target.name, problem, hex: toHex(input) })
    }
    return wasTaken
  }
  // What the seeds reach is known before anything is made of them.
  for (const input of target.seeds) await tryOne(input)
  await coverage?.isNew(true)
  const goesOn = (): boolean => done < inputsLeast || performance.now() < untilMs
  while (done < inputs && faults.length < faultsMax && goesOn()) {
    const batch: Uint8Array[] = []
    do {
      const input = mutator.next()
      batch.push(input)
      if (await tryOne(input)) taken++
      done++
    } while (batch.length < batchInputs && done < inputs && goesOn())
    if (coverage !== undefined && (await coverage.isNew(false))) {
      for (const input of await whatReached(target, batch, coverage)) {
        kept.push(input)
        mutator.keep(input)
      }
    }
  }
  return { target: target.name, inputs: done, taken, kept, slowestMs: slowest.ms, faults }
}

/** The inputs of a batch that reached something new: by halves, each run again. */
async function whatReached(
  target: Target,
  batch: readonly Uint8Array[],
  coverage: Coverage,
): Promise<readonly Uint8Array[]> {
  for (const input of batch) await check(target, input, { ms: 0 })
  const single = batch.length === 1
  if (!(await coverage.isNew(single))) return []
  if (single) return batch
  const half = batch.length >> 1
  const first = await whatReached(target, batch.slice(0, half), coverage)
  return [...first, ...(await whatReached(target, batch.slice(half), coverage))]
}

/** What is wrong with the target's ways with this input; undefined when nothing is. */
export async function check(
  target: Target,
  input: Uint8Array,
  slowest: { ms: number },
): Promise<{ readonly problem: string | undefined; readonly wasTaken: boolean }> {
  const startMs = performance.now()
  try {
    const running = target.run(input)
    const wasTaken = typeof running === 'boolean' ? running : await running
    const ms = performance.now() - startMs
    if (ms <= cpuMsMax) {
      slowest.ms = Math.max(slowest.ms, ms)
      return { problem: undefined, wasTaken }
    }
    // Other programs, the compiler and the collector of garbage take time too: alone, thrice, the processor's own.
    const cpuMs = await cpuAlone(target, input)
    slowest.ms = Math.max(slowest.ms, cpuMs)
    return { problem: cpuMs > cpuMsMax ? 'more than 50 ms of processor time' : undefined, wasTaken }
  } catch (error) {
    return { problem: problemOf(error), wasTaken: false }
  }
}

/**
 * The least of three, without what its world does anyway in as much time: the least of that as well, so that what
 * happens there now and then hides nothing.
 */
async function cpuAlone(target: Target, input: Uint8Array): Promise<number> {
  const { world } = target
  const [whole, others]: [number[], number[]] = [[], []]
  for (let times = 0; times < 3; times++) {
    const beforeMs = world?.elapsedMs() ?? 0
    whole.push(await cpuOf(() => target.run(input)))
    const passedMs = (world?.elapsedMs() ?? 0) - beforeMs
    others.push(passedMs === 0 ? 0 : await cpuOf(() => world?.pass(passedMs)))
  }
  return Math.max(0, Math.min(...whole) - Math.min(...others))
}

async function cpuOf(work: () => unknown): Promise<number> {
  const before = process.threadCpuUsage()
  await work()
  const { user, system } = process.threadCpuUsage(before)
  return (user + system) / 1000
}

/** Numbers left out, so that one fault is one fault. */
function problemOf(error: unknown): string {
  if (error instanceof Fault) return error.message
  if (!(error instanceof Error)) return `thrown: ${String(error)}`
  const place = error.stack
    ?.split('\n')
    .find((line) => line.includes('/protocol/') || line.includes('/daemon/'))
  return `uncaught ${error.name}: ${error.message.replaceAll(/\d+/g, 'N')} ${place?.trim() ?? ''}`
}
