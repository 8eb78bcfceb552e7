/**
 * All cryptography goes through this interface. Two providers implement it (portable here, native in daemon);
 * one contract suite holds them to the same verdicts and the same bytes.
 * Lengths are fixed: keys, seeds and hashes 32 bytes, signatures 64, nonces 24. A wrong length throws BAD_REQUEST
 * where we made the value, and is a plain refusal (false, undefined) where a stranger did.
 */
export interface CryptoProvider {
  readonly name: string
  random(length: number): Uint8Array
  sha256(bytes: Uint8Array): Uint8Array
  hmacSha256(key: Uint8Array, bytes: Uint8Array): Uint8Array
  hkdfSha256(secret: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array
  /** Ed25519. The secret key is the 32-byte seed. */
  signingPublicKey(seed: Uint8Array): Uint8Array
  sign(message: Uint8Array, seed: Uint8Array): Uint8Array
  /**
   * Lengths, S below the group order, A and R canonical and not of small order, then the cofactorless equation.
   * Never throws.
   */
  verifyStrict(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean
  /** X25519. */
  boxPublicKey(secretKey: Uint8Array): Uint8Array
  /** nacl.box; undefined when the shared secret is all zero (a key of small order). */
  boxSeal(
    plain: Uint8Array,
    nonce: Uint8Array,
    theirPublic: Uint8Array,
    ourSecret: Uint8Array,
  ): Uint8Array | undefined
  boxOpen(
    sealed: Uint8Array,
    nonce: Uint8Array,
    theirPublic: Uint8Array,
    ourSecret: Uint8Array,
  ): Uint8Array | undefined
  /** nacl.secretbox. */
  secretboxSeal(plain: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array
  secretboxOpen(sealed: Uint8Array, nonce: Uint8Array, key: Uint8Array): Uint8Array | undefined
}
