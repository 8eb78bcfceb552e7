import { concatBytes, equalBytes, utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { DeviceSecrets } from '../../protocol/identity/types.ts'

const blockBytes = 32

/**
 * The same provider with randomness that follows from a device's seed and a purpose: what is made for one purpose is
 * the same in every run, bytes and ids alike. For made-up people alone: who knows the seed holds all their keys.
 *
 * One HMAC a draw: HKDF, with a key object of its own for each call, took a quarter of an import's time.
 */
export function seededCrypto(
  base: CryptoProvider,
  device: Pick<DeviceSecrets, 'seed' | 'key'>,
  purpose: string,
): CryptoProvider {
  let drawn = 0
  const block = (): Uint8Array => base.hmacSha256(device.seed, utf8(`${purpose}/${drawn++}`))
  return {
    ...base,
    random(length) {
      const blocks = Array.from({ length: Math.ceil(length / blockBytes) }, block)
      return concatBytes(...blocks).slice(0, length)
    },
    // Asked for with every record, and known.
    signingPublicKey: (seed) => (equalBytes(seed, device.seed) ? device.key : base.signingPublicKey(seed)),
  }
}
