import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { SimOptions, SimResult } from './simulation.ts'

/** Most of what a story allocates is gone a moment later: with little room for the young, a tenth of the time goes into moving it. */
const resourceLimits = { maxYoungGenerationSizeMb: 96 }

/** Of a story that broke, as where a checker threw, only that is known. */
export type SeedResult = Pick<SimResult, 'seed' | 'failures'> & Partial<SimResult>

/** Each seed on one thread, so many at once; told in the order in which they end. One that breaks is a failure of its seed alone. */
export async function runSeeds(
  seeds: readonly SimOptions[],
  atOnce: number,
  tell: (result: SeedResult) => void,
  story = new URL('worker.ts', import.meta.url),
): Promise<void> {
  const left = [...seeds]
  const runner = async (): Promise<void> => {
    let thread: Thread | undefined
    try {
      for (let options = left.shift(); options !== undefined; options = left.shift()) {
        if (thread === undefined || thread.isOver()) thread = openThread(story)
        let result: SeedResult
        try {
          result = await thread.play(options)
        } catch (error) {
          result = { seed: options.seed, failures: [`the simulation broke: ${wordsOf(error)}`] }
          // What the broken story has under way must not reach into the next.
          await thread.end()
        }
        tell(result)
      }
    } finally {
      await thread?.end()
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, seeds.length) }, runner))
}

interface Thread {
  isOver(): boolean
  /** Rejects with what the thread threw, or that it ended. */
  play(options: SimOptions): Promise<SimResult>
  end(): Promise<unknown>
}

function openThread(story: URL): Thread {
  const worker = new Worker(story, { resourceLimits })
  let [isOver, thrown] = [false, undefined as unknown]
  // Also between two stories: with nobody to hear it, it would end all of them.
  worker.on('error', (error) => (thrown = error))
  const ended = once(worker, 'exit').then(
    () => (isOver = true),
    () => (isOver = true),
  )
  return {
    isOver: () => isOver,
    async play(options) {
      const stop = new AbortController()
      try {
        const answered = once(worker, 'message', { signal: stop.signal })
        worker.postMessage(options)
        const answer = await Promise.race([answered, ended])
        if (answer === true) throw thrown ?? new Error('its thread ended')
        return (answer as [SimResult])[0]
      } finally {
        stop.abort()
      }
    },
    end: () => worker.terminate(),
  }
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? String(error)) : String(error)
}
