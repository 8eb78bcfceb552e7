import type { Sodium } from 'sodium-native'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { passesSelfTest } from '../../protocol/crypto/self-test.ts'
import type { Log, Random } from '../../protocol/ports.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { systemRandom } from '../random.ts'
import { nativeCrypto } from './native.ts'
import { nodeCrypto } from './node-crypto.ts'

/**
 * The fastest provider that works on this machine and passes the self-test; the log says why a faster one was
 * left. Throws UNSUPPORTED when none does.
 */
export async function loadCrypto(
  options: {
    readonly random?: Random
    readonly log?: Log
    readonly importSodium?: () => Promise<{ readonly default: Sodium }>
  } = {},
): Promise<CryptoProvider> {
  const { log, importSodium = () => import('sodium-native') } = options
  const source = options.random ?? systemRandom
  const random = (length: number): Uint8Array => source.bytes(length)
  const native = await loadNative(importSodium, random, log)
  return firstThatPasses([...(native === undefined ? [] : [native]), nodeCrypto(random)], log)
}

/** The first that gives the protocol's verdicts; UNSUPPORTED when none does. */
export function firstThatPasses(providers: readonly CryptoProvider[], log?: Log): CryptoProvider {
  for (const provider of providers) {
    if (passesSelfTest(provider)) return provider
    log?.error('crypto.self_test_failed', { provider: provider.name })
  }
  throw new OnehopError('UNSUPPORTED', 'no crypto library of this machine verifies as the protocol demands', {
    help: 'Use the Node.js release that onehop is tested with.',
  })
}

async function loadNative(
  importSodium: () => Promise<{ readonly default: Sodium }>,
  random: (length: number) => Uint8Array,
  log: Log | undefined,
): Promise<CryptoProvider | undefined> {
  try {
    const { default: sodium } = await importSodium()
    return nativeCrypto(sodium, random)
  } catch (error) {
    // An optional dependency: no binary for this platform is an ordinary case, only slower.
    log?.warn('crypto.no_native', { reason: asOnehopError(error).message })
    return undefined
  }
}
