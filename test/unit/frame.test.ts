import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Frame } from '../../daemon/net/frame.ts'
import { decodeFrame, encodeFrame } from '../../daemon/net/frame.ts'
import { fromHex, toHex, utf8 } from '../../protocol/bytes.ts'
import { errorTable, OnehopError } from '../../protocol/errors.ts'
import type { ErrorCode } from '../../protocol/errors.ts'

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

test.each([
  ['empty', ''],
  ['cut off in the id', '010000'],
  ['unknown kind', '0900000001'],
  ['method longer than the frame', '0100000001000003e840612f62'],
  ['method without a slash', '0100000001000003e803616262'],
  ['control byte in the method', '0100000001000003e803610a62'],
  ['cancel with a body', '040000000100'],
  ['error code longer than the frame', '03000000010a42'],
])('%s is refused', (_, hex) => {
  expect(() => decodeFrame(fromHex(hex) as Uint8Array)).toThrow(
    expect.objectContaining({ code: 'BAD_MESSAGE' }),
  )
})

test('a code of a later release reads as INTERNAL', () => {
  const bytes = fromHex('0300000001' + '03' + '4e4557' + '6869') as Uint8Array
  expect(decodeFrame(bytes)).toEqual({ kind: 'error', id: 1, code: 'INTERNAL', message: 'hi' })
})
