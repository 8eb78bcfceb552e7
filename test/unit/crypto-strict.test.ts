import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex } from '../../protocol/bytes.ts'
import { isStrictlyFormed } from '../../protocol/crypto/strict.ts'

/**
 * The libraries of today refuse most of these themselves, so the contract suite would not notice if the checks
 * went. Points are given by y and sign.
 */
const p = 2n ** 255n - 19n
const order = 2n ** 252n + 27742317777372353535851937790883648493n
const base = point(0x6666666666666666666666666666666666666666666666666666666666666658n)
const y8 = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n

function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

function point(y: bigint, sign = 0): Uint8Array {
  return littleEndian(y | (BigInt(sign) << 255n))
}

function signature(s: bigint, r = base): Uint8Array {
  return concatBytes(r, littleEndian(s))
}

describe('the checks before arithmetic', () => {
  test.each([0n, 1n, order - 1n])('S = %s passes', (s) => {
    expect(isStrictlyFormed(signature(s), base)).toBe(true)
  })

  test.each([order, order + 1n, 2n ** 252n * 2n, 2n ** 256n - 1n])('S = %s is not reduced', (s) => {
    expect(isStrictlyFormed(signature(s), base)).toBe(false)
  })

  test.each([2n, 3n, 18n, p - 2n, y8 + 1n])('y = %s passes, with either sign', (y) => {
    for (const sign of [0, 1]) {
      expect(isStrictlyFormed(signature(1n), point(y, sign))).toBe(true)
      expect(isStrictlyFormed(signature(1n, point(y, sign)), base)).toBe(true)
    }
  })

  // Of order 4, 1, 2, 8, 8.
  test.each([0n, 1n, p - 1n, y8, p - y8])('y = %s is of small order, with either sign', (y) => {
    for (const sign of [0, 1]) {
      expect(isStrictlyFormed(signature(1n), point(y, sign))).toBe(false)
      expect(isStrictlyFormed(signature(1n, point(y, sign)), base)).toBe(false)
    }
  })

  test.each(Array.from({ length: 19 }, (_, i) => [i]))('y = p + %i is a second encoding', (above) => {
    for (const sign of [0, 1]) {
      expect(isStrictlyFormed(signature(1n), point(p + BigInt(above), sign))).toBe(false)
      expect(isStrictlyFormed(signature(1n, point(p + BigInt(above), sign)), base)).toBe(false)
    }
  })

  test('lengths', () => {
    expect(isStrictlyFormed(signature(1n).subarray(0, 63), base)).toBe(false)
    expect(isStrictlyFormed(concatBytes(signature(1n), new Uint8Array(1)), base)).toBe(false)
    expect(isStrictlyFormed(signature(1n), base.subarray(0, 31))).toBe(false)
    expect(isStrictlyFormed(new Uint8Array(0), new Uint8Array(0))).toBe(false)
  })

  test('the order of the eighth points is as the curve has it', () => {
    // 8 T = 0: the y of 2T, doubled twice more. -x^2 + y^2 = 1 + d x^2 y^2 gives x^2; doubling needs no x.
    const d = (-121665n * inverse(121666n)) % p
    expect(doubledY(doubledY(doubledY(y8, d), d), d)).toBe(1n)
    expect(doubledY(doubledY(y8, d), d)).not.toBe(1n)
    expect(fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')).toEqual(point(y8))
  })
})

function mod(value: bigint): bigint {
  return ((value % p) + p) % p
}

function inverse(value: bigint): bigint {
  let [result, square, exponent] = [1n, mod(value), p - 2n]
  for (; exponent > 0n; exponent >>= 1n) {
    if ((exponent & 1n) === 1n) result = mod(result * square)
    square = mod(square * square)
  }
  return result
}

/** y(2P) = (y^2 + x^2) / (1 - d x^2 y^2), with x^2 = (y^2 - 1) / (1 + d y^2). */
function doubledY(y: bigint, d: bigint): bigint {
  const yy = mod(y * y)
  const xx = mod((yy - 1n) * inverse(1n + d * yy))
  return mod((yy + xx) * inverse(1n - d * xx * yy))
}
