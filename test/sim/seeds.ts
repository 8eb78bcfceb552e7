import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SimOptions, SimResult } from './simulation.ts'

/** Most of what a story allocates is gone a moment later: with little room for the young, a tenth of the time goes into moving it. */
const resourceLimits = { maxYoungGenerationSizeMb: 96 }

/** Each seed on one thread, so many at once; told in the order in which they end. */
export async function runSeeds(
  seeds: readonly SimOptions[],
  atOnce: number,
  tell: (result: SimResult) => void,
): Promise<void> {
  const left = [...seeds]
  const runner = async (): Promise<void> => {
    const worker = new Worker(new URL('worker.ts', import.meta.url), { resourceLimits })
    try {
      for (let options = left.shift(); options !== undefined; options = left.shift()) {
        const answered = once(worker, 'message') // rejects when the thread throws
        worker.postMessage(options)
        const [result] = (await answered) as [SimResult]
        tell(result)
      }
    } finally {
      await worker.terminate()
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, seeds.length) }, runner))
}
