/** Compares the parts that it is handed, one after another. */
import { parentPort } from 'node:worker_threads'
import { compareVerdicts } from './compare.ts'

parentPort?.on('message', ({ seed, from, count }: { seed: number; from: number; count: number }) => {
  parentPort?.postMessage(compareVerdicts(seed, from, count))
})
