import type { Worker } from 'node:worker_threads'

/**
 * What a worker says once, when it has ended. Both events are listened for from the start: a worker that is done
 * while this thread is busy gives its message and its end in one go, and who then begins to wait for the end waits
 * for ever.
 */
export function answerOf(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let answer: { readonly value: unknown } | undefined
    worker.once('message', (value) => {
      answer = { value }
    })
    worker.once('error', reject)
    worker.once('exit', (code) => {
      if (answer === undefined) reject(new Error(`a worker ended with ${code} and said nothing`))
      else resolve(answer.value)
    })
  })
}
