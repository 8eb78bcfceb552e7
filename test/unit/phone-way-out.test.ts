import { expect, test } from 'vitest'
import { canShutOut, wayOut } from '../../client/pages/phone/way-out.ts'
import { changesIn } from '../../protocol/identity/changes.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  createIdentity,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import { toHex } from '../../protocol/bytes.ts'
import { seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(42)

test('the phone shuts a device out itself, and names the command that takes a node out', () => {
  const [first, phone, box] = [0, 1, 2].map(() => deviceFromSeed(crypto, crypto.random(32)))
  if (first === undefined || phone === undefined || box === undefined) throw new Error('no devices')
  let { state } = createIdentity(crypto, first)
  const admissions = [
    ownerAdmission(phone, false),
    { key: box.key, boxKey: box.boxKey, role: 'node' as const, capabilities: [], probation: false },
  ]
  for (const [i, admission] of admissions.entries()) {
    const possession = provePossession(crypto, state.id, i === 0 ? phone : box, admission.role)
    state = append(crypto, state, [
      addDevice(crypto, state, first, admission, possession, { readsPrivate: i === 0 }),
    ])
  }
  const told = (of: typeof state, role: 'owner' | 'app' = 'owner') =>
    changesIn(of).map((change) => [
      canShutOut(change, { role, state: of }),
      wayOut(change, { role, state: of }),
    ])
  const byWords =
    'If that was not you, your recovery words undo it: onehop recover, on the machine of your node.'
  const way = `If that was not you: onehop node revoke ${toHex(box.key).slice(0, 12)}, on the machine of another node of yours.`
  expect(told(state)).toEqual([
    [true, 'If that was not you, shut the device out now.'],
    [false, way],
  ])
  expect(told(state, 'app')).toEqual([
    [false, byWords],
    [false, way],
  ])
  const revoked = append(crypto, state, [revokeDevice(crypto, state, first, phone.key, []).entry])
  expect(told(revoked).at(-1)).toEqual([
    false,
    'If that was not you: onehop recover, on the machine of your node, with your recovery words, shuts out who did it. A device comes back by being paired again.',
  ])
  const without = append(crypto, state, [revokeDevice(crypto, state, first, box.key, []).entry])
  expect(told(without).map(([can]) => can)).toEqual([true, false, false])
})
