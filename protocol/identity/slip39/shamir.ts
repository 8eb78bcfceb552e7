import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { concatBytes, equalBytes } from '../../bytes.ts'
import type { CryptoProvider } from '../../crypto/provider.ts'
import { interpolate, type Point } from './gf256.ts'

const digestAt = 254
const secretAt = 255
const digestBytes = 4

/** Shamir's scheme as the standard has it: of `count` points any `threshold` give back the secret, and fewer say nothing. */
export function splitSecret(
  { random }: Pick<CryptoProvider, 'random'>,
  threshold: number,
  count: number,
  secret: Uint8Array,
): Point[] {
  const chosen = Array.from({ length: threshold - 2 }, (_, x) => ({ x, y: random(secret.length) }))
  const filling = random(secret.length - digestBytes)
  const base: Point[] = [
    ...chosen,
    { x: digestAt, y: concatBytes(digestOf(filling, secret), filling) },
    { x: secretAt, y: secret },
  ]
  return Array.from({ length: count }, (_, x) => ({ x, y: interpolate(base, x) }))
}

/** Undefined when the points are not of one secret. */
export function joinSecret(points: readonly Point[]): Uint8Array | undefined {
  const [only] = points
  if (only !== undefined && points.length === 1) return only.y
  const secret = interpolate(points, secretAt)
  const digest = interpolate(points, digestAt)
  const isWhole = equalBytes(digest.subarray(0, digestBytes), digestOf(digest.subarray(digestBytes), secret))
  return isWhole ? secret : undefined
}

function digestOf(key: Uint8Array, secret: Uint8Array): Uint8Array {
  return hmac(sha256, key, secret).subarray(0, digestBytes)
}
