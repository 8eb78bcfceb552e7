import { expect, test } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import {
  drawTypedCode,
  openLink,
  readTypedCode,
  sealLink,
  spacedCode,
} from '../../protocol/pairing/typed-code.ts'
import { createSeededRandom } from '../support/seeded-random.ts'

const crypto = await loadCrypto({ random: createSeededRandom(5) })

test('eleven digits, leading zeros kept, each as likely as any other', () => {
  expect(drawTypedCode({ bytes: (length) => new Uint8Array(length) })).toBe('00000000000')
  expect(drawTypedCode({ bytes: (length) => new Uint8Array(length).fill(255) })).toMatch(/^\d{11}$/)
  const random = createSeededRandom(3)
  const counts = Array.from({ length: 10 }, () => 0)
  for (let i = 0; i < 5_000; i++) for (const digit of drawTypedCode(random)) counts[Number(digit)]!++
  for (const count of counts) expect(Math.abs(count - 5_500)).toBeLessThan(400)
})

test('is read as it is shown, and as people type it', () => {
  expect(spacedCode('12345678901')).toBe('123 4567 8901')
  for (const typed of ['12345678901', ' 123 4567 8901 ', '123-4567-8901'])
    expect(readTypedCode(typed)).toBe('12345678901')
  for (const typed of ['', '1234567890', '123456789012', '1234567890a', '１２３４５６７８９０１'])
    expect(() => readTypedCode(typed)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }))
})

test('a link opens under the key that sealed it, whole', () => {
  const [key, other] = [crypto.random(64), crypto.random(64)]
  const sealed = sealLink(crypto, key, 'http://192.0.2.1/phone/#p=AQ')
  expect(openLink(crypto, key, sealed)).toBe('http://192.0.2.1/phone/#p=AQ')
  const damaged = sealed.with(30, (sealed[30] as number) ^ 1)
  for (const [by, bytes] of [
    [other, sealed],
    [key, damaged],
    [key, sealed.subarray(0, 23)],
    [key, sealed.subarray(0, 30)],
    [key, new Uint8Array()],
  ] as const)
    expect(() => openLink(crypto, by, bytes)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }))
})
