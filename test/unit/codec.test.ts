import { readFileSync } from 'node:fs'
import { encode as cborgEncode, rfc8949EncodeOptions } from 'cborg'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { concatBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { dataPath } from '../support/data.ts'

interface Vectors {
  readonly valid: readonly { readonly hex: string; readonly value: unknown; readonly note: string }[]
  readonly invalid: readonly { readonly hex: string; readonly code: string; readonly note: string }[]
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/codec.json', import.meta.url), 'utf8')) as Vectors

function hex(text: string): Uint8Array {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error(`not hex: ${text}`)
  return bytes
}

/** JSON has no bytes and no bigints: {"bytes": hex} and {"bigint": decimal} stand for them. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive)
  if (typeof value !== 'object' || value === null) return value
  if ('bytes' in value) return hex(String(value.bytes))
  if ('bigint' in value) return BigInt(String(value.bigint))
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revive(item)]))
}

function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof OnehopError) return error.code
    throw error
  }
  return 'none'
}

function outcome(bytes: Uint8Array): { value: unknown } | { code: string } {
  try {
    return { value: decode(bytes) }
  } catch (error) {
    if (error instanceof OnehopError) return { code: error.code }
    throw error
  }
}

describe('vectors', () => {
  test.each(vectors.valid)('$note', ({ hex: text, value }) => {
    expect(decode(hex(text))).toEqual(revive(value))
    expect(toHex(encode(revive(value)))).toBe(text)
  })

  test.each(vectors.invalid)('$note', ({ hex: text, code }) => {
    expect(refusal(() => decode(hex(text)))).toBe(code)
  })
})

describe('decode', () => {
  test('gives copies, not views', () => {
    const bytes = encode([new Uint8Array([1, 2, 3])])
    const [inner] = decode(Buffer.from(bytes)) as [Uint8Array]
    bytes.fill(0)
    expect(inner).toEqual(new Uint8Array([1, 2, 3]))
    expect(inner.constructor).toBe(Uint8Array)
    expect(inner.buffer.byteLength).toBeLessThan(64)
  })

  test('reads a view into a larger buffer', () => {
    const frame = concatBytes(new Uint8Array([0xff, 0xff]), encode({ a: ['ü', 7] }), new Uint8Array([0xff]))
    expect(decode(frame.subarray(2, -1))).toEqual({ a: ['ü', 7] })
    expect(decode(Buffer.from(frame).subarray(2, -1))).toEqual({ a: ['ü', 7] })
  })

  test('a million nested arrays are refused, not followed', () => {
    expect(refusal(() => decode(new Uint8Array(1_000_000).fill(0x81)))).toBe('TOO_LARGE')
    expect(refusal(() => decode(new Uint8Array(1_000_000).fill(0xa1)))).toBe('BAD_MESSAGE')
  })

  test('depth, items and bytes are bounded by the call', () => {
    const deep = hex('818181f6')
    expect(decode(deep, { depthMax: 3 })).toEqual([[[null]]])
    expect(refusal(() => decode(deep, { depthMax: 2 }))).toBe('TOO_LARGE')
    const wide = hex('83010203')
    expect(decode(wide, { itemsMax: 4 })).toEqual([1, 2, 3])
    expect(refusal(() => decode(wide, { itemsMax: 3 }))).toBe('TOO_LARGE')
    expect(refusal(() => decode(hex('a16161f6'), { itemsMax: 2 }))).toBe('TOO_LARGE')
    expect(refusal(() => decode(wide, { bytesMax: 3 }))).toBe('TOO_LARGE')
    expect(refusal(() => decode(new Uint8Array(limits.frameBytesMax + 1)))).toBe('TOO_LARGE')
  })

  test('a message of the largest size and count passes', () => {
    const wide = Array.from({ length: limits.cborItemsMax - 1 }, (_, i) => i)
    expect(decode(encode(wide))).toEqual(wide)
    const large = new Uint8Array(limits.frameBytesMax - 5).fill(7)
    expect(decode(encode(large))).toEqual(large)
  })

  test('what is kept may be longer than a frame where the call allows it, in its one form as well', () => {
    // A page that a phone remembers.
    const bounds = { bytesMax: 4 * limits.frameBytesMax }
    const value = { a: 1, b: new Uint8Array(limits.frameBytesMax).fill(7) }
    const bytes = encode(value, bounds)
    expect(bytes.length).toBeGreaterThan(limits.frameBytesMax)
    expect(decode(bytes, bounds)).toEqual(value)
    // As long, with `a` after `b`.
    const swapped = concatBytes(bytes.subarray(0, 1), bytes.subarray(4), bytes.subarray(1, 4))
    expect(refusal(() => decode(swapped, bounds))).toBe('BAD_MESSAGE')
    expect(refusal(() => decode(bytes))).toBe('TOO_LARGE')
  })

  test('whatever the bytes: a value that encodes to them, or a refusal', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const result = outcome(bytes)
        if ('value' in result) expect(toHex(encode(result.value))).toBe(toHex(bytes))
        else expect(['BAD_MESSAGE', 'TOO_LARGE']).toContain(result.code)
      }),
      { numRuns: 2000 },
    )
  })

  test('a changed byte never gives the value again', () => {
    fc.assert(
      fc.property(values, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, flip) => {
        const bytes = encode(value)
        const changed = bytes.slice()
        const at = place % bytes.length
        changed[at] = (changed[at] as number) ^ flip
        const result = outcome(changed)
        if ('value' in result) expect(toHex(encode(result.value))).toBe(toHex(changed))
        for (const cut of [bytes.slice(0, at), concatBytes(bytes, changed.subarray(at, at + 1))]) {
          expect(refusal(() => decode(cut))).not.toBe('none')
        }
      }),
      { numRuns: 1000 },
    )
  })
})

const text = fc.string({ unit: 'binary', maxLength: 40 }).filter((value) => value.isWellFormed())
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom(null, true, false),
    fc.maxSafeInteger().map((value) => (value === 0 ? 0 : value)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
    fc.double({ noNaN: true, noDefaultInfinity: true }).filter((value) => !Object.is(value, -0)),
    text,
    fc.uint8Array({ maxLength: 40 }),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      text.filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5, noNullPrototype: true },
    ),
  ),
}))

describe('encode', () => {
  test('what it takes comes back, in one form', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encode(value, { depthMax: 64 })
        expect(decode(bytes, { depthMax: 64 })).toEqual(value)
        expect(bytes.buffer.byteLength).toBe(bytes.length)
      }),
      { numRuns: 1000 },
    )
  })

  test('makes the bytes that cborg makes', () => {
    fc.assert(
      fc.property(values, (value) => {
        expect(toHex(encode(value, { depthMax: 64 }))).toBe(toHex(cborgEncode(value, rfc8949EncodeOptions)))
      }),
      { numRuns: 1000 },
    )
  })

  test('keys around the surrogates are in the order of their bytes', () => {
    const keys = [
      '\ue000',
      '\uffff',
      '\u{10000}',
      '\u{10ffff}',
      '\u{10000}a',
      '\u{103ff}',
      '水ab',
      'é',
      'zz',
      '\ue000z',
    ]
    const value = Object.fromEntries(keys.map((key) => [key, 0]))
    expect(toHex(encode(value))).toBe(toHex(cborgEncode(value, rfc8949EncodeOptions)))
  })

  test('the order of keys does not matter', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(
          text.filter((key) => key !== '__proto__'),
          { maxLength: 12 },
        ),
        (keys) => {
          const there = Object.fromEntries(keys.map((key) => [key, key.length]))
          const back = Object.fromEntries(keys.toReversed().map((key) => [key, key.length]))
          expect(toHex(encode(there))).toBe(toHex(encode(back)))
        },
      ),
    )
  })

  test('a small bigint is the integer that it equals', () => {
    expect(toHex(encode(7n))).toBe('07')
    expect(toHex(encode(-7n))).toBe('26')
    expect(toHex(encode([1n << 40n]))).toBe(toHex(encode([2 ** 40])))
  })

  const cycle: unknown[] = []
  cycle.push(cycle)
  test.each<[string, unknown]>([
    ['undefined', [undefined]],
    ['a property without a value', { a: undefined }],
    // eslint-disable-next-line no-sparse-arrays
    ['a hole', [1, , 2]],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['negative zero', -0],
    ['an integer over 2^64-1', 2n ** 64n],
    ['an integer under -2^63', -(2n ** 63n) - 1n],
    ['half a surrogate pair', '\ud800'],
    ['half a surrogate pair as a key', { '\udc00': 1 }],
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a Date', new Date(0)],
    ['an instance', new (class Thing {})()],
    ['another typed array', new Uint16Array(2)],
    ['an ArrayBuffer', new ArrayBuffer(2)],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['the key __proto__', JSON.parse('{"__proto__": 1}')],
  ])('refuses %s', (_, value) => {
    expect(refusal(() => encode(value))).toBe('BAD_MESSAGE')
  })

  test('refuses what is too deep, too many or too long', () => {
    expect(refusal(() => encode(cycle))).toBe('TOO_LARGE')
    expect(refusal(() => encode([[1]], { depthMax: 1 }))).toBe('TOO_LARGE')
    expect(refusal(() => encode([1, 2], { itemsMax: 2 }))).toBe('TOO_LARGE')
    expect(refusal(() => encode(new Uint8Array(10), { bytesMax: 10 }))).toBe('TOO_LARGE')
    expect(refusal(() => encode(Array.from({ length: limits.cborItemsMax }, () => 0)))).toBe('TOO_LARGE')
  })

  test('takes objects without a prototype and Buffers', () => {
    const bare = Object.assign(Object.create(null) as object, { a: Buffer.from([1]) })
    expect(toHex(encode(bare))).toBe('a161614101')
  })
})

interface AppendixA {
  readonly hex: string
  readonly roundtrip: boolean
  readonly decoded?: unknown
  readonly diagnostic?: string
}

const appendix = dataPath('cbor-appendix-a/appendix_a.json')

describe.skipIf(appendix === undefined)('RFC 8949 appendix A (skipped without the data folder)', () => {
  const cases = appendix === undefined ? [] : (JSON.parse(readFileSync(appendix, 'utf8')) as AppendixA[])

  test.each(cases)('$hex', ({ hex: text, decoded }) => {
    const result = outcome(hex(text))
    if (!('value' in result)) {
      // Refused: only for one of the documented reasons.
      expect(reasonToRefuse(text)).toBeDefined()
      return
    }
    expect(reasonToRefuse(text)).toBeUndefined()
    expect(toHex(encode(result.value))).toBe(text)
    // JSON.parse of the vectors loses big integers; the bytes above are the stronger check.
    if (decoded !== undefined && typeof result.value !== 'bigint') expect(result.value).toEqual(decoded)
  })
})

function reasonToRefuse(text: string): string | undefined {
  if (/^[cd]/.test(text)) return 'tag'
  if (/^(5f|7f|9f|bf)/.test(text) || /^(83|82|a2|82)[0-9a-f]*(9f|bf)/.test(text)) return 'indefinite length'
  if (/^f[0-37]|^f8/.test(text)) return 'simple value'
  if (/7c00|fc00|7e00|7f800000|ff800000|7fc00000|7ff0|fff0|7ff8/.test(text)) return 'not finite'
  if (/^f90000|^f98000|^f93c00|^f97bff|^f9c400|^fa47c35000/.test(text)) return 'integer as a float'
  if (/^a201020304$/.test(text)) return 'keys that are not text'
  if (/^3bffffffffffffffff$/.test(text)) return 'integer under -2^63'
  return undefined
}
