import { describe, expect, expectTypeOf, test } from 'vitest'
import { encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import {
  anything,
  array,
  boolean,
  bytes,
  choice,
  decodeAs,
  either,
  fields,
  integer,
  literal,
  map,
  mapped,
  mismatch,
  nullable,
  number,
  parse,
  struct,
  text,
  tuple,
  type Shape,
  type Typed,
  u64,
  uint,
  variant,
} from '../../protocol/shape.ts'

function refusal(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof OnehopError && error.code === 'BAD_MESSAGE') return error.message
    throw error
  }
  return 'none'
}

const hash = new Uint8Array(32)

describe('single values', () => {
  test.each<[string, Shape<unknown>, unknown, unknown]>([
    ['uint', uint(), 0, 0],
    ['uint at its maximum', uint(9), 9, 9],
    ['integer', integer, -5, -5],
    ['number', number, 1.5, 1.5],
    ['u64 small', u64, 7, 7n],
    ['u64 large', u64, 2n ** 64n - 1n, 2n ** 64n - 1n],
    ['boolean', boolean, false, false],
    ['text', text(4), 'üü', 'üü'],
    ['text of three-byte characters', text(6), '水水', '水水'],
    ['text of a surrogate pair', text(4), '𐅑', '𐅑'],
    ['bytes of a length', bytes(32), hash, hash],
    ['bytes within a range', bytes(0, 128), hash, hash],
    ['literal', literal('onehop/record/1'), 'onehop/record/1', 'onehop/record/1'],
    ['choice', choice('register', 'append'), 1, 'append'],
    ['null', nullable(uint()), null, undefined],
    ['not null', nullable(uint()), 3, 3],
    ['anything', anything, 'x', 'x'],
    ['mapped', mapped(uint(), String), 3, '3'],
  ])('%s', (_, shape, value, parsed) => {
    expect(parse(shape, value, 'it')).toStrictEqual(parsed)
  })

  test.each<[string, Shape<unknown>, readonly unknown[], string]>([
    ['uint', uint(), [-1, 1.5, '1', 1n, 2 ** 53, null], 'it: integer from 0 expected'],
    ['uint with bounds', uint(9, 1), [0, 10], 'it: integer from 1 to 9 expected'],
    ['integer', integer, [0.5, 2n ** 60n], 'it: integer expected'],
    ['number', number, ['1', 1n], 'it: number expected'],
    ['u64', u64, [-1, -1n, 1.5, 2 ** 60, '1'], 'it: unsigned 64-bit integer expected'],
    ['boolean', boolean, [0, null], 'it: boolean expected'],
    ['text', text(4), ['aaaaa', 'üüü', '水水', hash], 'it: text of 0 to 4 bytes expected'],
    ['text that may not be empty', text(4, 1), ['', 'aaaaa'], 'it: text of 1 to 4 bytes expected'],
    ['bytes', bytes(32), [new Uint8Array(31), new Uint8Array(33), 'a', [0]], 'it: 32 bytes expected'],
    ['bytes within a range', bytes(1, 2), [new Uint8Array(0), hash], 'it: 1 to 2 bytes expected'],
    ['literal', literal(1), [2, '1', true], 'it: 1 expected'],
    ['choice', choice('a', 'b'), [2, -1, 0.5, 'a', 'length'], 'it: integer from 0 to 1 expected'],
    ['nullable', nullable(uint()), [undefined, ''], 'it: integer from 0 expected'],
    [
      'mapped',
      mapped(text(9), () => {
        throw mismatch('a scope')
      }),
      ['x'],
      'it: a scope expected',
    ],
  ])('refuses what is not %s', (_, shape, values, message) => {
    for (const value of values) expect(refusal(() => parse(shape, value, 'it'))).toBe(message)
  })
})

describe('values of values', () => {
  const section = struct({
    audience: either(choice('public', 'followers'), bytes(32)),
    heights: map(uint(8), { max: 2, keyBytesMax: 8 }),
    hash: bytes(32),
  })
  const record = struct({ app: text(64), sections: array(section, 3), at: tuple(uint(), nullable(u64)) })
  const sectionBytes = [0, { geo: 2 }, hash]

  test('types follow from shapes', () => {
    expectTypeOf<Typed<typeof record>>().toEqualTypeOf<{
      readonly app: string
      readonly sections: {
        readonly audience: 'public' | 'followers' | Uint8Array
        readonly heights: Record<string, number>
        readonly hash: Uint8Array
      }[]
      readonly at: readonly [number, bigint | undefined]
    }>()
  })

  test('a nested message, from bytes', () => {
    const encoded = encode(['bikes', [sectionBytes, [hash, {}, hash]], [1, 2]])
    expect(decodeAs(record, encoded, 'record')).toEqual({
      app: 'bikes',
      sections: [
        { audience: 'public', heights: { geo: 2 }, hash },
        { audience: hash, heights: {}, hash },
      ],
      at: [1, 2n],
    })
  })

  test.each<[unknown, string]>([
    [
      ['bikes', [sectionBytes, sectionBytes, [0, {}, new Uint8Array(31)]], [1, null]],
      'record.sections[2].hash: 32 bytes',
    ],
    [['bikes', [[0, { geo: 9 }, hash]], [1, 2]], 'record.sections[0].heights["geo"]: integer from 0 to 8'],
    [
      ['bikes', [[0, { 'far too long': 1 }, hash]], [1, 2]],
      'record.sections[0].heights["far too long"]: text of 0 to 8 bytes',
    ],
    [
      ['bikes', [[0, { a: 1, b: 1, c: 1 }, hash]], [1, 2]],
      'record.sections[0].heights: map of at most 2 keys',
    ],
    [['bikes', [[0, [], hash]], [1, 2]], 'record.sections[0].heights: map'],
    [['bikes', [[7, {}, hash]], [1, 2]], 'record.sections[0].audience: integer from 0 to 1 or 32 bytes'],
    [['bikes', Array(4).fill(sectionBytes), [1, 2]], 'record.sections: array of 0 to 3 items'],
    [['bikes', {}, [1, 2]], 'record.sections: array of 0 to 3 items'],
    [['bikes', [], [1]], 'record.at: array of 2 items'],
    [['bikes', [], [1, -1]], 'record.at[1]: unsigned 64-bit integer'],
    [['bikes', [], [1, 2], 0], 'record: array of 3 items'],
    [null, 'record: array of 3 items'],
  ])('names the place: %#', (value, message) => {
    expect(refusal(() => parse(record, value, 'record'))).toBe(`${message} expected`)
  })

  test('a map of a stranger has no prototype', () => {
    const heights = parse(map(uint(), { max: 9, keyBytesMax: 64 }), { constructor: 1 }, 'heights')
    expect(heights['constructor']).toBe(1)
    expect(heights['toString']).toBeUndefined()
  })

  test('fields: exactly these keys', () => {
    const page = fields({ view: text(64) }, { limit: uint(100) })
    expectTypeOf<Typed<typeof page>>().toEqualTypeOf<
      { readonly view: string } & { readonly limit?: number }
    >()
    expect(parse(page, { view: 'home' }, 'page')).toEqual({ view: 'home' })
    expect(parse(page, { limit: 5, view: 'home' }, 'page')).toEqual({ view: 'home', limit: 5 })
    expect(refusal(() => parse(page, { limit: 5 }, 'page'))).toBe('page.view: a value expected')
    expect(refusal(() => parse(page, { view: 'home', limit: 101 }, 'page'))).toBe(
      'page.limit: integer from 0 to 100 expected',
    )
    expect(refusal(() => parse(page, { view: 'home', more: 1 }, 'page'))).toBe(
      'page: no key but view, limit expected',
    )
    expect(refusal(() => parse(page, hash, 'page'))).toBe('page: map expected')
    expect(refusal(() => parse(fields({ toString: anything }), {}, 'page'))).toBe(
      'page.toString: a value expected',
    )
  })

  test('variant: the tag says the shape', () => {
    const body = variant({ 0: struct({ role: text(8) }), 3: bytes(32) })
    expectTypeOf<Typed<typeof body>>().toEqualTypeOf<
      | { readonly tag: 0; readonly value: { readonly role: string } }
      | { readonly tag: 3; readonly value: Uint8Array }
    >()
    expect(parse(body, [0, ['node']], 'body')).toEqual({ tag: 0, value: { role: 'node' } })
    expect(parse(body, [3, hash], 'body')).toEqual({ tag: 3, value: hash })
    expect(refusal(() => parse(body, [1, hash], 'body'))).toBe('body[0]: one of 0, 3 expected')
    expect(refusal(() => parse(body, ['0', ['node']], 'body'))).toBe('body[0]: one of 0, 3 expected')
    expect(refusal(() => parse(body, [0, [5]], 'body'))).toBe('body[1].role: text of 0 to 8 bytes expected')
    expect(refusal(() => parse(body, [0], 'body'))).toBe('body: array of 2 items expected')
  })

  test("a fault in a conversion is not the sender's", () => {
    const broken = mapped(uint(), () => {
      throw new TypeError('ours')
    })
    expect(() => parse(array(broken, 2), [1], 'it')).toThrow(TypeError)
    expect(() => parse(either(broken, uint()), 1, 'it')).toThrow(TypeError)
  })
})
