import { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { answerOf } from '../../scripts/trial/worker-answer.ts'

const code = (script: string): Worker =>
  new Worker(`const { parentPort } = require('node:worker_threads'); ${script}`, { eval: true })

test('an answer comes through however busy this thread is when the worker ends', async () => {
  const ended = new Int32Array(new SharedArrayBuffer(4))
  const worker = new Worker(
    `const { parentPort, workerData } = require('node:worker_threads')
    parentPort.postMessage('said')
    process.on('exit', () => { Atomics.store(workerData, 0, 1); Atomics.notify(workerData, 0) })`,
    { eval: true, workerData: ended },
  )
  const answer = answerOf(worker)
  // Nothing of the worker's is handed over here until it has come to its end and had time to be gone.
  Atomics.wait(ended, 0, 0, 10_000)
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
  expect(await answer).toBe('said')
})

test('a worker that fails, or ends without a word, is an error', async () => {
  await expect(answerOf(code("throw new Error('no disk')"))).rejects.toThrow('no disk')
  await expect(answerOf(code('process.exit(3)'))).rejects.toThrow('ended with 3 and said nothing')
})
