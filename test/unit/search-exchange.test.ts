import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../protocol/codec.ts'
import {
  decodeAnnouncements,
  decodeAppend,
  decodeIdentityLogs,
  encodeAnnouncements,
  encodeAppend,
  encodeIdentityLogs,
} from '../../protocol/search/exchange.ts'

const bytes = fc.uint8Array({ minLength: 1, maxLength: 200 })

describe('messages around the search log', () => {
  it('come back as they were sent', () => {
    fc.assert(
      fc.property(fc.array(bytes, { maxLength: 5 }), bytes, fc.boolean(), (logs, batch, isLeaf) => {
        const append = { kind: isLeaf ? ('leaf' as const) : ('aggregator' as const), logs, batch }
        expect(decodeAppend(encodeAppend(append))).toEqual(append)
        const announcements = logs.map((advert) => ({ advert, missing: ['/geo/africa'] }))
        expect(decodeAnnouncements(encodeAnnouncements(announcements))).toEqual(announcements)
        const some = [...logs, undefined]
        expect(decodeIdentityLogs(encodeIdentityLogs(some))).toEqual(some)
      }),
    )
  })

  it('leave out logs that do not fit a frame', () => {
    const logs = Array.from({ length: 20 }, () => new Uint8Array(64 * 1024))
    const decoded = decodeIdentityLogs(encodeIdentityLogs(logs))
    expect(decoded.filter((log) => log !== undefined).length).toBe(15)
  })

  it.each([
    ['a kind that is none', () => decodeAppend(encode([1, 2, [], new Uint8Array(1)]))],
    ['no batch', () => decodeAppend(encode([1, 0, [], new Uint8Array(0)]))],
    ['another version', () => decodeAppend(encode([2, 0, [], new Uint8Array(1)]))],
    ['a scope that is none', () => decodeAnnouncements(encode([1, [[new Uint8Array(9), ['geo']]]]))],
    ['too many adverts', () => decodeAnnouncements(encode([1, Array(65).fill([new Uint8Array(9), []])]))],
  ])('refuse %s', (_, decoded) => {
    expect(decoded).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }))
  })
})
