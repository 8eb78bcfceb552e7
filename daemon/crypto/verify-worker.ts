/** The second thread: verifies what it is given and leaves one byte a signature in its place. It decides nothing. */
import { parentPort } from 'node:worker_threads'
import { loadCrypto } from './index.ts'
import { unpackSigned } from './verify-batch.ts'

const crypto = await loadCrypto()

parentPort?.on('message', ({ bytes, count }: { readonly bytes: Uint8Array; readonly count: number }) => {
  let place = 0
  // A verdict stands where its signature began to be read, or before: nothing unread is written over.
  for (const { message, signature, key } of unpackSigned(bytes, count))
    bytes[place++] = crypto.verifyStrict(message, signature, key) ? 1 : 0
  parentPort?.postMessage(count)
})
