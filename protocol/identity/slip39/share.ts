import { utf8 } from '../../bytes.ts'
import type { CipherSettings } from './cipher.ts'
import { placeOfWord, shareWords } from './words.ts'

/** One member's part of one group's part. */
export interface Share extends CipherSettings {
  readonly group: number
  readonly groupThreshold: number
  readonly groupCount: number
  readonly member: number
  readonly memberThreshold: number
  readonly value: Uint8Array
}

/** Why words are no share. */
export type ShareProblem =
  | { readonly problem: 'word'; readonly at: number }
  | { readonly problem: 'length' | 'checksum' | 'padding' | 'groups' }

const wordBits = 10
const headWords = 4
const checksumWords = 3
/** 128 bits of secret. */
const wordsMin = 20

export function encodeShare(share: Share): string[] {
  const { id, isExtendable, exponent, group, groupThreshold, groupCount, member, memberThreshold } = share
  const valueWords = Math.ceil((share.value.length * 8) / wordBits)
  const head =
    (BigInt(id) << 25n) |
    (BigInt(isExtendable) << 24n) |
    (BigInt(exponent) << 20n) |
    (BigInt(group) << 16n) |
    (BigInt(groupThreshold - 1) << 12n) |
    (BigInt(groupCount - 1) << 8n) |
    (BigInt(member) << 4n) |
    BigInt(memberThreshold - 1)
  const value = share.value.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  const places = [...placesOf(head, headWords), ...placesOf(value, valueWords)]
  const sum = polymod([...customized(isExtendable), ...places, 0, 0, 0]) ^ 1
  return [...places, ...placesOf(BigInt(sum), checksumWords)].map((place) => shareWords[place] as string)
}

export function decodeShare(words: readonly string[]): Share | ShareProblem {
  const places = words.map(placeOfWord)
  const at = places.indexOf(undefined)
  if (at >= 0) return { problem: 'word', at }
  const valueWords = words.length - headWords - checksumWords
  const padding = (valueWords * wordBits) % 16
  if (words.length < wordsMin || padding > 8) return { problem: 'length' }

  const head = numberOf(places.slice(0, headWords) as number[])
  const field = (shift: bigint, mask: bigint): number => Number((head >> shift) & mask)
  const isExtendable = field(24n, 1n) === 1
  if (polymod([...customized(isExtendable), ...(places as number[])]) !== 1) return { problem: 'checksum' }
  let value = numberOf(places.slice(headWords, -checksumWords) as number[])
  const bytes = new Uint8Array((valueWords * wordBits - padding) / 8)
  for (let i = bytes.length - 1; i >= 0; i--, value >>= 8n) bytes[i] = Number(value & 255n)
  if (value !== 0n) return { problem: 'padding' }
  const share = {
    id: field(25n, 0x7fffn),
    isExtendable,
    exponent: field(20n, 15n),
    group: field(16n, 15n),
    groupThreshold: field(12n, 15n) + 1,
    groupCount: field(8n, 15n) + 1,
    member: field(4n, 15n),
    memberThreshold: field(0n, 15n) + 1,
    value: bytes,
  }
  return share.groupThreshold > share.groupCount ? { problem: 'groups' } : share
}

function placesOf(number: bigint, count: number): number[] {
  return Array.from({ length: count }, (_, i) =>
    Number((number >> BigInt((count - 1 - i) * wordBits)) & 1023n),
  )
}

function numberOf(places: readonly number[]): bigint {
  return places.reduce((sum, place) => (sum << BigInt(wordBits)) | BigInt(place), 0n)
}

function customized(isExtendable: boolean): Uint8Array {
  return utf8(isExtendable ? 'shamir_extendable' : 'shamir')
}

const generator = [
  0xe0e040, 0x1c1c080, 0x3838100, 0x7070200, 0xe0e0009, 0x1c0c2412, 0x38086c24, 0x3090fc48, 0x21b1f890,
  0x3f3f120,
]

/** RS1024: finds any three wrong words, and nearly all else. */
function polymod(places: readonly number[]): number {
  let sum = 1
  for (const place of places) {
    const top = sum >> 20
    sum = ((sum & 0xfffff) << 10) ^ place
    for (const [bit, term] of generator.entries()) if ((top >> bit) & 1) sum ^= term
  }
  return sum
}
