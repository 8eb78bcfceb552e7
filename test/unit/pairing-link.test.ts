import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fromBase64Url, toBase64Url } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { pairingLink, parsePairingLink } from '../../protocol/pairing/index.ts'

const page = 'http://192.168.1.5:4180/phone/'
const offer = {
  node: new Uint8Array(32).fill(1),
  secret: new Uint8Array(16).fill(2),
  addresses: ['/ip4/192.168.1.5/tcp/4182/ws'],
  lifetimeS: 300,
}

function codeOf(link: string): string {
  try {
    parsePairingLink(link)
    return 'none'
  } catch (error) {
    if (error instanceof OnehopError) return error.code
    throw error
  }
}

const linkOf = (value: unknown): string => `${page}#p=${toBase64Url(encode(value))}`
const { node, secret, addresses } = offer

describe('the pairing link', () => {
  test('comes back as it was made, from the whole link and from the fragment', () => {
    const link = pairingLink(page, offer)
    expect(parsePairingLink(link)).toEqual(offer)
    expect(parsePairingLink(link.slice(link.indexOf('#')))).toEqual(offer)
  })

  test('is never longer than a camera reads', () => {
    const long = { ...offer, addresses: Array(8).fill(`/dns4/${'a'.repeat(120)}/tcp/4182/ws`) }
    expect(() => pairingLink(page, long)).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
  })

  test('holds a lifetime and no clock time', () => {
    const link = pairingLink(page, offer)
    const fragment = fromBase64Url(link.slice(link.indexOf('#p=') + 3))
    expect(decode(fragment as Uint8Array)).toEqual([1, node, secret, addresses, 300])
  })

  test.each([
    ['no link', 'hello', 'BAD_MESSAGE'],
    ['another fragment', `${page}#q=AAAA`, 'BAD_MESSAGE'],
    ['padding', `${pairingLink(page, offer)}=`, 'BAD_MESSAGE'],
    ['a short node key', linkOf([1, new Uint8Array(31), secret, addresses, 300]), 'BAD_MESSAGE'],
    ['a long secret', linkOf([1, node, new Uint8Array(17), addresses, 300]), 'BAD_MESSAGE'],
    ['nine addresses', linkOf([1, node, secret, Array(9).fill('/ip4/127.0.0.1/tcp/1'), 300]), 'BAD_MESSAGE'],
    ['no lifetime', linkOf([1, node, secret, addresses, 0]), 'BAD_MESSAGE'],
    ['a lifetime of a day', linkOf([1, node, secret, addresses, 86_400]), 'BAD_MESSAGE'],
    ['an item too many', linkOf([1, node, secret, addresses, 300, 1]), 'BAD_MESSAGE'],
    ['version 0', linkOf([0, node, secret, addresses, 300]), 'BAD_MESSAGE'],
    ['a later version, whatever it holds', linkOf([2, 'x']), 'UNSUPPORTED'],
    ['two thousand characters', `${page}#p=${'A'.repeat(2_000)}`, 'TOO_LARGE'],
  ])('refuses %s', (_what, link, code) => {
    expect(codeOf(link)).toBe(code)
  })

  test('any text is an offer or a refusal', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 80 }), fc.uint8Array({ maxLength: 80 }), (text, bytes) => {
        codeOf(text)
        codeOf(`#p=${toBase64Url(bytes)}`)
      }),
      { numRuns: 300 },
    )
  })
})
