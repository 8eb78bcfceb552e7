/** Makes api-frames.json, as record.ts makes record.json: frames, failures as they are told, and sessions. */
import { writeFileSync } from 'node:fs'
import { fromFailure, httpStatus, type Failure } from '../../protocol/api/failure.ts'
import { encodedPayload, encodeFrame, type FrameKind } from '../../protocol/api/frames.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import { signSession, type SessionClaim } from '../../protocol/api/session.ts'
import { concatBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import { seededCrypto, writtenMs } from '../support/people.ts'
import { plain } from './record.ts'
import { arrayOf, framing, invalidCases, raw, type InvalidCase, type Spelled, Wire, zeros } from './wire.ts'

export interface FrameVectors {
  readonly about: string
  readonly frames: {
    /** `value` is missing where only the size is of interest. */
    readonly valid: readonly { readonly name: string; readonly bytes: Spelled; readonly value?: unknown }[]
    readonly invalid: readonly InvalidCase[]
  }
  readonly failures: {
    /** `told` is what a reader of today makes of it, and `http` the status that goes with it. */
    readonly valid: readonly {
      readonly name: string
      readonly given: unknown
      readonly told: Failure
      readonly http: number
    }[]
    readonly invalid: readonly {
      readonly name: string
      readonly given: unknown
      readonly code: ErrorCode
      readonly at: string
    }[]
  }
  readonly sessions: {
    readonly deviceSeed: string
    readonly valid: readonly { readonly name: string; readonly claim: unknown; readonly signature: string }[]
    readonly refused: readonly {
      readonly name: string
      readonly claim: unknown
      readonly signature: string
    }[]
  }
}

export function frameVectors(): FrameVectors {
  return {
    about:
      'what goes around the messages of the API; bytes in hex, or a head, an item that follows it ' +
      'so many times, and a tail',
    frames: frames(),
    failures: failures(),
    sessions: sessions(),
  }
}

function frames(): FrameVectors['frames'] {
  const { random } = seededCrypto(0xf4a)
  const owner = random(32)
  const longest = 'o'.repeat(64)
  const good: Record<string, [id: number, kind: FrameKind, operation: string, payload: unknown]> = {
    'a request': [1, 'request', 'identity.get', { identity: owner }],
    'a request with nothing to say': [23, 'request', 'node.info', {}],
    'a reply': [1, 'reply', '', { log: random(8) }],
    'an error': [24, 'error', '', { code: 'NOT_FOUND', message: 'nobody', retryable: false, help: '' }],
    'an error of the connection': [
      0,
      'error',
      '',
      { code: 'BAD_MESSAGE', message: '', retryable: false, help: '' },
    ],
    'an event': [255, 'event', '', { type: 'changed', asOf: 2n ** 64n - 1n }],
    'an end': [256, 'end', '', null],
    'a cancel': [65_536, 'cancel', '', null],
    'the largest id': [Number.MAX_SAFE_INTEGER, 'cancel', '', null],
    'a name as long as may be': [2 ** 32, 'request', longest, []],
    'a payload that no operation takes': [1, 'request', 'Grüße', [1.5, -1, 'x', { a: null }]],
  }
  const request = [1, 0, 'node.info', {}]
  const head = (...items: unknown[]): Uint8Array =>
    concatBytes(Uint8Array.of(0x84), ...items.map((item) => encode(item)))
  const body = (bytes: readonly number[]): Wire =>
    raw(concatBytes(head(1, 0, 'node.info'), Uint8Array.from(bytes)))
  // The frame itself, its four items, and those of the list.
  const itemsMax = limits.cborItemsMax - 5
  const invalid: Record<string, Wire> = {
    ...framing(encode(request)),
    'three items': raw(encode(request.slice(0, 3))),
    'five items': raw(encode([...request, null])),
    'no payload at all': raw(head(1, 0, 'node.info')),
    'an id below zero': raw(encode(request.with(0, -1))),
    'an id between two': raw(encode(request.with(0, 0.5))),
    'an id beyond 2^53': raw(encode(request.with(0, 2n ** 53n))),
    'an id in digits': raw(encode(request.with(0, '1'))),
    'an id written wider than need be': raw(
      concatBytes(Uint8Array.of(0x84, 0x18, 0x01), ...request.slice(1).map((item) => encode(item))),
    ),
    'an unknown kind': raw(encode([1, 6, '', null])),
    'a kind below zero': raw(encode([1, -1, '', null])),
    'a kind between two': raw(encode([1, 0.5, '', null])),
    'a kind in words': raw(encode([1, 'request', 'node.info', {}])),
    'a kind that arrays inherit': raw(encode([1, 'length', '', null])),
    'null for an operation': raw(encode([1, 1, null, {}])),
    'an operation in bytes': raw(encode(request.with(2, new Uint8Array(9)))),
    'a name of 65 bytes': raw(encode(request.with(2, `${longest}o`))),
    'a name of 33 letters in 66 bytes': raw(encode(request.with(2, 'é'.repeat(33)))),
    'a reply that names its operation': raw(encode([1, 1, 'node.info', {}])),
    'a cancel that names its operation': raw(encode([1, 5, 'node.info', null])),
    'an undefined payload': body([0xf7]),
    'a payload that is not a number': body([0xf9, 0x7e, 0x00]),
    'a payload without an end': body([0xf9, 0x7c, 0x00]),
    'a payload of minus nothing': body([0xf9, 0x80, 0x00]),
    'one as a float': body([0xf9, 0x3c, 0x00]),
    'a tagged payload': body([0xc0, 0x60]),
    'a payload that is not UTF-8': body([0x62, 0xc3, 0x28]),
    'a key twice': body([0xa2, 0x61, 0x61, 0x01, 0x61, 0x61, 0x02]),
    'keys in the other order': body([0xa2, 0x61, 0x62, 0x01, 0x61, 0x61, 0x02]),
    'a key that is a number': body([0xa1, 0x01, 0x01]),
    'a key that sets a prototype': body([
      0xa1,
      0x69,
      ...'__proto__'.split('').map((letter) => letter.charCodeAt(0)),
      0xa0,
    ]),
    'a frame of a byte too many': zeros(
      apiLimits.frameBytesMax + 1 - head(1, 1, '').length - 5,
      'TOO_LARGE',
      head(1, 1, ''),
    ),
    'more items than a message may have': new Wire(
      arrayOf(itemsMax + 1, 0, head(1, 1, '')).spelled,
      'TOO_LARGE',
    ),
  }
  return {
    valid: [
      ...Object.entries(good).map(([name, [id, kind, operation, payload]]) => ({
        name,
        bytes: toHex(encodeFrame(id, kind, operation, encodedPayload(payload))),
        value: { id, kind, operation, payload: plain(payload) },
      })),
      { name: 'as many items as may be', bytes: arrayOf(itemsMax, 0, head(1, 1, '')).spelled },
      {
        name: 'the longest body',
        bytes: zeros(apiLimits.bodyBytesMax - 5, 'BAD_MESSAGE', head(1, 1, '')).spelled,
      },
    ],
    invalid: invalidCases(invalid),
  }
}

function failures(): FrameVectors['failures'] {
  const good = { code: 'NOT_FOUND', message: 'no such page', retryable: false, help: 'Check the name.' }
  const valid: Record<string, Record<string, unknown>> = {
    'a code of today': good,
    'one that may be tried again': { ...good, code: 'BUSY', retryable: true },
    'a code of tomorrow': { ...good, code: 'OUT_OF_TEA' },
    'a code that objects inherit': { ...good, code: 'toString' },
    'a fault, told without its cause': { ...good, code: 'INTERNAL', message: 'the node met a fault' },
    'a node that takes retrying otherwise': { ...good, retryable: true },
    'a field of tomorrow': { ...good, traceId: 7 },
    'no words': { ...good, message: '', help: '' },
  }
  const invalid: Record<string, [at: string, given: unknown]> = {
    'no map': ['the message', null],
    'a list': ['the message', ['NOT_FOUND', 'no such page', false, '']],
    'no code': ['code', { message: '', retryable: false, help: '' }],
    'a code of 65 letters': ['code', { ...good, code: 'X'.repeat(65) }],
    'a number for a code': ['code', { ...good, code: 404 }],
    'a message of 4,097 letters': ['message', { ...good, message: 'm'.repeat(4097) }],
    'a number for a flag': ['retryable', { ...good, retryable: 1 }],
    'null for help': ['help', { ...good, help: null }],
    'help of 1,025 letters': ['help', { ...good, help: 'h'.repeat(1025) }],
  }
  return {
    valid: Object.entries(valid).map(([name, given]) => {
      const { code, message, retryable, help } = fromFailure(given, 'json')
      return { name, given, told: { code, message, retryable, help }, http: httpStatus(code) }
    }),
    invalid: Object.entries(invalid).map(([name, [at, given]]) => ({ name, given, code: 'BAD_REQUEST', at })),
  }
}

function sessions(): FrameVectors['sessions'] {
  const crypto = seededCrypto(0x5e55)
  const seed = crypto.random(32)
  const [node, nonce, owner, other] = [
    crypto.random(32),
    crypto.random(32),
    crypto.random(32),
    crypto.random(32),
  ]
  const device = crypto.signingPublicKey(seed)
  const claim: SessionClaim = { node, nonce, owner, device, expiresMs: writtenMs }
  const valid: Record<string, SessionClaim> = {
    'a claim': claim,
    'one that is long over': { ...claim, expiresMs: 0 },
    'one without end': { ...claim, expiresMs: Number.MAX_SAFE_INTEGER },
  }
  const signature = signSession(crypto, claim, seed)
  const document = encode([contexts.session, 1, node, nonce, owner, device, claim.expiresMs])
  const of = (changes: Partial<SessionClaim>): [SessionClaim, Uint8Array] => [
    { ...claim, ...changes },
    signature,
  ]
  const signed = (bytes: Uint8Array): [SessionClaim, Uint8Array] => [claim, crypto.sign(bytes, seed)]
  const later = encode([contexts.session, 2, node, nonce, owner, device, claim.expiresMs])
  const refused: Record<string, [SessionClaim, Uint8Array]> = {
    'shown to another node': of({ node: other }),
    'after another challenge': of({ nonce: other }),
    'for another owner': of({ owner: other }),
    'by another device': of({ device: other }),
    'for longer than was signed': of({ expiresMs: claim.expiresMs + 1 }),
    'a signature of zeros': [claim, new Uint8Array(64)],
    'a signature of 63 bytes': [claim, signature.subarray(1)],
    'no signature': [claim, new Uint8Array()],
    'signed by another key': [claim, signSession(crypto, claim, other)],
    'signed for another purpose': signed(signedMessage(contexts.lease, document)),
    'signed without its context': signed(document),
    'version of tomorrow': signed(signedMessage(contexts.session, later)),
  }
  return {
    deviceSeed: toHex(seed),
    valid: Object.entries(valid).map(([name, of]) => ({
      name,
      claim: plain(of),
      signature: toHex(signSession(crypto, of, seed)),
    })),
    refused: Object.entries(refused).map(([name, [of, given]]) => ({
      name,
      claim: plain(of),
      signature: toHex(given),
    })),
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(frameVectors(), undefined, 1)}\n`
  writeFileSync(new URL('api-frames.json', import.meta.url), text)
}
