import { expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { blindCollection, blindingKey, blindItemKey } from '../../protocol/record/blind.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(1)
const owner = new Uint8Array(32).fill(1)
const key = blindingKey(crypto, owner, new Uint8Array(32).fill(2))

test('names and keys are the same bytes for good: what was written must be found again', () => {
  expect(toHex(key)).toBe('07aadfe6b61daed881f54da1a9707acd3ad34d471121e5a520823b31dd43c179')
  expect(blindCollection(crypto, key, 'example.microblog', 'notes')).toBe(
    '~-fxJtKrd1p-dnJTY7VeRA4cJbE_UU-6hdpeYSbgkqA4',
  )
  expect(toHex(blindItemKey(crypto, key, 'example.microblog', 'notes', new Uint8Array(0)))).toBe(
    '5ac57842a24c83ab6b381a9c66b0749c5cb3bb819d9052fab1c99ff2e5bd9d1c',
  )
})

test('fit a header, and differ by owner, app, collection, key and purpose', () => {
  const name = blindCollection(crypto, key, 'a', 'notes')
  expect(name).toMatch(/^~[A-Za-z0-9_-]{43}$/)
  const others = [
    blindCollection(crypto, key, 'b', 'notes'),
    blindCollection(crypto, key, 'a', 'diary'),
    blindCollection(
      crypto,
      blindingKey(crypto, new Uint8Array(32), new Uint8Array(32).fill(2)),
      'a',
      'notes',
    ),
  ]
  expect(new Set([name, ...others]).size).toBe(4)
  const item = (collection: string, of: number): string =>
    toHex(blindItemKey(crypto, key, 'a', collection, Uint8Array.of(of)))
  expect(new Set([item('notes', 1), item('notes', 2), item('diary', 1)]).size).toBe(3)
})
