import { equalBytes } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { TwoHalves } from '../../storage/two-halves.ts'

interface Kept {
  readonly message: Uint8Array
  readonly signature: Uint8Array
  readonly key: Uint8Array
  readonly verdict: boolean
}

/** Seven nodes of one process come to the same verdict on the same signature: one of them computes it. */
export function withVerdictsKept(crypto: CryptoProvider): CryptoProvider {
  const kept = new TwoHalves<Kept>(65_536)
  return {
    ...crypto,
    verifyStrict(message, signature, key) {
      // By the middle of it: a forged one often differs at an end. All of it is compared below.
      const name = Buffer.from(signature.buffer, signature.byteOffset, signature.byteLength).toString(
        'latin1',
        24,
        40,
      )
      const known = kept.get(name)
      if (
        known !== undefined &&
        equalBytes(known.signature, signature) &&
        equalBytes(known.key, key) &&
        equalBytes(known.message, message)
      )
        return known.verdict
      const verdict = crypto.verifyStrict(message, signature, key)
      kept.set(name, { message: message.slice(), signature: signature.slice(), key: key.slice(), verdict })
      return verdict
    },
  }
}
