import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { fromHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import { makeRecoveryWords, readRecoveryWords, sharesOfWords } from '../../protocol/identity/recovery.ts'
import { decodeShare, encodeShare, type Share } from '../../protocol/identity/slip39/share.ts'
import { joinShares, splitIntoShares } from '../../protocol/identity/slip39/shares.ts'
import { shareWords } from '../../protocol/identity/slip39/words.ts'
import { seededCrypto } from '../support/people.ts'

const { vectors } = JSON.parse(readFileSync(new URL('../vectors/slip39.json', import.meta.url), 'utf8')) as {
  readonly vectors: readonly {
    readonly name: string
    readonly shares: readonly string[]
    readonly secret: string
  }[]
}

test.each(vectors)('$name', ({ shares, secret }) => {
  const joined = joinShares(
    shares.map((share) => share.split(' ')),
    'TREZOR',
  )
  if (secret === '') expect(joined).toHaveProperty('because')
  else expect(joined).toEqual(fromHex(secret, secret.length / 2))
})

const crypto = seededCrypto(39)
const scheme = { threshold: 2, count: 3 }

test('of three shares any two give back the secret, and no one alone', () => {
  for (let i = 0; i < 5; i++) {
    const secret = crypto.random(32)
    const shares = splitIntoShares(crypto, secret, scheme) as [string[], string[], string[]]
    expect(shares.map((share) => share.length)).toEqual([33, 33, 33])
    for (const [a, b] of [
      [0, 1],
      [2, 0],
      [1, 2],
    ] as const)
      expect(joinShares([shares[a], shares[b]])).toEqual(secret)
    for (const share of shares) expect(joinShares([share])).toEqual({ because: 'count' })
    expect(joinShares(shares)).toEqual({ because: 'count' })
    expect(joinShares([shares[0], shares[0]])).toEqual({ because: 'twice' })
  }
  expect(joinShares([])).toEqual({ because: 'count' })
})

test('three of five need three; a password opens to something else than none', () => {
  const secret = crypto.random(16)
  const shares = splitIntoShares(crypto, secret, { threshold: 3, count: 5 })
  expect(joinShares(shares.slice(2))).toEqual(secret)
  expect(joinShares(shares.slice(3))).toEqual({ because: 'count' })
  expect(joinShares(shares.slice(2), 'another')).not.toEqual(secret)
})

test('every byte of a share hangs on what was drawn: one alone says nothing of the secret', () => {
  const secret = crypto.random(32)
  // Drawn twice, a byte is the same once in 256 times: of eight splits never all.
  const values = Array.from({ length: 8 }, () =>
    splitIntoShares(crypto, secret, scheme).map((words) => (decodeShare(words) as Share).value),
  )
  for (const member of [0, 1, 2])
    for (let at = 0; at < 32; at++)
      expect(new Set(values.map((shares) => shares[member]?.[at])).size).toBeGreaterThan(1)
})

test('shares that say different things of their set are not joined', () => {
  const value = crypto.random(32)
  const base = { id: 1, isExtendable: true, exponent: 0, group: 0, groupThreshold: 1, groupCount: 1 }
  const share = (member: number, other: Partial<Share> = {}): string[] =>
    encodeShare({ ...base, member, memberThreshold: 2, value, ...other })
  for (const other of [
    { id: 2 },
    { isExtendable: false },
    { exponent: 1 },
    { groupCount: 2 },
    { memberThreshold: 3 },
    { value: value.subarray(0, 16) },
  ])
    expect(joinShares([share(0), share(1, other)]), JSON.stringify(other)).toEqual({ because: 'mixed' })
})

test('words that no secret has the length of are no share', () => {
  // 21 words: 140 bits, of which twelve would be padding.
  expect(joinShares([shareWords.slice(0, 21)])).toEqual({ share: 0, because: { problem: 'length' } })
})

test('groups whose parts are of different secrets do not fit together', () => {
  const share = (group: number): string[] =>
    encodeShare({
      ...{ id: 1, isExtendable: true, exponent: 0, group, groupThreshold: 2, groupCount: 2 },
      ...{ member: 0, memberThreshold: 1, value: crypto.random(32) },
    })
  expect(joinShares([share(0), share(1)])).toEqual({ because: 'damaged' })
})

test('a wrong word is noticed wherever it stands, and so are two that changed places', () => {
  const shares = splitIntoShares(crypto, crypto.random(32), scheme) as [string[], string[], string[]]
  for (let at = 0; at < 33; at++) {
    const other = shareWords[(shareWords.indexOf(shares[0][at] as string) + 1 + at) % 1024] as string
    expect(joinShares([shares[0].with(at, other), shares[1]])).toMatchObject({ share: 0 })
    expect(joinShares([shares[1], shares[0].with(at, 'abandoned')])).toEqual({
      share: 1,
      because: { problem: 'word', at },
    })
  }
  const [first, second, ...rest] = shares[2] as [string, string, ...string[]]
  expect(joinShares([[second, first, ...rest], shares[0]])).toMatchObject({ share: 0 })
})

test('shares that would take a minute and more to open are not opened', () => {
  const share = (member: number): string[] =>
    encodeShare({
      ...{ id: 1, isExtendable: true, exponent: 6, group: 0, groupThreshold: 1, groupCount: 1 },
      ...{ member, memberThreshold: 2, value: crypto.random(32) },
    })
  expect(joinShares([share(0), share(1)])).toEqual({ because: 'rounds' })
})

describe('in place of the recovery words', () => {
  const words = makeRecoveryWords(crypto)
  const shares = sharesOfWords(crypto, words) as [string[], string[], string[]]
  const typed = (...some: (readonly string[])[]): string => some.map((share) => share.join(' ')).join('\n')

  test('two shares are taken, in any order and writing; a third does no harm', () => {
    expect(readRecoveryWords(typed(shares[0], shares[2]))).toEqual(words)
    expect(readRecoveryWords(typed(shares[2], shares[1]).toUpperCase())).toEqual(words)
    expect(readRecoveryWords(typed(shares[1], shares[1], shares[0]))).toEqual(words)
  })

  const other = sharesOfWords(crypto, makeRecoveryWords(crypto)) as [string[], string[], string[]]
  const three = splitIntoShares(crypto, crypto.random(32), { threshold: 3, count: 3 })
  test.each([
    ['one alone', typed(shares[0]), 'one share alone tells nothing'],
    ['the same twice', typed(shares[0], shares[0]), 'the same share twice'],
    ['of two sets', typed(shares[0], other[1]), 'were not made together'],
    ['a word of no list', typed(shares[0], shares[1].with(4, 'zzz')), 'share 2: word 5 is not in the list'],
    [
      'a wrong word',
      typed(shares[0].with(9, shares[0][9] === 'acid' ? 'acne' : 'acid'), shares[1]),
      'share 1 is not',
    ],
    [
      'of three that are needed',
      typed(three[0] as string[], three[1] as string[]),
      'more than two are needed',
    ],
  ])('%s', (_, text, said) => {
    expect(() => readRecoveryWords(text)).toThrow(said)
    const message = String(asOnehopError(errorOf(() => readRecoveryWords(text))).message)
    expect(shares[0].filter((word) => word.length > 5 && message.split(/\W+/).includes(word))).toEqual([])
  })
})

function errorOf(work: () => unknown): unknown {
  try {
    return work()
  } catch (error) {
    return error
  }
}
