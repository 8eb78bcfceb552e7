import fc from 'fast-check'
import nacl from 'tweetnacl'
import { beforeAll, describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { passesSelfTest } from '../../protocol/crypto/self-test.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { systemRandom } from '../../daemon/random.ts'
import { type CryptoVectors, readVectors } from '../support/crypto-vectors.ts'

export function hex(text: string): Uint8Array {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error(`not hex: ${text}`)
  return bytes
}

const vectors = readVectors()
const nonce = new Uint8Array(24)

/** One suite for every provider: the same verdicts and the same bytes, the portable one's where none are written. */
export function cryptoContract(name: string, make: () => Promise<CryptoProvider>): void {
  describe(`${name}: the crypto contract`, () => {
    let crypto: CryptoProvider
    const portable = portableCrypto((length) => systemRandom.bytes(length))

    beforeAll(async () => {
      crypto = await make()
    })

    test('passes the self-test', () => {
      expect(passesSelfTest(crypto)).toBe(true)
    })

    verifies(vectors, () => crypto)
    agrees(vectors, () => crypto, portable)
    seals(vectors, () => crypto, portable)
    refusesLengths(() => crypto)

    test('random bytes have the length asked for and differ', () => {
      expect(crypto.random(0)).toHaveLength(0)
      expect(crypto.random(33)).toHaveLength(33)
      expect(toHex(crypto.random(32))).not.toBe(toHex(crypto.random(32)))
    })

    test('what comes out is plain bytes of their own', () => {
      const seed = new Uint8Array(32).fill(1)
      const results = [
        crypto.random(32),
        crypto.sha256(seed),
        crypto.hmacSha256(seed, seed),
        crypto.hkdfSha256(seed, seed, seed, 32),
        crypto.signingPublicKey(seed),
        crypto.sign(seed, seed),
        crypto.boxPublicKey(seed),
        crypto.secretboxSeal(seed, nonce, seed),
      ]
      for (const bytes of results) {
        expect(bytes.constructor).toBe(Uint8Array)
        expect(bytes.buffer.byteLength).toBeLessThan(128)
      }
    })
  })
}

function verifies({ ed25519 }: CryptoVectors, crypto: () => CryptoProvider): void {
  describe('verifyStrict', () => {
    test.each(ed25519)('$note', ({ valid, key, signature, message }) => {
      expect(crypto().verifyStrict(hex(message), hex(signature), hex(key))).toBe(valid)
      // As part of a larger buffer, as they come off the wire.
      const frame = Buffer.from(`00${signature}${key}00${message}`, 'hex')
      const end = 1 + signature.length / 2
      const keyEnd = end + key.length / 2
      const parts = [frame.subarray(keyEnd + 1), frame.subarray(1, end), frame.subarray(end, keyEnd)] as const
      expect(crypto().verifyStrict(...parts)).toBe(valid)
    })
  })
}

/** A signature that is right, one changed in one place, and noise: as the other provider finds them. */
function agrees({ ed25519 }: CryptoVectors, crypto: () => CryptoProvider, portable: CryptoProvider): void {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const message = fc.uint8Array({ maxLength: 200 })
  const slow = { timeout: 60_000 }

  test('signs with the same keys and the same bytes', slow, () => {
    fc.assert(
      fc.property(seed, message, (secret, text) => {
        const key = crypto().signingPublicKey(secret)
        const signature = crypto().sign(text, secret)
        expect(toHex(key)).toBe(toHex(portable.signingPublicKey(secret)))
        expect(toHex(signature)).toBe(toHex(portable.sign(text, secret)))
        expect(crypto().verifyStrict(text, signature, key)).toBe(true)
      }),
      { numRuns: 30 },
    )
  })

  test('one changed bit anywhere is refused', slow, () => {
    const secret = new Uint8Array(32).fill(7)
    const text = utf8('onehop')
    const all = concatBytes(crypto().sign(text, secret), crypto().signingPublicKey(secret), text)
    // Seven apart: every byte and every place in a byte.
    for (let bit = 0; bit < all.length * 8; bit += 7) {
      const changed = all.slice()
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      const [signature, key, rest] = [changed.subarray(0, 64), changed.subarray(64, 96), changed.subarray(96)]
      expect(crypto().verifyStrict(rest, signature, key), `bit ${bit}`).toBe(false)
    }
  })

  test('gives the verdict of the portable provider on spliced and mutated vectors', slow, () => {
    const vector = fc.constantFrom(...ed25519)
    const mutation = fc.option(fc.tuple(fc.nat(95), fc.integer({ min: 1, max: 255 })))
    fc.assert(
      fc.property(vector, vector, vector, mutation, (one, two, three, flip) => {
        const signature = concatBytes(hex(one.signature).subarray(0, 32), hex(two.signature).subarray(32))
        const key = hex(three.key)
        if (flip !== null) {
          const target = flip[0] < 64 ? signature : key
          const at = flip[0] < 64 ? flip[0] : flip[0] - 64
          if (at < target.length) target[at] = (target[at] as number) ^ flip[1]
        }
        const text = hex(one.message)
        expect(crypto().verifyStrict(text, signature, key)).toBe(portable.verifyStrict(text, signature, key))
      }),
      { numRuns: 300 },
    )
  })

  test('never throws on noise', slow, () => {
    const bytes = fc.uint8Array({ maxLength: 100 })
    const point = fc.uint8Array({ minLength: 32, maxLength: 32 })
    fc.assert(
      fc.property(bytes, bytes, bytes, point, (text, signature, key, other) => {
        expect(crypto().verifyStrict(text, signature, key)).toBe(false)
        const low = new Uint8Array(32)
        expect(crypto().verifyStrict(text, concatBytes(other, low), other)).toBe(
          portable.verifyStrict(text, concatBytes(other, low), other),
        )
      }),
      { numRuns: 300 },
    )
  })

  test('hashes to the same bytes', () => {
    fc.assert(
      fc.property(message, message, message, fc.integer({ min: 1, max: 200 }), (a, b, c, length) => {
        expect(toHex(crypto().sha256(a))).toBe(toHex(portable.sha256(a)))
        expect(toHex(crypto().hmacSha256(a, b))).toBe(toHex(portable.hmacSha256(a, b)))
        expect(toHex(crypto().hkdfSha256(a, b, c, length))).toBe(toHex(portable.hkdfSha256(a, b, c, length)))
      }),
    )
  })
}

function seals(
  { x25519, hkdf, box, secretbox }: CryptoVectors,
  crypto: () => CryptoProvider,
  portable: CryptoProvider,
): void {
  test.each(hkdf)('HKDF $note', ({ secret, salt, info, length, output }) => {
    expect(toHex(crypto().hkdfSha256(hex(secret), hex(salt), hex(info), length))).toBe(output)
  })

  test.each(box)('box #%#', (vector) => {
    const [key, secret, sealed] = [hex(vector.public), hex(vector.secret), hex(vector.sealed)]
    expect(toHex(crypto().boxSeal(hex(vector.plain), nonce, key, secret) ?? nonce)).toBe(vector.sealed)
    expect(toHex(crypto().boxOpen(sealed, nonce, key, secret) ?? nonce)).toBe(vector.plain)
    for (const at of [0, 15, sealed.length - 1]) {
      expect(
        crypto().boxOpen(sealed.with(at, (sealed[at] as number) ^ 1), nonce, key, secret),
      ).toBeUndefined()
    }
  })

  test.each(secretbox)('secretbox #%#', (vector) => {
    const [key, place, sealed] = [hex(vector.key), hex(vector.nonce), hex(vector.sealed)]
    expect(toHex(crypto().secretboxSeal(hex(vector.plain), place, key))).toBe(vector.sealed)
    expect(toHex(crypto().secretboxOpen(sealed, place, key) ?? nonce)).toBe(vector.plain)
    for (const at of [0, 15, sealed.length - 1]) {
      expect(crypto().secretboxOpen(sealed.with(at, (sealed[at] as number) ^ 1), place, key)).toBeUndefined()
    }
    expect(crypto().secretboxOpen(sealed, place, key.with(0, (key[0] as number) ^ 1))).toBeUndefined()
  })

  test.each(x25519)('X25519 $note', (vector) => {
    const [key, secret, plain] = [hex(vector.public), hex(vector.private), utf8('onehop')]
    const sealed = crypto().boxSeal(plain, nonce, key, secret)
    if (/^0*$/.test(vector.shared)) {
      expect(sealed).toBeUndefined()
      const open = nacl.secretbox(plain, nonce, boxKeyOf(hex(vector.shared)))
      expect(crypto().boxOpen(open, nonce, key, secret)).toBeUndefined()
      return
    }
    expect(toHex(sealed ?? nonce)).toBe(toHex(nacl.secretbox(plain, nonce, boxKeyOf(hex(vector.shared)))))
    expect(crypto().boxOpen(sealed ?? nonce, nonce, key, secret)).toEqual(plain)
  })

  test('two parties, and the other provider, open what one seals', () => {
    const [ours, theirs] = [new Uint8Array(32).fill(3), new Uint8Array(32).fill(4)]
    const sealed = crypto().boxSeal(new Uint8Array(0), nonce, portable.boxPublicKey(theirs), ours) ?? nonce
    expect(sealed).toHaveLength(16)
    expect(crypto().boxOpen(sealed, nonce, crypto().boxPublicKey(ours), theirs)).toEqual(new Uint8Array(0))
    expect(portable.boxOpen(sealed, nonce, crypto().boxPublicKey(ours), theirs)).toEqual(new Uint8Array(0))
  })
}

/** nacl.box's key for a shared secret: tweetnacl's own HSalsa20, which its types leave out. */
function boxKeyOf(shared: Uint8Array): Uint8Array {
  const { lowlevel } = nacl as unknown as {
    lowlevel: {
      crypto_core_hsalsa20(out: Uint8Array, input: Uint8Array, key: Uint8Array, sigma: Uint8Array): void
    }
  }
  const key = new Uint8Array(32)
  lowlevel.crypto_core_hsalsa20(key, new Uint8Array(16), shared, utf8('expand 32-byte k'))
  return key
}

function refusesLengths(crypto: () => CryptoProvider): void {
  const [short, key, sealed] = [new Uint8Array(31), new Uint8Array(32).fill(9), new Uint8Array(20)]

  function code(action: () => unknown): string {
    try {
      action()
    } catch (error) {
      if (error instanceof OnehopError) return error.code
      throw error
    }
    return 'none'
  }

  test('a wrong length of ours is BAD_REQUEST', () => {
    const calls = [
      () => crypto().sign(short, short),
      () => crypto().signingPublicKey(short),
      () => crypto().boxPublicKey(short),
      () => crypto().secretboxSeal(sealed, short, key),
      () => crypto().secretboxSeal(sealed, nonce, short),
      () => crypto().secretboxOpen(sealed, nonce, short),
      () => crypto().boxSeal(sealed, short, key, key),
      () => crypto().boxSeal(sealed, nonce, key, short),
      () => crypto().boxOpen(sealed, nonce, key, short),
      () => crypto().hkdfSha256(key, key, key, 0),
      () => crypto().hkdfSha256(key, key, key, 255 * 32 + 1),
      () => crypto().hkdfSha256(key, key, new Uint8Array(1025), 32),
    ]
    expect(calls.map(code)).toEqual(calls.map(() => 'BAD_REQUEST'))
  })

  test('a wrong length of a stranger is a refusal', () => {
    expect(crypto().boxSeal(sealed, nonce, short, key)).toBeUndefined()
    expect(crypto().boxOpen(sealed, nonce, short, key)).toBeUndefined()
    expect(crypto().boxOpen(sealed, short, key, key)).toBeUndefined()
    expect(crypto().boxOpen(sealed.subarray(0, 15), nonce, key, key)).toBeUndefined()
    expect(crypto().secretboxOpen(sealed, short, key)).toBeUndefined()
    expect(crypto().secretboxOpen(sealed.subarray(0, 15), nonce, key)).toBeUndefined()
    expect(crypto().secretboxOpen(new Uint8Array(0), nonce, key)).toBeUndefined()
  })
}
