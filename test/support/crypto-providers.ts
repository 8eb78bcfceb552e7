import type { Sodium } from 'sodium-native'
import { nativeCrypto } from '../../daemon/crypto/native.ts'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { systemRandom } from '../../daemon/random.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'

const random = (length: number): Uint8Array => systemRandom.bytes(length)

/** Undefined where it has no binary for the platform. */
const sodium = await import('sodium-native').then(
  ({ default: library }) => library,
  () => undefined,
)

interface ProviderChoice {
  readonly name: string
  readonly isHere: boolean
  make(): CryptoProvider
}

/** All there are, the fastest last; `isHere` is false for a library without a binary for this machine. */
export const cryptoProviders: readonly ProviderChoice[] = [
  { name: 'portable', isHere: true, make: () => portableCrypto(random) },
  { name: 'node-crypto', isHere: true, make: () => nodeCrypto(random) },
  { name: 'sodium-native', isHere: sodium !== undefined, make: () => nativeCrypto(sodium as Sodium, random) },
]
