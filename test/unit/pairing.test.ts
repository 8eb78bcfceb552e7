import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { possessionMessage } from '../../protocol/identity/entry.ts'
import { decodePairingMessage, pairingLimits } from '../../protocol/pairing/index.ts'
import type { PairingMessage } from '../../protocol/pairing/index.ts'
import {
  burn,
  codeOf,
  crypto,
  impostorKeys,
  lifetimeMs,
  Node,
  nodeKeys,
  otherCode,
  Phone,
  random,
  scanned,
  talk,
} from '../support/pairing-sides.ts'

describe('a pairing that goes well', () => {
  test('both sides have the same six digits, and the phone proves and admits after they were typed', () => {
    const { node, phone } = scanned()
    expect(phone.digits).toMatch(/^\d{6}$/)
    node.type(phone.digits)
    expect(node.state).toBe('confirmed')
    phone.step({ type: 'accepted' })
    talk(node, phone)
    phone.step({ type: 'identity', identity: new Uint8Array(32).fill(9) })
    talk(node, phone)
    const admit = phone.actions.find((action) => action.type === 'admit')
    expect(admit).toMatchObject({ node: nodeKeys.key, nodeBox: nodeKeys.boxKey })
    phone.step({ type: 'log', log: Uint8Array.of(1, 2, 3) })
    talk(node, phone)
    expect(node.actions.at(-1)).toMatchObject({ type: 'admit', log: Uint8Array.of(1, 2, 3) })
    node.step({ type: 'admitted', identity: new Uint8Array(32).fill(9), log: undefined })
    talk(node, phone)
    expect([node.state, phone.pairing.state]).toEqual(['paired', 'paired'])
  })

  test('an app that nobody could admit is told why before digits are shown, and locks nothing', () => {
    const node = new Node()
    node.hasPeople = false
    for (let round = 0; round <= pairingLimits.burntMax; round++) {
      const secret = node.open()
      const phone = new Phone(secret, nodeKeys.key, { role: 'app' })
      talk(node, phone)
      expect(phone.pairing).toMatchObject({
        state: 'failed',
        error: { code: 'PAIRING_BURNT', message: expect.stringContaining('onehop init --user') },
      })
      expect(node.pairing).toMatchObject({ phase: { state: 'burnt', reason: 'no-owner' }, locked: false })
      expect(node.pairing.burntAtMs).toEqual([])
    }
  })

  test('nobody lives here any more when the digits of an app are typed: the phone is told', () => {
    const { node, phone } = scanned({ role: 'app' })
    node.hasPeople = false
    node.type(phone.digits)
    talk(node, phone)
    expect(phone.pairing).toMatchObject({ state: 'failed', error: { code: 'PAIRING_BURNT' } })
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'no-owner' })
  })

  test('an owner needs nobody at the node', () => {
    const node = new Node()
    node.hasPeople = false
    const phone = new Phone(node.open(), nodeKeys.key)
    talk(node, phone)
    expect(node.state).toBe('code')
  })

  test('an app proves its key, waits for an owner and gets the log that admits it', () => {
    const identity = new Uint8Array(32).fill(5)
    const { node, phone } = scanned({ role: 'app' })
    expect(codeOf(() => node.type(phone.digits))).toBe('BAD_REQUEST')
    node.type(phone.digits, identity)
    talk(node, phone)
    phone.step({ type: 'accepted' })
    talk(node, phone)
    const { phase } = node.pairing
    if (phase.state !== 'awaiting-admission' || phase.possession === undefined) throw new Error(phase.state)
    const proof = possessionMessage(identity, phone.keys.key, phone.keys.boxKey, 'app')
    expect(crypto.verifyStrict(proof, phase.possession, phone.keys.key)).toBe(true)
    node.step({ type: 'admitted', identity, log: Uint8Array.of(7) })
    talk(node, phone)
    expect(phone.pairing).toMatchObject({ state: 'paired', identity, log: Uint8Array.of(7) })
  })

  test('clocks of phone and node play no part, only how long it took', () => {
    const node = new Node(nodeKeys, 600_000)
    const phone = new Phone(node.open(), nodeKeys.key)
    node.nowMs += lifetimeMs - 1
    talk(node, phone)
    node.type(phone.digits)
    expect(node.state).toBe('confirmed')
  })
})

describe('what burns the link', () => {
  test('a wrong code: the right one is too late then', () => {
    const { node, phone } = scanned()
    node.type(otherCode(phone.digits))
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'wrong-code' })
    expect(codeOf(() => node.type(phone.digits))).toBe('PAIRING_BURNT')
    talk(node, phone)
    expect(phone.pairing).toMatchObject({ state: 'failed', error: { code: 'PAIRING_BURNT' } })
  })

  test('a second scan: both phones are turned away', () => {
    const { node, phone, secret } = scanned()
    const second = new Phone(secret, nodeKeys.key)
    talk(node, second, 2)
    talk(node, phone, 1)
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'second-scan' })
    expect([phone.pairing.state, second.pairing.state]).toEqual(['failed', 'failed'])
  })

  test.each(['waiting', 'code'])('the end of its lifetime while %s', (state) => {
    const { node, phone } = state === 'code' ? scanned() : { node: new Node(), phone: undefined }
    if (state === 'waiting') node.open()
    expect(node.state).toBe(state)
    node.nowMs += lifetimeMs
    if (phone === undefined) node.step({ type: 'tick' })
    else expect(codeOf(() => node.type(phone.digits))).toBe('PAIRING_BURNT')
    node.step({ type: 'tick' })
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'expired' })
  })

  test('a phone that breaks off, so that nobody may try nonces one after another', () => {
    const { node } = scanned()
    node.step({ type: 'gone', channel: 1 })
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'phone-gone' })
  })

  test('a message out of turn', () => {
    const { node, phone } = scanned()
    node.hear(1, phone.parties.transport, { type: 'identity', log: Uint8Array.of(1) })
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'broken-exchange' })
    expect(node.actions.some((action) => action.type === 'admit')).toBe(false)
  })

  test('three within ten minutes lock, until a person unlocks', () => {
    const node = new Node()
    burn(node)
    burn(node)
    expect(node.pairing.locked).toBe(false)
    burn(node)
    expect(node.pairing.locked).toBe(true)
    expect(codeOf(() => node.open())).toBe('PAIRING_LOCKED')
    node.nowMs += 24 * 3_600_000
    expect(codeOf(() => node.open())).toBe('PAIRING_LOCKED')
    node.step({ type: 'unlock' })
    expect(codeOf(() => node.open())).toBe('none')
  })

  test('burnt ones further apart do not lock, cancelled ones do not count', () => {
    const node = new Node()
    for (let i = 0; i < 5; i++) {
      node.open()
      node.step({ type: 'cancel' })
    }
    burn(node)
    burn(node)
    node.nowMs += pairingLimits.burntWindowMs
    burn(node)
    expect(node.pairing.locked).toBe(false)
  })
})

describe('strangers', () => {
  test('without the secret nobody can burn or use a link', () => {
    const node = new Node()
    node.open()
    const stranger = new Phone(random.bytes(16), nodeKeys.key)
    talk(node, stranger)
    expect(node.state).toBe('waiting')
    expect(stranger.pairing).toMatchObject({ state: 'failed', error: { code: 'FORBIDDEN' } })
  })

  test('a hello that was heard in another connection is worth nothing', () => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    const [hello] = phone.outbox
    if (hello === undefined) throw new Error('no hello')
    node.hear(3, random.bytes(32), hello)
    expect(node.state).toBe('waiting')
    expect(node.sent.at(-1)?.message).toMatchObject({ type: 'failed', code: 'FORBIDDEN' })
  })

  test('a whole pairing replayed afterwards changes nothing', () => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    const heard: PairingMessage[] = []
    const hear = node.hear.bind(node)
    node.hear = (channel, transport, message) => {
      heard.push(message)
      hear(channel, transport, message)
    }
    talk(node, phone)
    node.type(phone.digits)
    node.step({ type: 'admitted', identity: new Uint8Array(32), log: undefined })
    expect(heard.map((message) => message.type)).toEqual(['hello', 'nonce'])
    for (const message of heard) hear(9, phone.parties.transport, message)
    expect(node.state).toBe('paired')
  })

  test('a scan alone grants nothing: the log is not looked at before the code', () => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    const [hello] = phone.outbox
    if (hello === undefined) throw new Error('no hello')
    node.hear(1, phone.parties.transport, hello)
    node.hear(1, phone.parties.transport, { type: 'identity', log: Uint8Array.of(1) })
    expect(node.actions.some((action) => action.type === 'admit')).toBe(false)
    expect(node.state).toBe('burnt')
  })
})

describe('somebody in the middle', () => {
  /** The impostor's QR was put in place of the node's; it photographed the real one. */
  function swapped(): { node: Node; phone: Phone; impostor: Node; mitm: Phone } {
    const node = new Node()
    const secret = node.open()
    const impostor = new Node(impostorKeys)
    const phone = new Phone(impostor.open(), impostorKeys.key)
    const mitm = new Phone(secret, nodeKeys.key)
    talk(node, mitm)
    talk(impostor, phone)
    return { node, phone, impostor, mitm }
  }

  test('a swapped QR shows digits that the real node refuses', () => {
    const { node, phone, mitm } = swapped()
    expect(phone.digits).not.toBe(mitm.digits)
    node.type(phone.digits)
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'wrong-code' })
  })

  test('its "confirmed" gets nothing from a phone whose person did not see the node accept', () => {
    const { phone, impostor } = swapped()
    impostor.type(phone.digits)
    talk(impostor, phone)
    expect(phone.pairing.state).toBe('code')
    expect(phone.actions.some((action) => action.type === 'identify' || action.type === 'admit')).toBe(false)
  })

  test('a nonce changed after the commitment is noticed by the phone', () => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    node.hear(1, phone.parties.transport, phone.outbox.shift() as PairingMessage)
    phone.hear(node.sent.shift()?.message as PairingMessage)
    phone.hear({ type: 'reveal', nonce: new Uint8Array(32).fill(1) })
    expect(phone.pairing).toMatchObject({ state: 'failed', error: { code: 'FORBIDDEN' } })
  })

  test('a phone nonce changed on the way makes the digits differ', () => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    node.hear(1, phone.parties.transport, phone.outbox.shift() as PairingMessage)
    phone.hear(node.sent.shift()?.message as PairingMessage)
    node.hear(1, phone.parties.transport, { type: 'nonce', nonce: new Uint8Array(32).fill(2) })
    phone.hear(node.sent.shift()?.message as PairingMessage)
    node.type(phone.digits)
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'wrong-code' })
  })

  test('grinding keys does not help: what it chose beforehand never meets the other side', () => {
    let agreed = 0
    for (let i = 0; i < 20; i++) {
      const { phone, mitm } = swapped()
      if (phone.digits === mitm.digits) agreed++
    }
    expect(agreed).toBe(0)
  })
})

test('any bytes are a message or a refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(['none', 'BAD_MESSAGE', 'TOO_LARGE']).toContain(codeOf(() => void decodePairingMessage(bytes)))
    }),
    { numRuns: 300 },
  )
})

test('any message at any moment leaves the node in a known state, and never pairs by itself', () => {
  const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const message: fc.Arbitrary<PairingMessage> = fc.oneof(
    bytes32.map((nonce) => ({ type: 'nonce' as const, nonce })),
    bytes32.map((nonce) => ({ type: 'reveal' as const, nonce })),
    bytes32.map((identity) => ({ type: 'possess' as const, identity })),
    bytes32.map((identity) => ({ type: 'done' as const, identity })),
    bytes32.map((log) => ({ type: 'identity' as const, log })),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 2 }), message), { maxLength: 6 }), (messages) => {
      const { node, phone } = scanned()
      for (const [channel, sent] of messages) node.hear(channel, phone.parties.transport, sent)
      expect(['code', 'burnt']).toContain(node.state)
    }),
    { numRuns: 50 },
  )
})
