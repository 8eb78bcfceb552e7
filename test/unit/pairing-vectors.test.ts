import { expect, test } from 'vitest'
import { signSession, verifySession } from '../../protocol/api/session.ts'
import { toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { commitment, helloProof, pairingDigits } from '../../protocol/pairing/exchange.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  pairingLink,
  parsePairingLink,
} from '../../protocol/pairing/index.ts'
import type { MessageKind } from '../vectors/message-kinds.ts'
import { pairingKinds, pairingVectors, type PairingVectors } from '../vectors/pairing.ts'
import { codeOf, readVectors, unhex, unspell } from '../vectors/wire.ts'

const vectors = readVectors('pairing.json') as PairingVectors
const crypto = portableCrypto((length) => new Uint8Array(length))

test('are what is made today', () => expect(pairingVectors()).toEqual(vectors))

test.each(vectors.exchanges)('exchange as $role', (vector) => {
  const parties = {
    node: unhex(vector.node),
    transport: unhex(vector.transport),
    device: unhex(vector.device),
    box: unhex(vector.box),
    role: vector.role,
    label: vector.label,
  }
  const [secret, nodeNonce, phoneNonce] = [
    unhex(vector.secret),
    unhex(vector.nodeNonce),
    unhex(vector.phoneNonce),
  ]
  expect(toHex(helloProof(crypto, secret, parties))).toBe(vector.proof)
  expect(toHex(commitment(crypto, nodeNonce, parties))).toBe(vector.commitment)
  expect(pairingDigits(crypto, secret, nodeNonce, phoneNonce, parties)).toBe(vector.digits)
  const hello = decodePairingMessage(unhex(vector.hello))
  expect(hello).toMatchObject({ type: 'hello', role: vector.role, proof: unhex(vector.proof) })
  expect(toHex(encodePairingMessage(hello))).toBe(vector.hello)
})

test('link', () => {
  const { page, link, lifetimeS, addresses } = vectors.link
  const offer = { node: unhex(vectors.link.node), secret: unhex(vectors.link.secret), addresses, lifetimeS }
  expect(pairingLink(page, offer)).toBe(link)
  expect(parsePairingLink(link)).toEqual(offer)
})

test.each(vectors.invalidLinks)('link refused: $name', ({ link, code }) => {
  expect(codeOf(() => parsePairingLink(link))).toBe(code)
})

test('every kind of message is there', () => {
  expect([...new Set(vectors.messages.valid.map(({ kind }) => kind))]).toEqual(Object.keys(pairingKinds))
})

test.each(vectors.messages.valid)('$kind: $name', ({ kind, bytes, value }) => {
  const again = (pairingKinds[kind] as MessageKind).reread(unspell(bytes))
  expect(again.value).toEqual(value)
  expect(toHex(again.bytes)).toBe(bytes)
})

test.each(vectors.messages.invalid)('$kind refused: $name', ({ bytes, code }) => {
  expect(codeOf(() => decodePairingMessage(unspell(bytes)))).toBe(code)
})

test('session proof', () => {
  const { deviceSeed, signature, expiresMs, ...keys } = vectors.session
  const claim = {
    node: unhex(keys.node),
    nonce: unhex(keys.nonce),
    owner: unhex(keys.owner),
    device: unhex(keys.device),
    expiresMs,
  }
  expect(toHex(signSession(crypto, claim, unhex(deviceSeed)))).toBe(signature)
  expect(verifySession(crypto, claim, unhex(signature))).toBe(true)
})
