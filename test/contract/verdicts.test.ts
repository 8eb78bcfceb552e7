import { readFileSync } from 'node:fs'
import { ed25519 } from '@noble/curves/ed25519.js'
import { base58btc } from 'multiformats/bases/base58'
import nacl from 'tweetnacl'
import { describe, expect, test } from 'vitest'
import { utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { isStrictlyFormed } from '../../protocol/crypto/strict.ts'
import { cryptoProviders } from '../support/crypto-providers.ts'
import { readAllVectors, readVectors } from '../support/crypto-vectors.ts'
import { dataPath } from '../support/data.ts'
import { hex } from './crypto.ts'
import { compareVerdicts } from '../verdicts/compare.ts'
import { torsionPoint } from '../verdicts/points.ts'

/** The portable provider verifies 900 a second. */
const slow = { timeout: 240_000 }

const providers = cryptoProviders.filter(({ isHere }) => isHere).map(({ make }) => make())

describe('one verdict', () => {
  test('of every provider on 20,000 odd signatures, and it is the rule’s', slow, () => {
    const { disagreements, kinds, accepted } = compareVerdicts(1, 0, 20_000)
    expect(disagreements).toEqual([])
    // A generator that makes nothing but refusals would be agreed upon by whoever refuses everything.
    expect(accepted).toBeGreaterThan(1_500)
    expect(kinds['as signed']?.refused).toBe(0)
    expect(kinds['torsion that cancels']?.accepted).toBeGreaterThan(500)
    expect(kinds['torsion that cancels before h is reduced']?.refused).toBeGreaterThan(300)
  })

  test.each([
    ['multiplies by the cofactor', lax((m, s, k) => ed25519.verify(s, m, k, { zip215: false }))],
    ['takes S unreduced', lax((m, s, k) => nacl.sign.detached.verify(m, s, k))],
  ] as const)('a verifier that %s is found', slow, (name, verifyStrict) => {
    expect(compareVerdicts(1, 0, 150, [{ name, verifyStrict }]).disagreements).not.toEqual([])
  })

  test('the torsion point is of order 8', () => {
    const orders = [1n, 2n, 4n, 8n].filter((order) => torsionPoint.multiplyUnsafe(order).is0())
    expect(orders).toEqual([8n])
  })

  test('every vector, with bits of it turned over', slow, () => {
    const differing: string[] = []
    for (const { note, key, signature, message } of (readAllVectors() ?? readVectors()).ed25519) {
      const [m, s, k] = [hex(message), hex(signature), hex(key)]
      if (!isStrictlyFormed(s, k)) continue
      // A prime: the bits fall on other places of a byte each time.
      for (let bit = note.length; bit < 768; bit += 61) {
        const [changed, at] = bit < 512 ? [s.slice(), bit] : [k.slice(), bit - 512]
        changed[at >> 3] = (changed[at >> 3] as number) ^ (1 << (at & 7))
        const [signed, of] = bit < 512 ? [changed, k] : [s, changed]
        const verdicts = providers.map((provider) => provider.verifyStrict(m, signed, of))
        if (new Set(verdicts).size > 1) differing.push(`${note}, bit ${bit}`)
      }
    }
    expect(differing).toEqual([])
  })

  const didKeys = dataPath('did-key/test-vectors/ed25519-x25519.json')
  test.skipIf(didKeys === undefined)('keys of did:key (skipped without the data folder)', () => {
    const vectors = JSON.parse(readFileSync(didKeys as string, 'utf8')) as Record<
      string,
      { readonly seed: string }
    >
    expect(Object.keys(vectors)).not.toEqual([])
    for (const [name, { seed }] of Object.entries(vectors)) {
      // The name is the key, after the two bytes that say Ed25519.
      const expected = base58btc.decode(name.slice('did:key:'.length)).slice(2)
      for (const provider of providers) {
        const publicKey = provider.signingPublicKey(hex(seed))
        expect(publicKey).toEqual(expected)
        expect(
          provider.verifyStrict(utf8('onehop'), provider.sign(utf8('onehop'), hex(seed)), publicKey),
        ).toBe(true)
      }
    }
  })
})

type Verify = CryptoProvider['verifyStrict']

/** Both libraries throw at other lengths. */
function lax(verify: Verify): Verify {
  return (message, signature, key) =>
    signature.length === 64 && key.length === 32 && verify(message, signature, key)
}
