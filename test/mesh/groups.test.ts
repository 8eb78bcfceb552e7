import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { nameWritten } from '../../client/identity/written.ts'
import type { Transport } from '../../client/transport.ts'
import type { Caller } from '../../daemon/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
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
import type { DeviceSecrets, IdentityState, SignedEntry } from '../../protocol/identity/types.ts'
import { decodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { type MeshNode } from '../support/mesh.ts'
import { Club } from '../support/club.ts'
import { Resident } from '../support/resident.ts'

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

test('a club is followed from elsewhere, and what a new member writes comes there too', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { ada, ben, eve, people } = club
  await club.put(club.post(ada, 'welcome'))
  await club.put(club.post(ben, 'thank you'))
  await mesh.until(async () => (await club.holders(2)) === 4, 20_000)
  const far = mesh.nodes.find(({ store }) => store.shards.get(club.id) === undefined) as MeshNode
  const dan = new Resident(mesh, microblog)
  await mesh.wait(dan.moveIn(far))
  await mesh.wait(dan.put(far, 'follows', { user: club.id }))
  const posts = async (): Promise<number> => {
    const request = { owner: dan.id, app: microblog.id, view: 'home' }
    const { view } = await mesh.wait(far.call('view.get', request))
    return decodeViewAnswer(view).feed?.items.length ?? 0
  }
  await mesh.until(async () => (await posts()) === 2, 60_000)

  const member = { identity: eve.id, role: 'writer' } as const
  const entry = addMember(mesh.crypto, club.group, club.signer(ada), member, { people })
  const request = { identity: club.id, log: encodeLog([entry]), people: club.logs(eve) }
  await mesh.wait(club.home.call('identity.append', request, club.session(ada)))
  expect(await club.put(club.post(eve, 'me too'))).toBe('stored')
  await mesh.until(async () => (await posts()) === 3, 60_000)
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

test('what a lost device of the owner wrote in a group stays, and what it changed there', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { home, ada, eve, people } = club
  const { crypto } = mesh
  const laptop = deviceFromSeed(crypto, crypto.random(32))
  const { device: phone } = ada.person
  const bring = async (entry: SignedEntry): Promise<void> => {
    const state = append(crypto, club.states.get(ada.name) as IdentityState, [entry])
    club.states.set(ada.name, state)
    await mesh.wait(home.call('identity.append', { identity: ada.id, log: encodeLog(state.entries) }))
  }
  const adas = (): IdentityState => club.states.get(ada.name) as IdentityState
  await bring(
    addDevice(crypto, adas(), phone, ownerAdmission(laptop, false), provePossession(crypto, ada.id, laptop)),
  )
  await mesh.wait(eve.moveIn(mesh.nodes[2] as MeshNode))
  const log = encodeLog(eve.person.state.entries)
  await mesh.wait(home.call('admin.host.add', { hosts: [{ log }] }))
  const member = { identity: eve.id, role: 'writer' as const }
  await club.tell(addMember(crypto, club.group, club.signer(ada, laptop), member, { people }))
  expect(await club.put(club.post(ada, 'by the laptop', laptop))).toBe('stored')
  expect(await club.put(club.post(ada, 'by the phone'))).toBe('stored')
  expect(await club.put(club.post(eve, 'thanks for having me'))).toBe('stored')
  await mesh.until(async () => (await club.holders(3)) === 4, 20_000)

  // A node that keeps the club's log for a follower, and does not hold its shard, says so.
  const far = mesh.nodes.find(({ store }) => store.shards.get(club.id) === undefined) as MeshNode
  const fan = new Resident(mesh, microblog)
  await mesh.wait(fan.moveIn(far))
  await mesh.wait(fan.put(far, 'follows', { user: club.id }))
  await mesh.until(() => Promise.resolve(far.store.documents.get('identity', club.id) !== undefined), 60_000)
  const asked = { owner: ada.id, device: laptop.key, crypto }
  const there = await mesh.wait(
    nameWritten({ ...asked, transport: { call: (operation, request) => far.call(operation, request) } }),
  )
  expect(there.unheld.map(({ group }) => toHex(group))).toContain(toHex(club.id))

  const transport: Pick<Transport, 'call'> = {
    call: (operation, request) => home.call(operation, request, club.session(ada)),
  }
  const named = await mesh.wait(nameWritten({ ...asked, transport }))
  expect(named).toMatchObject({ records: 1, unheld: [], isCut: false })
  expect(named.numbers.map(({ owner }) => toHex(owner))).toEqual([ada.name, toHex(club.id)])
  await bring(revokeDevice(crypto, adas(), phone, laptop.key, named.numbers).entry)
  await mesh.clock.advance(30_000)
  // The follower's node too.
  expect(await club.holders(3)).toBe(5)
  expect(await club.put(club.post(ada, 'too late', laptop))).toBe('REVOKED')
  expect(await club.put(club.post(eve, 'still here'))).toBe('stored')
  await mesh.until(async () => (await club.holders(4)) === 5, 20_000)
})

test('a member lists what their own devices wrote in a group, and nobody else’s', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { home, ada, ben } = club
  await mesh.wait(ben.moveIn(home))
  expect(await club.put(club.post(ben, 'mine'))).toBe('stored')
  const list = (device: DeviceSecrets) =>
    mesh.wait(home.call('record.numbers', { owner: club.id, device: device.key }, club.session(ben)))
  expect((await list(ben.person.device)).numbers).toHaveLength(1)
  await expect(list(ada.person.device)).rejects.toThrow('speak')
})
