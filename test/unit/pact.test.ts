import { describe, expect, it, test } from 'vitest'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { invitationLink, parseInvitation } from '../../protocol/placement/invitation.ts'
import { encodePact, packPact, signPact, verifyPact, type Pact } from '../../protocol/placement/pact.ts'
import { pactVectors, type PactVectors } from '../vectors/pact.ts'
import { plain } from '../vectors/record.ts'
import { readVectors, unspell } from '../vectors/wire.ts'

const crypto = portableCrypto(() => {
  throw new Error('nothing here is random')
})
const vectors = readVectors('pact.json') as PactVectors
const unhex = (hex: string): Uint8Array => fromHex(hex) as Uint8Array

describe('vectors of pacts', () => {
  it('are what is made today', () => expect(pactVectors()).toEqual(vectors))

  it.each(vectors.valid)('$name', ({ bytes, value }) => {
    const { packed, ...pact } = verifyPact(crypto, unhex(bytes)) ?? {}
    expect(toHex(packed as Uint8Array)).toBe(bytes)
    expect(plain(pact)).toEqual(value)
    const document = encodePact(pact as Pact)
    const { inviter, invited } = vectors.seeds
    const [one, other] = [inviter, invited].map((seed) => signPact(crypto, document, unhex(seed)))
    expect(toHex(packPact(document, one as Uint8Array, other as Uint8Array))).toBe(bytes)
  })

  it.each(vectors.unsigned)('not of both: $name', ({ bytes }) => {
    expect(verifyPact(crypto, unhex(bytes))).toBeUndefined()
  })

  it.each(vectors.invalid)('$name', ({ bytes, code }) => {
    expect(() => verifyPact(crypto, unspell(bytes))).toThrow(expect.objectContaining({ code }))
  })
})

describe('vectors of invitations', () => {
  it.each(vectors.invitations.valid)('$name', ({ link, value }) => {
    const invitation = parseInvitation(link)
    expect(plain(invitation)).toEqual(value)
    expect(invitationLink(invitation)).toBe(link)
  })

  it.each(vectors.invitations.invalid)('$name', ({ link, code }) => {
    expect(() => parseInvitation(link)).toThrow(expect.objectContaining({ code }))
  })
})

test('an invitation that a letter broke into lines is read', () => {
  const [{ link, value }] = vectors.invitations.valid as [PactVectors['invitations']['valid'][number]]
  const broken = ` ${link.slice(0, 40)}\r\n  ${link.slice(40, 90)}\n${link.slice(90)} \n`
  expect(plain(parseInvitation(broken))).toEqual(value)
})
