import { ed25519 } from '@noble/curves/ed25519.js'
import { concatBytes } from '../../protocol/bytes.ts'
import { bytesOf, modulo } from '../verdicts/points.ts'
import { challenge } from '../verdicts/rule.ts'

/** A signature as right as the one that `sign` gives, with a nonce of its own: what a key's owner can always make. */
export function signAgain(message: Uint8Array, seed: Uint8Array): Uint8Array {
  const { scalar, pointBytes } = ed25519.utils.getExtendedPublicKey(seed)
  const nonce = 12_345n
  const r = ed25519.Point.BASE.multiply(nonce).toBytes()
  return concatBytes(r, bytesOf(modulo(nonce + challenge(r, pointBytes, message) * scalar)))
}
