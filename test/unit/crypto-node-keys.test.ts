import { createPublicKey } from 'node:crypto'
import { expect, test, vi } from 'vitest'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

vi.mock(import('node:crypto'), async (original) => {
  const crypto = await original()
  return { ...crypto, createPublicKey: vi.fn(crypto.createPublicKey) }
})

const parsed = vi.mocked(createPublicKey)
const { random, sign, signingPublicKey, verifyStrict } = nodeCrypto(createSeededRandom(26).bytes)

test('Node parses a public key once, and keeps the 2048 that were used last', () => {
  const seed = random(32)
  const message = utf8('onehop')
  const signature = sign(message, seed)
  const first = signingPublicKey(seed)
  const [second, ...others] = Array.from({ length: 2048 }, () => signingPublicKey(random(32)))
  if (second === undefined) throw new Error('no keys')
  parsed.mockClear()
  const verify = (key: Uint8Array, text = message): boolean => verifyStrict(text, signature, key)

  expect(verify(first)).toBe(true)
  expect(verify(first, utf8('other'))).toBe(false)
  expect(parsed).toHaveBeenCalledTimes(1)
  expect(verify(second)).toBe(false)
  // The first was used since: of the 2049 the second makes way.
  expect(verify(first)).toBe(true)
  for (const key of others) expect(verify(key)).toBe(false)
  expect(parsed).toHaveBeenCalledTimes(2049)
  expect(verify(first)).toBe(true)
  expect(parsed).toHaveBeenCalledTimes(2049)
  expect(verify(second)).toBe(false)
  expect(parsed).toHaveBeenCalledTimes(2050)
})
