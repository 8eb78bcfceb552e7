import { describe, expect, it, test } from 'vitest'
import { contentDigest, isDigestOf } from '../../protocol/api/content-digest.ts'
import {
  checkBody,
  checkTime,
  isSigned,
  readSignature,
  signRequest,
  verifySignature,
} from '../../protocol/api/http-signature.ts'
import type { HttpRequest } from '../../protocol/api/http-signature.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { componentValue, signatureBase } from '../../protocol/api/signature-base.ts'
import { parseSignature, parseSignatureInput } from '../../protocol/api/signature-fields.ts'
import { fromHex, fromUtf8, toHex, utf8 } from '../../protocol/bytes.ts'
import { contexts } from '../../protocol/context.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { testCrypto } from '../support/api-node.ts'
import { httpSignatureVectors } from '../vectors/http-signature.ts'
import type { HttpSignatureVectors, SignedCase } from '../vectors/http-signature.ts'
import { readVectors } from '../vectors/wire.ts'

interface RfcRequest extends Omit<HttpRequest, 'field'> {
  readonly fields: Readonly<Record<string, readonly string[]>>
}

interface Rfc9421 {
  readonly components: readonly {
    readonly section: string
    readonly request: RfcRequest
    readonly values: Readonly<Record<string, string>>
  }[]
  readonly bases: readonly {
    readonly section: string
    readonly request: RfcRequest
    readonly input: string
    readonly base: readonly string[]
    readonly signature: string | null
  }[]
  readonly ed25519Key: { readonly d: string; readonly x: string }
  readonly digests: readonly { readonly section: string; readonly body: string; readonly digest: string }[]
}

const rfc = readVectors('rfc9421.json') as Rfc9421
const ours = readVectors('http-signature.json') as HttpSignatureVectors

function requestOf({ fields, ...rest }: RfcRequest): HttpRequest {
  return { ...rest, field: (name) => fields[name] }
}

describe('the examples of RFC 9421', () => {
  const values = rfc.components.flatMap(({ section, request, values: expected }) =>
    Object.entries(expected).map(([name, value]) => ({ section, request, name, value })),
  )

  test.each(values)('$section: the value of $name', ({ request, name, value }) => {
    expect(componentValue(requestOf(request), name)).toBe(value)
  })

  test.each(rfc.bases)('$section: the signature base', ({ request, input, base }) => {
    const { covered, text } = parseSignatureInput(input)
    expect(fromUtf8(signatureBase(requestOf(request), covered, text))).toBe(base.join('\n'))
  })

  test.each(rfc.bases.filter(({ signature }) => signature !== null))(
    '$section: the signature with the key of B.1.4, made and verified',
    ({ request, input, signature }) => {
      const { label, covered, text } = parseSignatureInput(input)
      const base = signatureBase(requestOf(request), covered, text)
      const [seed, key] = [rfc.ed25519Key.d, rfc.ed25519Key.x].map(
        (part) => new Uint8Array(Buffer.from(part, 'base64url')),
      ) as [Uint8Array, Uint8Array]
      const bytes = parseSignature(signature as string, label)
      expect(toHex(testCrypto.sign(base, seed))).toBe(toHex(bytes))
      expect(testCrypto.verifyStrict(base, bytes, key)).toBe(true)
      expect(testCrypto.verifyStrict(utf8(`${fromUtf8(base)} `), bytes, key)).toBe(false)
    },
  )

  test.each(rfc.digests)('$section: Content-Digest', ({ body, digest }) => {
    expect(contentDigest(testCrypto, utf8(body))).toBe(digest)
    expect(isDigestOf(testCrypto, digest, utf8(body))).toBe(true)
    expect(isDigestOf(testCrypto, digest, utf8(`${body} `))).toBe(false)
  })
})

/** All that a node checks besides time, nonce and membership. */
function check(given: SignedCase): void {
  const { name: _, body, fields, ...target } = given
  const request: HttpRequest = { ...target, field: (name) => fields[name] }
  const signature = readSignature(request)
  if (!verifySignature(testCrypto, signature))
    throw new OnehopError('UNAUTHENTICATED', 'the device did not sign this request')
  checkBody(testCrypto, signature, request.field, utf8(body))
}

describe('vectors of signed requests', () => {
  it('are what is made today', () => expect(httpSignatureVectors()).toEqual(ours))

  it.each(ours.valid)('$name', (given) => {
    check(given)
    const signature = readSignature({ ...given, field: (name) => given.fields[name] })
    expect(toHex(signature.owner)).toBe(ours.owner)
    expect(toHex(signature.device)).toBe(ours.device)
    const claim = { ...signature, node: signature.node }
    const again = signRequest(
      testCrypto,
      given,
      utf8(given.body),
      claim,
      fromHex(ours.deviceSeed, 32) as Uint8Array,
    )
    expect(Object.fromEntries(Object.entries(again).map(([name, value]) => [name, [value]]))).toEqual(
      given.fields,
    )
  })

  it.each(ours.invalid)('refused: $name', (given) => {
    expect(() => check(given)).toThrow(
      expect.objectContaining({ code: 'UNAUTHENTICATED', message: expect.stringContaining(given.says) }),
    )
  })
})

describe('what is signed', () => {
  test('begins as nothing else that a device signs', () => {
    const [good] = ours.valid
    const { base } = readSignature({ ...(good as SignedCase), field: (name) => good?.fields[name] })
    expect(fromUtf8(base)).toMatch(/^"@method": /)
    for (const context of Object.values(contexts)) expect(context.startsWith('"')).toBe(false)
  })

  test('a field cannot pass for two lines', () => {
    const [good] = ours.valid
    const request: HttpRequest = { ...(good as SignedCase), field: () => ['a\n"@path": /other'] }
    expect(() => signatureBase(request, ['date'], '()')).toThrow(/cannot be signed/)
  })

  test('whichever of the two fields is there, the request says that it is signed', () => {
    expect(isSigned(() => undefined)).toBe(false)
    expect(isSigned((name) => (name === 'signature' ? [''] : undefined))).toBe(true)
    expect(isSigned((name) => (name === 'signature-input' ? [''] : undefined))).toBe(true)
  })
})

describe('the time of a signature', () => {
  const nowMs = ours.createdS * 1000
  const at = (createdS: number, expiresS?: number): (() => void) => {
    const [good] = ours.valid
    const signature = readSignature({ ...(good as SignedCase), field: (name) => good?.fields[name] })
    return () => checkTime({ ...signature, createdS, expiresS }, nowMs + 999)
  }
  const { signatureWindowS, signatureAheadS } = apiLimits

  test('is good within the window, both ends among it', () => {
    for (const apart of [-signatureWindowS, 0, signatureAheadS])
      expect(at(ours.createdS + apart)).not.toThrow()
    expect(at(ours.createdS, ours.createdS + 1)).not.toThrow()
  })

  test.each([
    ['too old', ours.createdS - signatureWindowS - 1, undefined],
    ['ahead', ours.createdS + signatureAheadS + 1, undefined],
    ['far beyond what a date can hold', Number.MAX_SAFE_INTEGER, undefined],
    ['over by its own word', ours.createdS - 2, ours.createdS],
  ])('%s: the refusal tells what time it is here, and the way out', (_name, createdS, expiresS) => {
    expect(at(createdS, expiresS)).toThrow(
      expect.objectContaining({
        code: 'UNAUTHENTICATED',
        message: expect.stringContaining(`here it is 2026-01-15T12:00:00.000Z (${ours.createdS})`),
        help: expect.stringContaining('node.info'),
      }),
    )
  })
})
