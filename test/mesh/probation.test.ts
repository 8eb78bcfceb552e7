import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
  vouch,
} from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const hour = 3_600_000

/** Ada with a phone and a second one, fresh and on probation. */
async function story() {
  // A day of heartbeats is not what is looked at.
  const mesh = await createMesh(1, { config: () => ({ hosting: { heartbeatMs: 600_000 } }) })
  const { crypto } = mesh
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  const [fresh, third] = [0, 0].map(() => deviceFromSeed(crypto, crypto.random(32))) as [
    DeviceSecrets,
    DeviceSecrets,
  ]
  const admit = (state: IdentityState, signer: DeviceSecrets, of: DeviceSecrets): SignedEntry =>
    addDevice(crypto, state, signer, ownerAdmission(of, true), provePossession(crypto, ada.id, of), {
      readsPrivate: true,
    })
  const put = (...entries: SignedEntry[]) =>
    mesh.wait(home.call('identity.append', { identity: ada.id, log: encodeLog(entries) }))
  const { device } = ada.person
  const first = admit(ada.person.state, device, fresh)
  await put(first)
  return { mesh, crypto, put, admit, device, fresh, third, state: append(crypto, ada.person.state, [first]) }
}

test('a fresh device lets nobody in and shuts nobody out for a day', async () => {
  const { mesh, crypto, put, admit, device, fresh, third, state } = await story()
  await using _ = mesh
  await expect(put(admit(state, fresh, third))).rejects.toThrow('for 24 h')
  await expect(put(revokeDevice(crypto, state, fresh, device.key, []).entry)).rejects.toThrow(
    'adds and revokes nothing',
  )
  await mesh.clock.advance(23.5 * hour)
  await expect(put(admit(state, fresh, third))).rejects.toThrow('for 1 h')
  await mesh.clock.advance(hour)
  await put(admit(state, fresh, third))
})

test('an older one vouches for it before, and it may always leave', async () => {
  const { mesh, crypto, put, admit, device, fresh, third, state } = await story()
  await using _ = mesh
  const vouched = vouch(crypto, state, device, fresh.key)
  await put(vouched)
  const trusted = append(crypto, state, [vouched])
  await put(admit(trusted, fresh, third))
  const three = append(crypto, trusted, [admit(trusted, fresh, third)])
  expect(three.devices.size).toBe(3)
})

test('a device that was let in by a fresh one in the same breath is held back too', async () => {
  const { mesh, crypto, put, admit, device, fresh, third, state } = await story()
  await using _ = mesh
  const vouching = vouch(crypto, state, device, fresh.key)
  const two = append(crypto, state, [vouching])
  const entry = admit(two, fresh, third)
  const three = append(crypto, two, [entry])
  const attack = revokeDevice(crypto, three, third, device.key, []).entry
  await expect(put(vouching, entry, attack)).rejects.toThrow('adds and revokes nothing')
  await put(vouching, entry)
  await put(revokeDevice(crypto, three, third, third.key, []).entry)
})
