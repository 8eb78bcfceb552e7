import { expect, test } from 'vitest'
import { loadCrypto } from '../../cli/crypto.ts'
import { newPassphraseKey, openText, passphraseKey, readSealed, sealText } from '../../cli/sealed-file.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const crypto = await loadCrypto()
const passphrase = 'correct horse battery staple'

/** Bytes that lie on people's disks. The key was made by another scrypt as well (OpenSSL's, through Python's hashlib). */
const kept =
  '{"onehop":"sealed/1","scrypt":{"log2N":17,"r":8,"p":1,"salt":"000102030405060708090a0b0c0d0e0f"},' +
  '"nonce":"6465666768696a6b6c6d6e6f707172737475767778797a7b",' +
  '"box":"481f500d14d18d134c8fd93049eb73d855a08de5ba64f1a0c7be28a6b3"}\n'
const keptKey = '1b2946da71f41179e83b99dc33842d15741b87c4121c8c7f3781c1df864fb58b'

test('a file of this format opens for ever', async () => {
  const file = readSealed(kept)
  if (file === undefined) throw new Error('not seen as sealed')
  const made = await passphraseKey(passphrase, file.scrypt.salt)
  expect(Buffer.from(made.key).toString('hex')).toBe(keptKey)
  expect(openText(crypto, made, file)).toBe('what is kept\n')
  // The same letters typed on another keyboard: a ligature, and an accent apart from its letter.
  const composed = await passphraseKey('\uFB01anc\u00E9', file.scrypt.salt)
  expect((await passphraseKey('fiance\u0301', file.scrypt.salt)).key).toEqual(composed.key)
  expect(openText(crypto, composed, file)).toBeUndefined()
})

test('no two files have a salt or a nonce in common, and none shows what it holds', async () => {
  const [one, other] = [
    await newPassphraseKey(crypto, passphrase),
    await newPassphraseKey(crypto, passphrase),
  ]
  expect(one.salt).not.toBe(other.salt)
  const sealed = [sealText(crypto, one, 'secret'), sealText(crypto, one, 'secret')].map(readSealed)
  expect(sealed[0]?.nonce).not.toBe(sealed[1]?.nonce)
  for (const file of sealed) expect(file && openText(crypto, one, file)).toBe('secret')
})

test('what is not sealed is left alone, and what is damaged says so', () => {
  for (const text of ['', '{}', keptKey, '{"onehop":1,"entries":{}}'])
    expect(readSealed(text)).toBeUndefined()
  const random = createSeededRandom(7)
  for (let index = 0; index < 2_000; index++) {
    const at = 18 + Math.floor(random.next() * (kept.length - 18))
    const damaged =
      index % 2 === 0
        ? kept.slice(0, at)
        : kept.slice(0, at) + String.fromCodePoint(random.bytes(1)[0] ?? 0) + kept.slice(at + 1)
    try {
      const file = readSealed(damaged)
      if (file !== undefined) openText(crypto, { salt: '', key: Buffer.from(keptKey, 'hex') }, file)
    } catch (error) {
      expect(error).toMatchObject({ code: 'STORE_CORRUPT' })
    }
  }
  for (const [whole, other] of [
    ['"log2N":17', '"log2N":30'],
    ['"box":"48', '"box":"4'],
    ['"box":"48', '"box":"0x48'],
    ['"salt":"00', '"salt":"0x'],
    ['"p":1', '"p":1,"q":2'],
  ] as const)
    expect(() => readSealed(kept.replace(whole, other)), other).toThrow(
      expect.objectContaining({ code: 'STORE_CORRUPT' }),
    )
})
