import { describe, expect, test } from 'vitest'
import { possessionMessage } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import type { Admission, DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { checkAppLog, checkOwnerLog, pairingLimits } from '../../protocol/pairing/index.ts'
import type { PairingMessage } from '../../protocol/pairing/index.ts'
import {
  burn,
  codeOf,
  crypto,
  Node,
  nodeKeys,
  Phone,
  random,
  scanned,
  talk,
} from '../support/pairing-sides.ts'

const identity = new Uint8Array(32).fill(5)
const otherIdentity = new Uint8Array(32).fill(6)

describe('the node', () => {
  test('takes no admission that nobody is waiting for', () => {
    const { node, phone } = scanned()
    const before = node.pairing
    node.step({ type: 'admitted', identity, log: undefined })
    expect(node.pairing).toEqual(before)
    node.type(phone.digits)
    node.step({ type: 'admitted', identity, log: undefined })
    expect(node.state).toBe('paired')
  })

  test('shows no other link while a phone is pairing', () => {
    const { node } = scanned()
    expect(codeOf(() => node.open())).toBe('BUSY')
    expect(node.state).toBe('code')
  })

  test('locked, takes neither a scan nor a code', () => {
    const node = new Node()
    for (let i = 0; i < pairingLimits.burntMax; i++) burn(node)
    const late = new Phone(random.bytes(pairingLimits.secretBytes), nodeKeys.key)
    talk(node, late, 2)
    expect(late.pairing).toMatchObject({ state: 'failed', error: { code: 'PAIRING_LOCKED' } })
    expect(codeOf(() => node.type('000000'))).toBe('PAIRING_LOCKED')
  })

  test('pairs by version 1 alone, and a phone of another burns nothing', () => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    const hello = phone.outbox.shift() as PairingMessage & { type: 'hello' }
    node.hear(1, phone.parties.transport, { ...hello, version: 2 })
    expect(node.sent.at(-1)?.message).toMatchObject({ type: 'failed', code: 'UNSUPPORTED' })
    expect(node.state).toBe('waiting')
  })

  test('takes no code before a phone shows one', () => {
    const node = new Node()
    expect(codeOf(() => node.type('000000'))).toBe('BAD_REQUEST')
    node.open()
    expect(codeOf(() => node.type('000000'))).toBe('BAD_REQUEST')
    expect(node.state).toBe('waiting')
  })

  test('keeps no proof that an app did not make with its key', () => {
    const { node, phone } = scanned({ role: 'app' })
    node.type(phone.digits, identity)
    expect(node.state).toBe('awaiting-admission')
    const proof = possessionMessage(otherIdentity, phone.keys.key, phone.keys.boxKey, 'app')
    node.hear(1, phone.parties.transport, {
      type: 'possession',
      signature: crypto.sign(proof, phone.keys.seed),
    })
    expect(node.pairing.phase).toEqual({ state: 'burnt', reason: 'broken-exchange' })
  })

  test('has nothing to cancel where nothing is under way', () => {
    const node = new Node()
    node.step({ type: 'cancel' })
    expect([node.state, node.actions]).toEqual(['closed', []])
  })
})

describe('the phone', () => {
  /** Fails, closes the connection, and does nothing ever after. */
  function expectFailed(phone: Phone, code: string): void {
    expect(phone.pairing).toMatchObject({ state: 'failed', error: { code } })
    const { length } = phone.actions
    expect(phone.actions.at(-1)).toEqual({ type: 'close' })
    phone.step({ type: 'accepted' })
    phone.hear({ type: 'confirmed', box: nodeKeys.boxKey })
    expect([phone.pairing.state, phone.actions.length]).toEqual(['failed', length])
  }

  /** The right code was typed, and the person said so. */
  function accepted(role: 'owner' | 'app' = 'owner') {
    const { node, phone } = scanned({ role })
    node.type(phone.digits, role === 'app' ? identity : undefined)
    phone.step({ type: 'accepted' })
    return { node, phone }
  }

  test('gives up when the connection breaks', () => {
    const { phone } = scanned()
    phone.step({ type: 'gone' })
    expectFailed(phone, 'PAIRING_BURNT')
  })

  test('names no identity, sends no log and hears no "accepted" out of turn', () => {
    const { phone } = scanned()
    const before = phone.pairing
    phone.step({ type: 'identity', identity })
    phone.step({ type: 'log', log: Uint8Array.of(1) })
    expect([phone.pairing, phone.outbox]).toEqual([before, []])
    const unheard = new Phone(random.bytes(pairingLimits.secretBytes), nodeKeys.key)
    unheard.step({ type: 'accepted' })
    expect(unheard.pairing.state).toBe('hello')
  })

  test('takes an error that it does not know for INTERNAL', () => {
    const { phone } = scanned()
    phone.hear({ type: 'failed', code: 'NO_SUCH_CODE', message: 'x' })
    expectFailed(phone, 'INTERNAL')
  })

  test.each<[string, (phone: Phone, node: Node) => void]>([
    ['a nonce before a commitment', (phone) => phone.hear({ type: 'reveal', nonce: random.bytes(32) })],
    [
      'a second commitment in place of the nonce',
      (phone, node) => {
        node.hear(1, phone.parties.transport, phone.outbox.shift() as PairingMessage)
        const commit = node.sent.shift()?.message as PairingMessage
        phone.hear(commit)
        expect(phone.pairing.state).toBe('exchanging')
        phone.hear(commit)
      },
    ],
    [
      'the end while it shows the code',
      (phone, node) => {
        talk(node, phone)
        phone.hear({ type: 'done', identity })
      },
    ],
  ])('goes no further after %s', (_what, talkOddly) => {
    const node = new Node()
    const phone = new Phone(node.open(), nodeKeys.key)
    talkOddly(phone, node)
    expectFailed(phone, 'BAD_MESSAGE')
  })

  test('holds so many words of a node whose code is not accepted yet, and no more', () => {
    const { phone } = scanned({ role: 'app' })
    phone.hear({ type: 'confirmed', box: nodeKeys.boxKey })
    for (let i = 0; i < pairingLimits.heldMessagesMax; i++) phone.hear({ type: 'possess', identity })
    expect(phone.pairing.state).toBe('code')
    phone.hear({ type: 'possess', identity })
    expectFailed(phone, 'BAD_MESSAGE')
  })

  test('that paired by what it held hears nothing after it', () => {
    const { node, phone } = scanned({ role: 'app' })
    node.type(phone.digits, identity)
    talk(node, phone)
    phone.hear({ type: 'identity', log: Uint8Array.of(7) })
    phone.hear({ type: 'done', identity })
    phone.step({ type: 'accepted' })
    expect(phone.pairing).toMatchObject({ state: 'paired', identity })
    const { phone: chatty } = scanned({ role: 'app' })
    chatty.hear({ type: 'confirmed', box: nodeKeys.boxKey })
    chatty.hear({ type: 'possess', identity })
    chatty.hear({ type: 'identity', log: Uint8Array.of(7) })
    chatty.hear({ type: 'done', identity })
    chatty.hear({ type: 'done', identity: otherIdentity })
    chatty.step({ type: 'accepted' })
    expect(chatty.pairing).toMatchObject({ state: 'paired', identity })
  })

  test('that failed by what it held hears nothing after it', () => {
    const { phone } = scanned()
    phone.hear({ type: 'confirmed', box: nodeKeys.boxKey })
    phone.hear({ type: 'done', identity })
    phone.hear({ type: 'identity', log: Uint8Array.of(7) })
    phone.step({ type: 'accepted' })
    expectFailed(phone, 'BAD_MESSAGE')
    expect(phone.actions.filter(({ type }) => type === 'close').length).toBe(1)
  })

  test('admits no node before it named an identity, and for no other', () => {
    const early = accepted()
    talk(early.node, early.phone)
    expect(early.phone.pairing.state).toBe('admitting')
    early.phone.hear({ type: 'done', identity })
    expectFailed(early.phone, 'BAD_MESSAGE')
    const { node, phone } = accepted()
    talk(node, phone)
    phone.step({ type: 'identity', identity })
    talk(node, phone)
    phone.hear({ type: 'done', identity: otherIdentity })
    expectFailed(phone, 'BAD_MESSAGE')
  })

  test('admits no key that did not prove itself for this identity', () => {
    const { node, phone } = accepted()
    talk(node, phone)
    phone.step({ type: 'identity', identity })
    const proof = possessionMessage(otherIdentity, nodeKeys.key, nodeKeys.boxKey, 'node')
    phone.hear({ type: 'possession', signature: crypto.sign(proof, nodeKeys.seed) })
    expectFailed(phone, 'BAD_SIGNATURE')
    expect(phone.actions.some(({ type }) => type === 'admit')).toBe(false)
  })
})

describe('the log that ends a pairing', () => {
  const newDevice = (): DeviceSecrets => deviceFromSeed(crypto, random.bytes(32))
  const [phone, node, app, other] = [newDevice(), newDevice(), newDevice(), newDevice()]
  const alone = createIdentity(crypto, phone).state
  const asNode: Admission = { ...pub(node), role: 'node', capabilities: [], probation: false }
  const asApp: Admission = { ...pub(app), role: 'app', capabilities: [], probation: false }
  const both = admit(admit(alone, node, asNode), app, asApp)
  const parties = {
    node: node.key,
    transport: random.bytes(32),
    device: phone.key,
    box: phone.boxKey,
    role: 'owner' as const,
    label: '',
  }
  const appParties = { ...parties, device: app.key, box: app.boxKey, role: 'app' as const }
  const asOwner = (state: IdentityState, changes: Partial<typeof parties> = {}, box = node.boxKey): string =>
    codeOf(() => checkOwnerLog(state, { ...parties, ...changes }, box))
  const asAnApp = (state: IdentityState, changes: Partial<typeof parties> = {}): string =>
    codeOf(() => checkAppLog(state, { ...appParties, ...changes }))

  test('admits the two that paired, with the keys that paired', () => {
    expect([asOwner(both), asAnApp(both)]).toEqual(['none', 'none'])
    expect(asOwner(alone)).toBe('BAD_IDENTITY')
    expect(asAnApp(alone)).toBe('BAD_IDENTITY')
  })

  test('admits them as what they paired', () => {
    const owners = admit(admit(alone, node, ownerAdmission(node, true)), app, ownerAdmission(app, true))
    expect([asOwner(owners), asAnApp(owners)]).toEqual(['BAD_IDENTITY', 'BAD_IDENTITY'])
    expect(asOwner(both, { device: app.key, box: app.boxKey })).toBe('BAD_IDENTITY')
  })

  test('admits no other box key than the one that paired', () => {
    expect(asOwner(both, { box: other.boxKey })).toBe('BAD_IDENTITY')
    expect(asOwner(both, {}, other.boxKey)).toBe('BAD_IDENTITY')
    expect(asAnApp(both, { box: other.boxKey })).toBe('BAD_IDENTITY')
  })

  test('revokes neither', () => {
    const without = (key: Uint8Array): IdentityState =>
      append(crypto, both, [revokeDevice(crypto, both, phone, key, []).entry])
    expect(asOwner(without(node.key))).toBe('REVOKED')
    expect(asAnApp(without(app.key))).toBe('REVOKED')
  })

  function pub({ key, boxKey }: DeviceSecrets): { key: Uint8Array; boxKey: Uint8Array } {
    return { key, boxKey }
  }

  function admit(state: IdentityState, device: DeviceSecrets, admission: Admission): IdentityState {
    const possession = provePossession(crypto, state.id, device, admission.role)
    return append(crypto, state, [addDevice(crypto, state, phone, admission, possession)])
  }
})
