import { portableCrypto } from '../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import type { Random } from '../protocol/ports.ts'

/** getRandomValues gives no more at once. */
const chunkBytes = 65_536

/** Works on pages from plain http too, where crypto.subtle is missing. */
export const systemRandom: Random = {
  bytes(length) {
    const bytes = new Uint8Array(length)
    for (let offset = 0; offset < length; offset += chunkBytes) {
      crypto.getRandomValues(bytes.subarray(offset, offset + chunkBytes))
    }
    return bytes
  },
}

let shared: CryptoProvider | undefined

/** The portable provider. Programs that have a faster one hand it in. */
export function defaultCrypto(): CryptoProvider {
  return (shared ??= portableCrypto((length) => systemRandom.bytes(length)))
}
