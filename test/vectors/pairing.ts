/** Makes pairing.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { signSession } from '../../protocol/api/session.ts'
import { toBase64Url, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { limits } from '../../protocol/limits.ts'
import { commitment, helloProof, pairingDigits } from '../../protocol/pairing/exchange.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  pairingLimits,
  pairingLink,
  type PairingMessage,
  type PairingRole,
} from '../../protocol/pairing/index.ts'
import { messageKind, messageVectors, type MessageKind, type MessageVectors } from './message-kinds.ts'
import { plain } from './record.ts'
import { raw, zeros } from './wire.ts'

const crypto = portableCrypto((length) => new Uint8Array(length))
const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
const secret = (byte: number): Uint8Array => new Uint8Array(16).fill(byte)

interface Exchange extends Readonly<Record<'node' | 'transport' | 'device' | 'box' | 'label' | 'secret', string>> {
  readonly role: PairingRole
  readonly nodeNonce: string
  readonly phoneNonce: string
  readonly proof: string
  readonly commitment: string
  readonly digits: string
  readonly hello: string
}

export interface PairingVectors {
  readonly exchanges: readonly Exchange[]
  readonly link: {
    readonly page: string
    readonly node: string
    readonly secret: string
    readonly addresses: readonly string[]
    readonly lifetimeS: number
    readonly link: string
  }
  readonly invalidLinks: readonly { readonly name: string; readonly code: string; readonly link: string }[]
  readonly messages: MessageVectors
  readonly session: Readonly<Record<'deviceSeed' | 'node' | 'nonce' | 'owner' | 'device' | 'signature', string>> & {
    readonly expiresMs: number
  }
}

const parties = {
  node: id(1),
  transport: id(2),
  device: id(3),
  box: id(4),
  role: 'owner' as PairingRole,
  label: 'Ada',
}
const hello = {
  type: 'hello',
  version: 1,
  device: parties.device,
  box: parties.box,
  role: parties.role,
  label: parties.label,
  proof: helloProof(crypto, secret(5), parties),
} as const

/** By the name of the message; each is encoded and read by one pair of functions. */
const cases: Readonly<
  Record<
    PairingMessage['type'],
    { readonly good: Readonly<Record<string, PairingMessage>>; readonly refused: Readonly<Record<string, unknown>> }
  >
> = {
  hello: {
    good: {
      'an owner': hello,
      'an app without a label': { ...hello, role: 'app', label: '' },
      'a later version': { ...hello, version: 2 },
      'the longest label': { ...hello, label: 'a'.repeat(pairingLimits.labelBytesMax) },
    },
    refused: {
      'an unknown tag': [10, []],
      'role 2': helloWith(3, 2),
      'a role in words': helloWith(3, 'owner'),
      'a device of 31 bytes': helloWith(1, id(3).subarray(1)),
      'a label of 65 bytes': helloWith(4, 'a'.repeat(65)),
      'a label of 22 letters that are 66 bytes': helloWith(4, 'ㄅ'.repeat(22)),
      'a proof of 31 bytes': helloWith(5, id(3).subarray(1)),
      'a field too many': [0, [...helloFields(), 0]],
    },
  },
  commit: {
    good: { 'a commitment': { type: 'commit', commitment: id(6) } },
    refused: { 'a commitment of 31 bytes': [1, [id(6).subarray(1)]], 'no commitment': [1, []] },
  },
  nonce: {
    good: { 'of the phone': { type: 'nonce', nonce: id(7) } },
    refused: { 'of one byte': [2, [Uint8Array.of(0)]], 'not in a list': [2, id(7)] },
  },
  reveal: {
    good: { "the node's nonce": { type: 'reveal', nonce: id(8) } },
    refused: { 'a field too many': [3, [id(8), id(8)]], 'a nonce of 33 bytes': [3, [new Uint8Array(33)]] },
  },
  confirmed: {
    good: { "the node's box key": { type: 'confirmed', box: id(9) } },
    refused: { 'no box key': [4, [null]], 'a box key of 31 bytes': [4, [id(9).subarray(1)]] },
  },
  possess: {
    good: { 'an identity': { type: 'possess', identity: id(10) } },
    refused: { 'an identity in hex': [5, ['00'.repeat(32)]], 'an identity of 33 bytes': [5, [new Uint8Array(33)]] },
  },
  possession: {
    good: { 'a signature': { type: 'possession', signature: new Uint8Array(64).fill(11) } },
    refused: { 'a signature of 63 bytes': [6, [new Uint8Array(63)]], 'no signature': [6, [null]] },
  },
  identity: {
    good: { 'a log': { type: 'identity', log: Uint8Array.of(0x81, 1, 2, 3) } },
    refused: {
      'a log of no bytes': [7, [new Uint8Array()]],
      'a log of a byte too many': zeros(limits.personLogBytesMax + 1, 'BAD_MESSAGE', Uint8Array.of(0x82, 7, 0x81)),
      'a log that is not wrapped in bytes': [7, [[1, 2, 3]]],
      'more than a message': zeros(pairingLimits.messageBytesMax, 'TOO_LARGE', Uint8Array.of(0x82, 7, 0x81)),
    },
  },
  done: {
    good: { 'the identity is hosted': { type: 'done', identity: id(10) } },
    refused: { 'no identity': [8, []], 'a tag in words': ['done', [id(10)]] },
  },
  failed: {
    good: {
      'a code and a message': { type: 'failed', code: 'PAIRING_BURNT', message: 'scan again' },
      'a code of a later release, nothing more': { type: 'failed', code: 'SOMETHING_NEW', message: '' },
    },
    refused: {
      'a code of 65 bytes': [9, ['A'.repeat(65), '']],
      'a message of 1,025 bytes': [9, ['BUSY', 'a'.repeat(1025)]],
      'a code in bytes': [9, [id(1), '']],
      'seventeen fields': raw(encode([9, Array.from({ length: 17 }, () => '')]), 'TOO_LARGE'),
    },
  },
}

export const pairingKinds: Readonly<Record<string, MessageKind>> = Object.fromEntries(
  Object.entries(cases).map(([kind, { good, refused }]) => [
    kind,
    messageKind(encodePairingMessage, decodePairingMessage, { good, refused }),
  ]),
)

function helloFields(): unknown[] {
  return [1, hello.device, hello.box, 0, hello.label, hello.proof]
}

function helloWith(at: number, value: unknown): unknown[] {
  return [0, helloFields().with(at, value)]
}

function exchange(first: number, role: PairingRole, label: string): Exchange {
  const [node, transport, device, box] = [0, 1, 2, 3].map((at) => id(first + at)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ]
  const of = { node, transport, device, box, role, label }
  const [word, nodeNonce, phoneNonce] = [secret(first + 4), id(first + 5), id(first + 6)]
  const proof = helloProof(crypto, word, of)
  const message = { type: 'hello', version: 1, device, box, role, label, proof } as const
  return plain({
    ...of,
    secret: word,
    nodeNonce,
    phoneNonce,
    proof,
    commitment: commitment(crypto, nodeNonce, of),
    digits: pairingDigits(crypto, word, nodeNonce, phoneNonce, of),
    hello: encodePairingMessage(message),
  }) as Exchange
}

const page = 'http://192.168.1.5:4180/phone/'
const offer = {
  node: id(1),
  secret: secret(2),
  addresses: ['/ip4/192.168.1.5/tcp/4182/ws'],
  lifetimeS: 300,
}

function invalidLinks(): PairingVectors['invalidLinks'] {
  const good = pairingLink(page, offer)
  const fields: readonly unknown[] = [1, offer.node, offer.secret, offer.addresses, offer.lifetimeS]
  const linkOf = (value: unknown): string => `${page}#p=${toBase64Url(encode(value))}`
  const changed = (at: number, value: unknown): string => linkOf(fields.with(at, value))
  const refused: Readonly<Record<'BAD_MESSAGE' | 'TOO_LARGE' | 'UNSUPPORTED', Readonly<Record<string, string>>>> = {
    BAD_MESSAGE: {
      'the page alone': page,
      'another fragment': good.replace('#p=', '#q='),
      'an empty fragment': `${page}#p=`,
      padding: `${good}=`,
      'base64 of the other alphabet': `${page}#p=hQFY+/`,
      'bits behind the last byte': `${page}#p=hR`,
      'cut short': good.slice(0, -4),
      'a byte behind it': `${page}#p=${toBase64Url(Uint8Array.of(...encode(fields), 0))}`,
      'a map': linkOf({}),
      'version 0': changed(0, 0),
      'a node key of 31 bytes': changed(1, id(1).subarray(1)),
      'a secret of 17 bytes': changed(2, new Uint8Array(17)),
      'nine addresses': changed(3, Array.from({ length: 9 }, () => '/ip4/127.0.0.1/tcp/1')),
      'an empty address': changed(3, ['']),
      'an address of 257 bytes': changed(3, ['a'.repeat(257)]),
      'a lifetime of 0': changed(4, 0),
      'a lifetime over an hour': changed(4, 3601),
      'an item too many': linkOf([...fields, 1]),
      'an item too few': linkOf(fields.slice(0, -1)),
    },
    TOO_LARGE: {
      '1,025 characters': `${page}#p=`.padEnd(1025, 'A'),
      'three levels': changed(3, [[]]),
      '33 items': linkOf(Array.from({ length: 33 }, () => 1)),
    },
    UNSUPPORTED: { 'a later version, whatever it holds': linkOf([2, 'x']) },
  }
  return Object.entries(refused).flatMap(([code, links]) =>
    Object.entries(links).map(([name, link]) => ({ name, code, link })),
  )
}

export function pairingVectors(): PairingVectors {
  const deviceSeed = id(9)
  const claim = {
    node: id(1),
    nonce: id(2),
    owner: id(3),
    device: crypto.signingPublicKey(deviceSeed),
    expiresMs: Date.UTC(2026, 0),
  }
  return {
    exchanges: [exchange(1, 'owner', 'Ada'), exchange(2, 'app', '')],
    link: {
      page,
      node: toHex(offer.node),
      secret: toHex(offer.secret),
      addresses: offer.addresses,
      lifetimeS: offer.lifetimeS,
      link: pairingLink(page, offer),
    },
    invalidLinks: invalidLinks(),
    messages: messageVectors('messages of /onehop/pair/1', pairingKinds),
    session: {
      deviceSeed: toHex(deviceSeed),
      node: toHex(claim.node),
      nonce: toHex(claim.nonce),
      owner: toHex(claim.owner),
      device: toHex(claim.device),
      expiresMs: claim.expiresMs,
      signature: toHex(signSession(crypto, claim, deviceSeed)),
    },
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(pairingVectors(), undefined, 2)}\n`
  writeFileSync(new URL('pairing.json', import.meta.url), text)
}
