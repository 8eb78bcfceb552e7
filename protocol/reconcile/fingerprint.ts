import { encodeVarint } from './varint.ts'

export type Sha256 = (bytes: Uint8Array) => Uint8Array

export const fingerprintBytes = 16
/** A 256-bit sum as eight little-endian words. */
export const sumWords = 8

/** sum += id, mod 2^256, both little-endian. */
export function addId(sum: Uint32Array, ids: DataView, offset: number): void {
  let carry = 0
  for (let word = 0; word < sumWords; word++) {
    const total = (sum[word] as number) + ids.getUint32(offset + word * 4, true) + carry
    sum[word] = total
    carry = total > 0xffff_ffff ? 1 : 0
  }
}

/** a - b mod 2^256: the sum of a range from the sums before its ends. */
export function subtractSum(a: Uint32Array, b: Uint32Array): Uint32Array {
  const difference = new Uint32Array(sumWords)
  let borrow = 0
  for (let word = 0; word < sumWords; word++) {
    const step = (a[word] as number) - (b[word] as number) - borrow
    difference[word] = step
    borrow = step < 0 ? 1 : 0
  }
  return difference
}

/**
 * First 16 bytes of SHA-256 over the sum of the ids and their number. Whoever may choose ids can, with effort, make
 * two sets collide: equal fingerprints schedule work, they prove nothing.
 */
export function fingerprintOf(sum: Uint32Array, count: number, sha256: Sha256): Uint8Array {
  for (let word = 0; word < sumWords; word++) inputView.setUint32(word * 4, sum[word] as number, true)
  let length = sumWords * 4
  for (const digit of encodeVarint(count)) input[length++] = digit
  return sha256(input.subarray(0, length)).subarray(0, fingerprintBytes)
}

/** One at a time is hashed: the sum, and up to ten digits. */
const input = new Uint8Array(sumWords * 4 + 10)
const inputView = new DataView(input.buffer)
