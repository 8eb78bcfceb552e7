import { describe, expect, it, test } from 'vitest'
import { reaches, signAppGrant, verifyAppGrant, type AppGrant } from '../../protocol/api/app-token.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { testCrypto } from '../support/api-node.ts'
import { appTokenVectors, type AppTokenVectors } from '../vectors/app-token.ts'
import { plain } from '../vectors/record.ts'
import { codeOf, readVectors, unspell } from '../vectors/wire.ts'

const file = readVectors('app-token.json') as AppTokenVectors
const unhex = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

describe('vectors of grants to apps', () => {
  it('are what is made today', () => expect(appTokenVectors()).toEqual(file))

  it.each(file.valid)('$name', ({ bytes, seed, value }) => {
    const { document: _, signature: __, ...grant } = verifyAppGrant(testCrypto, unhex(bytes)) ?? {}
    expect(plain(grant)).toEqual(value)
    expect(toHex(signAppGrant(testCrypto, grant as AppGrant, unhex(seed)))).toBe(bytes)
  })

  it.each(file.unsigned)('not its device: $name', ({ bytes }) => {
    expect(verifyAppGrant(testCrypto, unhex(bytes))).toBeUndefined()
  })

  it.each(file.invalid)('refused: $name', ({ bytes, code }) => {
    expect(codeOf(() => verifyAppGrant(testCrypto, unspell(bytes)))).toBe(code)
  })
})

test.each([
  ['posts', 'read', true],
  ['posts', 'write', false],
  ['likes', 'read', true],
  ['likes', 'write', true],
  ['drafts', 'read', false],
  [undefined, 'read', false],
] as const)('posts to read and likes to write reach %s to %s: %s', (collection, access, expected) => {
  const scopes = [
    { collection: 'posts', access: 'read' },
    { collection: 'likes', access: 'write' },
  ] as const
  expect(reaches({ scopes }, collection, access)).toBe(expected)
})

test('the whole app to read reaches every collection, to read', () => {
  const whole = { scopes: [{ collection: undefined, access: 'read' }] } as const
  expect([undefined, 'posts'].map((name) => reaches(whole, name, 'read'))).toEqual([true, true])
  expect([undefined, 'posts'].map((name) => reaches(whole, name, 'write'))).toEqual([false, false])
})
