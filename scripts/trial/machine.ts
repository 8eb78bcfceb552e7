import { availableParallelism } from 'node:os'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'

export interface Machine {
  readonly cores: number
  /** Signatures over 300 bytes that one core verifies: what bounds the trial, and drifts from hour to hour. */
  readonly verifiesPerS: number
}

const rounds = 2_000

export function measureMachine(crypto: CryptoProvider): Machine {
  const seed = new Uint8Array(32).fill(7)
  const message = new Uint8Array(300)
  const signature = crypto.sign(message, seed)
  const key = crypto.signingPublicKey(seed)
  const startMs = performance.now()
  for (let i = 0; i < rounds; i++) crypto.verifyStrict(message, signature, key)
  const seconds = (performance.now() - startMs) / 1_000
  return { cores: availableParallelism(), verifiesPerS: Math.round(rounds / seconds) }
}
