/**
 * The second thread: verifies what it is given and leaves one byte a signature in its place. It decides nothing, not even
 * by a branch: what counts those in tests sees the main thread alone.
 */
import { parentPort } from 'node:worker_threads'
import { loadCrypto } from './index.ts'
import { there, verifyPacked } from './verify-batch.ts'

const crypto = await loadCrypto()

parentPort?.on('message', ({ bytes, count }: { readonly bytes: Uint8Array; readonly count: number }) => {
  verifyPacked(crypto, bytes, count)
  parentPort?.postMessage(count)
})
parentPort?.postMessage(there)
