import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { Measured, MeasureOptions } from './measure.ts'

/** As many at a time as told, the longest first; answers come in the order of the asking. */
export async function measureAll(
  asked: readonly MeasureOptions[],
  atOnce: number,
  tell: (measured: Measured) => void,
): Promise<Measured[]> {
  const results: Measured[] = []
  const waiting = [...asked.entries()].toSorted(([, a], [, b]) => weight(b) - weight(a))
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [i, options] = next
      const worker = new Worker(new URL('worker.ts', import.meta.url), { workerData: options })
      const [measured] = (await once(worker, 'message')) as [Measured]
      results[i] = measured
      tell(measured)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, waiting.length) }, work))
  return results
}

function weight({ nodes, profile, watch }: MeasureOptions): number {
  return Math.min(nodes, watch ?? profile.watched) * Math.log2(nodes)
}
