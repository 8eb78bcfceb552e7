import type { Sodium } from 'sodium-native'
import { beforeAll, describe, expect, test } from 'vitest'
import { firstThatPasses, loadCrypto } from '../../daemon/crypto/index.ts'
import { nativeCrypto } from '../../daemon/crypto/native.ts'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { systemRandom } from '../../daemon/random.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { passesSelfTest } from '../../protocol/crypto/self-test.ts'
import { cryptoProviders } from '../support/crypto-providers.ts'
import { readAllVectors } from '../support/crypto-vectors.ts'
import { cryptoContract, hex } from './crypto.ts'

const random = (length: number): Uint8Array => systemRandom.bytes(length)

const all = readAllVectors()

for (const { name, isHere, make } of cryptoProviders) {
  describe.skipIf(!isHere)(`${name} (skipped where it has no binary)`, () => {
    cryptoContract(name, async () => make())
    describe.skipIf(all === undefined)('all vectors (skipped without the data folder)', () => {
      // tweetnacl does a box in 5 ms, libsodium in 50 us; every eighth is enough for what is tweetnacl's own.
      passesAll(make, name === 'sodium-native' ? 1 : 8)
    })
  })
}

function passesAll(make: () => CryptoProvider, step: number): void {
  const nonce = new Uint8Array(24)
  const slow = { timeout: 60_000 }
  let crypto: CryptoProvider

  beforeAll(() => {
    crypto = make()
  })

  test('Ed25519', slow, () => {
    const wrong = all?.ed25519.filter(({ valid, key, signature, message }) => {
      return crypto.verifyStrict(hex(message), hex(signature), hex(key)) !== valid
    })
    expect(wrong).toEqual([])
  })

  test('X25519: refused exactly where the shared secret is all zero', slow, () => {
    const wrong = all?.x25519.filter((vector, i) => {
      if (i % step !== 0) return false
      const sealed = crypto.boxSeal(utf8('onehop'), nonce, hex(vector.public), hex(vector.private))
      return (sealed === undefined) !== /^0*$/.test(vector.shared)
    })
    expect(wrong).toEqual([])
  })

  test('HKDF', () => {
    const wrong = all?.hkdf.filter(({ secret, salt, info, length, output }) => {
      return toHex(crypto.hkdfSha256(hex(secret), hex(salt), hex(info), length)) !== output
    })
    expect(wrong).toEqual([])
  })

  test('box and secretbox', slow, () => {
    const wrongBoxes = all?.box.filter((vector, i) => {
      if (i % step !== 0) return false
      const sealed = crypto.boxSeal(hex(vector.plain), nonce, hex(vector.public), hex(vector.secret))
      return toHex(sealed ?? nonce) !== vector.sealed
    })
    const wrongSecretboxes = all?.secretbox.filter((vector) => {
      return (
        toHex(crypto.secretboxSeal(hex(vector.plain), hex(vector.nonce), hex(vector.key))) !== vector.sealed
      )
    })
    expect([wrongBoxes, wrongSecretboxes]).toEqual([[], []])
  })
}

describe('choosing a provider', () => {
  test('the fastest that is there', async () => {
    const crypto = await loadCrypto()
    expect(crypto.name).toBe(cryptoProviders.findLast(({ isHere }) => isHere)?.name)
  })

  test('the next fastest where libsodium has no binary for this machine, and the log says why', async () => {
    const { log, events } = notebook()
    const importSodium = async () => Promise.reject(new Error('no binary for this platform'))
    expect((await loadCrypto({ log, importSodium })).name).toBe('node-crypto')
    expect(events).toEqual([['crypto.no_native', { reason: 'no binary for this platform' }]])
    expect((await loadCrypto({ importSodium })).name).toBe('node-crypto')
  })

  test('randomness comes from where it is handed in', async () => {
    const crypto = await loadCrypto({ random: { bytes: (length) => new Uint8Array(length).fill(5) } })
    expect(crypto.random(2)).toEqual(new Uint8Array([5, 5]))
  })

  test('the self-test finds a provider that accepts or refuses all', () => {
    for (const verdict of [true, false]) {
      expect(passesSelfTest({ ...nodeCrypto(random), verifyStrict: () => verdict })).toBe(false)
    }
  })

  test('one whose verdict differs is passed over, and the log says so', () => {
    const { log, events } = notebook()
    const lax = { ...nodeCrypto(random), name: 'lax', verifyStrict: () => true }
    expect(firstThatPasses([lax, nodeCrypto(random)], log).name).toBe('node-crypto')
    expect(events).toEqual([['crypto.self_test_failed', { provider: 'lax' }]])
    expect(() => firstThatPasses([lax])).toThrow('no crypto library')
  })
})

describe('libsodium', () => {
  test('fails at a key of small order alone: any other failure of it is passed on', () => {
    const key = new Uint8Array(32).fill(9)
    const sealWith = (message: string) => {
      const crypto_box_easy = (): void => {
        throw new Error(message)
      }
      const crypto = nativeCrypto({ crypto_box_easy } as unknown as Sodium, random)
      return () => crypto.boxSeal(utf8('onehop'), new Uint8Array(24), key, key)
    }
    expect(sealWith('status: -1')()).toBeUndefined()
    expect(sealWith('out of memory')).toThrow('out of memory')
  })
})

function notebook() {
  const events: unknown[] = []
  const note = (event: string, fields?: Record<string, unknown>): void => void events.push([event, fields])
  return { events, log: { debug: note, info: note, warn: note, error: note } }
}
