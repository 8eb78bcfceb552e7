import { parentPort } from 'node:worker_threads'
import { simulate, type SimOptions } from './simulation.ts'

parentPort?.on('message', (options: SimOptions) => {
  // Thousands of calls fail in a story, as they should; where each was made is for whoever looks at one story.
  Error.stackTraceLimit = options.keepTrace === true ? 10 : 0
  simulate(options).then(
    (result) => parentPort?.postMessage(result),
    (error: unknown) => {
      throw error
    },
  )
})
