import { describe, expect, it } from 'vitest'
import { fromFailure, httpStatus, toFailure } from '../../protocol/api/failure.ts'
import { decodeFrame, encodedPayload, encodeFrame } from '../../protocol/api/frames.ts'
import { signSession, verifySession, type SessionClaim } from '../../protocol/api/session.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { seededCrypto } from '../support/people.ts'
import { frameVectors, type FrameVectors } from '../vectors/api-frames.ts'
import { plain } from '../vectors/record.ts'
import { codeOf, readVectors, unhex, unspell } from '../vectors/wire.ts'

const crypto = seededCrypto(3)
const file = readVectors('api-frames.json') as FrameVectors

it('are what is made today', () => expect(frameVectors()).toEqual(file))

describe('vectors of frames', () => {
  it.each(file.frames.valid)('$name', ({ bytes, value }) => {
    const frame = decodeFrame(unspell(bytes))
    const { id, kind, operation, payload } = frame
    if (value !== undefined) expect(plain(frame)).toEqual(value)
    const again = encodeFrame(id, kind, operation, encodedPayload(payload))
    expect(toHex(again)).toBe(toHex(unspell(bytes)))
  })

  it.each(file.frames.invalid)('refused: $name', ({ bytes, code }) => {
    expect(codeOf(() => decodeFrame(unspell(bytes)))).toBe(code)
  })
})

describe('vectors of failures', () => {
  it.each(file.failures.valid)('$name', ({ given, told, http }) => {
    for (const form of ['cbor', 'json'] as const) {
      const error = fromFailure(form === 'cbor' ? decode(encode(given)) : given, form)
      expect(error).toMatchObject(told)
      expect(httpStatus(error.code)).toBe(http)
      // A node that passes it on tells the same; of its own faults it never says more than that there was one.
      expect(toFailure(error)).toEqual(
        error.code === 'INTERNAL' ? { ...told, message: 'the node met a fault' } : told,
      )
    }
  })

  it.each(file.failures.invalid)('refused: $name', ({ given, code, at }) => {
    expect(() => fromFailure(given, 'json')).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(`${at}: `) }),
    )
  })
})

describe('vectors of sessions', () => {
  const claimOf = (claim: unknown): SessionClaim => {
    const { expiresMs, ...keys } = claim as Record<string, string> & { expiresMs: number }
    const bytes = Object.fromEntries(Object.entries(keys).map(([name, text]) => [name, unhex(text)]))
    return { ...bytes, expiresMs } as unknown as SessionClaim
  }

  it.each(file.sessions.valid)('$name', ({ claim, signature }) => {
    expect(verifySession(crypto, claimOf(claim), unhex(signature))).toBe(true)
    expect(toHex(signSession(crypto, claimOf(claim), unhex(file.sessions.deviceSeed)))).toBe(signature)
  })

  it.each(file.sessions.refused)('refused: $name', ({ claim, signature }) => {
    expect(verifySession(crypto, claimOf(claim), unhex(signature))).toBe(false)
  })
})
