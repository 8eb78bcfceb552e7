import { parentPort } from 'node:worker_threads'
import { simulate, type SimOptions } from './simulation.ts'

parentPort?.on('message', (options: SimOptions) => {
  simulate(options).then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => {
      throw error
    },
  )
})
