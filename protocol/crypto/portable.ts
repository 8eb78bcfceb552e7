import { ed25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256, sha512 } from '@noble/hashes/sha2.js'
import nacl from 'tweetnacl'
import { concatBytes, equalBytes } from '../bytes.ts'
import { keyBytes, nonceBytes, requireHkdf, requireLength, sealBytes } from './lengths.ts'
import type { CryptoProvider } from './provider.ts'
import { isStrictlyFormed } from './strict.ts'

/**
 * For browsers and phones, and the yardstick for the others: needs neither a binary nor a secure context.
 * tweetnacl never verifies, because it accepts S + L. Nothing secret is kept between calls.
 */
export function portableCrypto(random: (length: number) => Uint8Array): CryptoProvider {
  return {
    name: 'portable',
    random,
    sha256: (bytes) => sha256(bytes),
    hmacSha256: (key, bytes) => hmac(sha256, key, bytes),
    hkdfSha256(secret, salt, info, length) {
      requireHkdf(info, length)
      return hkdf(sha256, secret, salt, info, length)
    },
    signingPublicKey(seed) {
      requireLength(seed, keyBytes, 'seed')
      return nacl.sign.keyPair.fromSeed(seed).publicKey
    },
    sign(message, seed) {
      requireLength(seed, keyBytes, 'seed')
      return nacl.sign.detached(message, nacl.sign.keyPair.fromSeed(seed).secretKey)
    },
    verifyStrict,
    boxPublicKey(secretKey) {
      requireLength(secretKey, keyBytes, 'secret key')
      return nacl.scalarMult.base(secretKey)
    },
    boxSeal(plain, nonce, theirPublic, ourSecret) {
      requireLength(nonce, nonceBytes, 'nonce')
      const key = boxKey(theirPublic, ourSecret)
      return key === undefined ? undefined : nacl.secretbox(plain, nonce, key)
    },
    boxOpen(sealed, nonce, theirPublic, ourSecret) {
      const key = boxKey(theirPublic, ourSecret)
      return key === undefined ? undefined : secretboxOpen(sealed, nonce, key)
    },
    secretboxSeal(plain, nonce, key) {
      requireLength(nonce, nonceBytes, 'nonce')
      requireLength(key, keyBytes, 'key')
      return nacl.secretbox(plain, nonce, key)
    },
    secretboxOpen,
  }
}

function secretboxOpen(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  requireLength(key, keyBytes, 'key')
  if (nonce.length !== nonceBytes || sealed.length < sealBytes) return undefined
  return nacl.secretbox.open(sealed, nonce, key) ?? undefined
}

/** The point 0 times anything is 0, so this is what an all-zero shared secret becomes. Computed when first asked. */
let keyOfZero: Uint8Array | undefined

/** Undefined when the shared secret is all zero: whoever sent such a public key would let everybody read. */
function boxKey(theirPublic: Uint8Array, ourSecret: Uint8Array): Uint8Array | undefined {
  requireLength(ourSecret, keyBytes, 'secret key')
  if (theirPublic.length !== keyBytes) return undefined
  keyOfZero ??= nacl.box.before(new Uint8Array(keyBytes), new Uint8Array(keyBytes))
  const key = nacl.box.before(theirPublic, ourSecret)
  return equalBytes(key, keyOfZero) ? undefined : key
}

const { Point } = ed25519

function verifyStrict(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (!isStrictlyFormed(signature, publicKey)) return false
  const r = signature.subarray(0, 32)
  const a = pointOf(publicKey)
  if (a === undefined) return false
  const s = scalarOf(signature.subarray(32))
  const h = scalarOf(sha512(concatBytes(r, publicKey, message)))
  // R = S B - h A, compared as bytes. The library's own verify multiplies by the cofactor: it would accept
  // what libsodium and OpenSSL refuse.
  const recomputed = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(h))
  return equalBytes(recomputed.toBytes(), r)
}

function pointOf(bytes: Uint8Array): InstanceType<typeof Point> | undefined {
  try {
    return Point.fromBytes(bytes)
  } catch {
    // The library's way to say that no point has this y.
    return undefined
  }
}

function scalarOf(littleEndian: Uint8Array): bigint {
  let value = 0n
  for (let i = littleEndian.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(littleEndian[i] as number)
  return value % Point.Fn.ORDER
}
