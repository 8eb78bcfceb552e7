import { expect, test } from 'vitest'
import type { Caller } from '../../daemon/api/operations.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import { addMember, removeMember } from '../../protocol/identity/make-group.ts'
import type { IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { type MeshNode } from '../support/mesh.ts'
import { Club } from '../support/club.ts'

test('a group has a shard of its own: its members write, its copies verify, nobody else gets in', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { ada, ben, eve } = club
  expect(await club.put(club.post(ada, 'welcome'))).toBe('stored')
  expect(await club.put(club.post(ben, 'thank you'))).toBe('stored')
  expect(await club.put(club.post(eve, 'me too'))).toBe('UNKNOWN_IDENTITY')
  await mesh.until(async () => (await club.holders(2)) === 4, 20_000)
  // Whoever asks any node finds the club, with what proves it.
  const far = mesh.nodes.find(({ store }) => store.shards.get(club.id) === undefined) as MeshNode
  const { people } = await mesh.wait(far.call('identity.get', { identity: club.id }))
  expect(people.length).toBe(2)
})

test('a member who is put out writes no more, and what they wrote until then stays', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { ada, ben, people } = club
  const good = club.post(ben, 'while I was one')
  expect(await club.put(good)).toBe('stored')
  await mesh.until(async () => (await club.holders(1)) === 4, 20_000)
  const numbers = [{ device: ben.person.device.key, lastNumber: 1, listHash: new Uint8Array(32) }]
  await club.tell(removeMember(mesh.crypto, club.group, club.signer(ada), ben.id, { numbers, people }).entry)
  await mesh.clock.advance(5_000)
  const replica = mesh.nodes.find(
    ({ id, store }) => id !== club.home.id && store.shards.get(club.id) !== undefined,
  ) as MeshNode
  for (const node of [club.home, replica])
    expect(await club.put(club.post(ben, 'and now'), node)).toBe('FORBIDDEN')
  expect(await club.holders(1)).toBe(4)
})

test("a member's new device writes as soon as its log is known, and a revoked one no more, at every copy", async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { ben, home } = club
  const { crypto } = mesh
  const laptop = deviceFromSeed(crypto, crypto.random(32))
  const bring = async (entry: SignedEntry): Promise<void> => {
    const state = append(crypto, club.states.get(ben.name) as IdentityState, [entry])
    club.states.set(ben.name, state)
    // To the club's home, where Ben is known as a member and lives not.
    await mesh.wait(
      home.call('identity.append', { identity: ben.id, log: encodeLog(state.entries) }, {
        kind: 'anyone',
      } as Caller),
    )
  }
  expect(await club.put(club.post(ben, 'too early', laptop))).toBe('FORBIDDEN')
  const { device } = ben.person
  const before = club.states.get(ben.name) as IdentityState
  await bring(
    addDevice(crypto, before, device, ownerAdmission(laptop, false), provePossession(crypto, ben.id, laptop)),
  )
  expect(await club.put(club.post(ben, 'by the laptop', laptop))).toBe('stored')
  await mesh.until(async () => (await club.holders(1)) === 4, 20_000)
  await bring(revokeDevice(crypto, club.states.get(ben.name) as IdentityState, device, laptop.key, []).entry)
  // Nothing of it counts in the club, as the revocation does not name it.
  await mesh.until(async () => (await club.holders(0)) === mesh.nodes.length, 20_000)
  expect(await club.put(club.post(ben, 'again', laptop))).toBe('REVOKED')
})

test('whoever was let in by a device that its person then revokes is out again, with what they wrote', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { ada, eve, home, people } = club
  const { crypto } = mesh
  const { device } = ada.person
  const stolen = deviceFromSeed(crypto, crypto.random(32))
  const bring = async (entry: SignedEntry): Promise<void> => {
    club.states.set(ada.name, append(crypto, club.states.get(ada.name) as IdentityState, [entry]))
    await mesh.wait(home.call('identity.append', { identity: ada.id, log: encodeLog([entry]) }))
  }
  const before = club.states.get(ada.name) as IdentityState
  await bring(
    addDevice(crypto, before, device, ownerAdmission(stolen, false), provePossession(crypto, ada.id, stolen)),
  )
  const member = { identity: eve.id, role: 'writer' as const }
  const admission = addMember(crypto, club.group, club.signer(ada, stolen), member, { people })
  const request = { identity: club.id, log: encodeLog([admission]), people: club.logs(ada, eve) }
  await mesh.wait(home.call('identity.append', request, club.session(ada)))
  expect(await club.put(club.post(eve, 'buy coins'))).toBe('stored')
  await mesh.until(async () => (await club.holders(1)) === 4, 20_000)
  await bring(revokeDevice(crypto, club.states.get(ada.name) as IdentityState, device, stolen.key, []).entry)
  await mesh.until(async () => (await club.holders(0)) === mesh.nodes.length, 20_000)
  expect(await club.put(club.post(eve, 'more coins'))).toBe('FORBIDDEN')
})

test('only an owner changes a group, has it live somewhere and says who holds it', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { home, ben, eve, people } = club
  const member = { identity: eve.id, role: 'owner' as const }
  const entry = addMember(mesh.crypto, club.group, club.signer(ben), member, { people })
  const asBen = club.session(ben)
  const request = { identity: club.id, log: encodeLog([entry]) }
  await expect(mesh.wait(home.call('identity.append', request, asBen))).rejects.toThrow('never an owner')
  const whole = { identity: club.id, log: encodeLog(club.group.entries), people: [] }
  await expect(mesh.wait(home.call('identity.host', whole, asBen))).rejects.toThrow(
    'where an owner of it does',
  )
  await expect(mesh.wait(home.call('placement.propose', { owners: [club.id] }, asBen))).rejects.toThrow(
    'speak',
  )
})
