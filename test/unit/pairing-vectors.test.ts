import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { signSession, verifySession } from '../../protocol/api/session.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { commitment, helloProof, pairingDigits } from '../../protocol/pairing/exchange.ts'
import type { PairingRole } from '../../protocol/pairing/index.ts'
import {
  decodePairingMessage,
  encodePairingMessage,
  pairingLink,
  parsePairingLink,
} from '../../protocol/pairing/index.ts'

type Exchange = Record<
  | 'node'
  | 'transport'
  | 'device'
  | 'box'
  | 'label'
  | 'secret'
  | 'nodeNonce'
  | 'phoneNonce'
  | 'proof'
  | 'commitment'
  | 'digits'
  | 'hello',
  string
> & { readonly role: PairingRole }

interface Vectors {
  readonly exchanges: readonly Exchange[]
  readonly link: {
    readonly page: string
    readonly node: string
    readonly secret: string
    readonly addresses: readonly string[]
    readonly lifetimeS: number
    readonly link: string
  }
  readonly invalidMessages: Readonly<Record<string, string>>
  readonly session: Record<'deviceSeed' | 'node' | 'nonce' | 'owner' | 'device' | 'signature', string> & {
    readonly expiresMs: number
  }
}

const file = new URL('../vectors/pairing.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as Vectors
const crypto = portableCrypto((length) => new Uint8Array(length))

function hex(text: string): Uint8Array {
  const bytes = fromHex(text)
  if (bytes === undefined) throw new Error(`no hex: ${text}`)
  return bytes
}

test.each(vectors.exchanges)('exchange as $role', (vector) => {
  const parties = {
    node: hex(vector.node),
    transport: hex(vector.transport),
    device: hex(vector.device),
    box: hex(vector.box),
    role: vector.role,
    label: vector.label,
  }
  const [secret, nodeNonce, phoneNonce] = [hex(vector.secret), hex(vector.nodeNonce), hex(vector.phoneNonce)]
  expect(toHex(helloProof(crypto, secret, parties))).toBe(vector.proof)
  expect(toHex(commitment(crypto, nodeNonce, parties))).toBe(vector.commitment)
  expect(pairingDigits(crypto, secret, nodeNonce, phoneNonce, parties)).toBe(vector.digits)
  const hello = decodePairingMessage(hex(vector.hello))
  expect(hello).toMatchObject({ type: 'hello', role: vector.role, proof: hex(vector.proof) })
  expect(toHex(encodePairingMessage(hello))).toBe(vector.hello)
})

test('link', () => {
  const { page, link, lifetimeS, addresses } = vectors.link
  const offer = { node: hex(vectors.link.node), secret: hex(vectors.link.secret), addresses, lifetimeS }
  expect(pairingLink(page, offer)).toBe(link)
  expect(parsePairingLink(link)).toEqual(offer)
})

test.each(Object.entries(vectors.invalidMessages))('refused: %s', (_what, message) => {
  expect(() => decodePairingMessage(hex(message))).toThrowError(
    expect.objectContaining({ code: 'BAD_MESSAGE' }),
  )
})

test('session proof', () => {
  const { deviceSeed, signature, expiresMs, ...keys } = vectors.session
  const claim = {
    node: hex(keys.node),
    nonce: hex(keys.nonce),
    owner: hex(keys.owner),
    device: hex(keys.device),
    expiresMs,
  }
  expect(toHex(signSession(crypto, claim, hex(deviceSeed)))).toBe(signature)
  expect(verifySession(crypto, claim, hex(signature))).toBe(true)
})
