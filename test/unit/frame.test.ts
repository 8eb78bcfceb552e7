import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Frame } from '../../daemon/net/frame.ts'
import { decodeFrame, encodeFrame } from '../../daemon/net/frame.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { errorTable, OnehopError } from '../../protocol/errors.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { frameVectors, rereadFrame, type FrameVectors } from '../vectors/request-frames.ts'
import { codeOf, readVectors, unspell } from '../vectors/wire.ts'

const id = fc.nat({ max: 0xffff_ffff })
const body = fc.uint8Array({ maxLength: 200 })
const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    kind: fc.constant('request' as const),
    id,
    timeoutMs: id,
    method: fc.constantFrom('shard/push' as const, 'a/b' as const, 'identity-log/get-2' as const),
    body,
  }),
  fc.record({ kind: fc.constant('reply' as const), id, body }),
  fc.record({
    kind: fc.constant('error' as const),
    id,
    code: fc.constantFrom(...(Object.keys(errorTable) as ErrorCode[])),
    message: fc.string({ maxLength: 50 }),
  }),
  fc.record({ kind: fc.constant('cancel' as const), id }),
)

test('every frame comes back as it went', () => {
  fc.assert(
    fc.property(frame, (value) => {
      expect(decodeFrame(encodeFrame(value))).toEqual(value)
    }),
  )
})

test('any bytes give a frame or a typed error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      try {
        decodeFrame(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(OnehopError)
      }
    }),
    { numRuns: 2_000 },
  )
})

test('the bytes of a request are those of the grammar', () => {
  const bytes = encodeFrame({ kind: 'request', id: 7, timeoutMs: 1000, method: 'a/b', body: utf8('x') })
  expect(toHex(bytes)).toBe('0100000007' + '000003e8' + '03' + '612f62' + '78')
})

const vectors = readVectors('request-frames.json') as FrameVectors

test('vectors are what is made today', () => expect(frameVectors()).toEqual(vectors))

test.each(vectors.valid)('$name', ({ bytes, frame: value }) => {
  expect(rereadFrame(unspell(bytes))).toEqual({ frame: value, bytes })
})

test.each(vectors.otherWays)('$name is read all the same', ({ bytes, frame: value }) => {
  expect(rereadFrame(unspell(bytes)).frame).toEqual(value)
})

test.each(vectors.invalid)('$name is refused', ({ bytes, code }) => {
  expect(codeOf(() => rereadFrame(unspell(bytes)))).toBe(code)
})
