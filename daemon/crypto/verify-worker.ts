/** The second thread: verifies what it is given and answers one byte a signature. It decides nothing. */
import { parentPort } from 'node:worker_threads'
import { loadCrypto } from './index.ts'
import { unpackSigned } from './verify-batch.ts'

const crypto = await loadCrypto()

parentPort?.on('message', (batch: Uint8Array) => {
  const verdicts: number[] = []
  for (const { message, signature, key } of unpackSigned(batch))
    verdicts.push(crypto.verifyStrict(message, signature, key) ? 1 : 0)
  const answer = Uint8Array.from(verdicts)
  parentPort?.postMessage(answer, [answer.buffer])
})
