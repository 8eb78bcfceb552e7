import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { keyBytes, requireLength } from '../../protocol/crypto/lengths.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { isStrictlyFormed } from '../../protocol/crypto/strict.ts'
import { hashing } from './hashing.ts'

/** Parsing a key costs as much as a verification. A node's people have some thousand devices, 1 KB each here. */
const publicKeysMax = 2048

// RFC 8410: what stands before the 32 bytes of a key.
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** Where libsodium has no binary: OpenSSL signs, verifies and hashes; boxes as in the portable provider. */
export function nodeCrypto(random: (length: number) => Uint8Array): CryptoProvider {
  // In order of last use. Public keys only: nothing secret is kept.
  const publicKeys = new Map<string, KeyObject>()

  function publicKeyObject(publicKey: Uint8Array): KeyObject {
    const name = Buffer.from(publicKey).toString('latin1')
    const key =
      publicKeys.get(name) ??
      createPublicKey({ key: Buffer.concat([publicPrefix, publicKey]), format: 'der', type: 'spki' })
    publicKeys.delete(name)
    publicKeys.set(name, key)
    if (publicKeys.size > publicKeysMax) publicKeys.delete(publicKeys.keys().next().value as string)
    return key
  }

  return {
    ...portableCrypto(random),
    name: 'node-crypto',
    ...hashing,
    signingPublicKey(seed) {
      const spki = createPublicKey(privateKeyObject(seed)).export({ format: 'der', type: 'spki' })
      return new Uint8Array(spki.subarray(-keyBytes))
    },
    sign: (message, seed) => new Uint8Array(sign(null, message, privateKeyObject(seed))),
    verifyStrict(message, signature, publicKey) {
      return (
        isStrictlyFormed(signature, publicKey) && verify(null, message, publicKeyObject(publicKey), signature)
      )
    },
  }
}

function privateKeyObject(seed: Uint8Array): KeyObject {
  requireLength(seed, keyBytes, 'seed')
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' })
}
