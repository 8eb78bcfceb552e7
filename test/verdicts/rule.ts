import { createHash } from 'node:crypto'
import { groupOrder, modulo, numberOf, type Points } from './points.ts'

/** RFC 8032's hash of R, A and the message, all 512 bits of it. */
export function wideChallenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return numberOf(createHash('sha512').update(r).update(key).update(message).digest())
}

export function challenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return modulo(wideChallenge(r, key, message))
}

/**
 * The rule once more, with neither curve nor library: S B = R + h A holds when it holds for the multiples of B and,
 * apart from them, for the multiples of T. A point that we did not make, or one in a second encoding, has no
 * signature that anybody could have found, so that refusing it is right.
 */
export function ruleAccepts(
  points: Points,
  message: Uint8Array,
  signature: Uint8Array,
  key: Uint8Array,
): boolean {
  if (signature.length !== 64 || key.length !== 32) return false
  const s = numberOf(signature.subarray(32))
  if (s >= groupOrder) return false
  const [r, a] = [points.find(signature.subarray(0, 32)), points.find(key)]
  if (r === undefined || a === undefined || r.scalar === 0n || a.scalar === 0n) return false
  const h = challenge(r.bytes, key, message)
  const torsion = (r.torsion + Number(h % 8n) * a.torsion) % 8
  return modulo(s - r.scalar - h * a.scalar) === 0n && torsion === 0
}
