import type { Sodium } from 'sodium-native'
import { equalBytes } from '../../protocol/bytes.ts'
import { keyBytes, nonceBytes, requireLength, sealBytes } from '../../protocol/crypto/lengths.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { isStrictlyFormed } from '../../protocol/crypto/strict.ts'
import { hashing } from './hashing.ts'

/** libsodium does the arithmetic, OpenSSL the hashing. What is made of a seed is kept as long as its caller keeps the seed. */
export function nativeCrypto(sodium: Sodium, random: (length: number) => Uint8Array): CryptoProvider {
  return {
    name: 'sodium-native',
    random,
    ...hashing,
    ...signing(sodium),
    ...boxes(sodium),
    ...secretboxes(sodium),
  }
}

interface Pair {
  readonly publicKey: Uint8Array
  /** The seed, then the public key. */
  readonly secretKey: Uint8Array
}

function signing(sodium: Sodium): Pick<CryptoProvider, 'signingPublicKey' | 'sign' | 'verifyStrict'> {
  /** Making the pair costs as much as a signature. The seed lies beside it: bytes that were overwritten make another. */
  const pairs = new WeakMap<Uint8Array, Pair>()
  function keyPair(seed: Uint8Array): Pair {
    requireLength(seed, keyBytes, 'seed')
    const known = pairs.get(seed)
    if (known !== undefined && equalBytes(known.secretKey.subarray(0, keyBytes), seed)) return known
    const publicKey = new Uint8Array(keyBytes)
    const secretKey = new Uint8Array(64)
    sodium.crypto_sign_seed_keypair(publicKey, secretKey, seed)
    const pair = { publicKey, secretKey }
    pairs.set(seed, pair)
    return pair
  }
  return {
    signingPublicKey: (seed) => keyPair(seed).publicKey.slice(),
    sign(message, seed) {
      const signature = new Uint8Array(64)
      sodium.crypto_sign_detached(signature, message, keyPair(seed).secretKey)
      return signature
    },
    // libsodium refuses the same malformed inputs, but which of them has changed between its releases.
    verifyStrict(message, signature, publicKey) {
      return (
        isStrictlyFormed(signature, publicKey) &&
        sodium.crypto_sign_verify_detached(signature, message, publicKey)
      )
    },
  }
}

function boxes(sodium: Sodium): Pick<CryptoProvider, 'boxPublicKey' | 'boxSeal' | 'boxOpen'> {
  return {
    boxPublicKey(secretKey) {
      requireLength(secretKey, keyBytes, 'secret key')
      const publicKey = new Uint8Array(keyBytes)
      sodium.crypto_scalarmult_base(publicKey, secretKey)
      return publicKey
    },
    boxSeal(plain, nonce, theirPublic, ourSecret) {
      requireLength(nonce, nonceBytes, 'nonce')
      requireLength(ourSecret, keyBytes, 'secret key')
      if (theirPublic.length !== keyBytes) return undefined
      const sealed = new Uint8Array(plain.length + sealBytes)
      try {
        sodium.crypto_box_easy(sealed, plain, nonce, theirPublic, ourSecret)
      } catch (error) {
        // The one thing libsodium itself fails at here: the shared secret is all zero.
        if (error instanceof Error && error.message.startsWith('status:')) return undefined
        throw error
      }
      return sealed
    },
    boxOpen(sealed, nonce, theirPublic, ourSecret) {
      requireLength(ourSecret, keyBytes, 'secret key')
      if (nonce.length !== nonceBytes || sealed.length < sealBytes) return undefined
      if (theirPublic.length !== keyBytes) return undefined
      const plain = new Uint8Array(sealed.length - sealBytes)
      return sodium.crypto_box_open_easy(plain, sealed, nonce, theirPublic, ourSecret) ? plain : undefined
    },
  }
}

function secretboxes(sodium: Sodium): Pick<CryptoProvider, 'secretboxSeal' | 'secretboxOpen'> {
  return {
    secretboxSeal(plain, nonce, key) {
      requireLength(nonce, nonceBytes, 'nonce')
      requireLength(key, keyBytes, 'key')
      const sealed = new Uint8Array(plain.length + sealBytes)
      sodium.crypto_secretbox_easy(sealed, plain, nonce, key)
      return sealed
    },
    secretboxOpen(sealed, nonce, key) {
      requireLength(key, keyBytes, 'key')
      if (nonce.length !== nonceBytes || sealed.length < sealBytes) return undefined
      const plain = new Uint8Array(sealed.length - sealBytes)
      return sodium.crypto_secretbox_open_easy(plain, sealed, nonce, key) ? plain : undefined
    },
  }
}
