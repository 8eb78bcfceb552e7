import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import type { Caller } from '../../daemon/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import { createGroup } from '../../protocol/identity/make-group.ts'
import { recoveryKeysOf } from '../../protocol/identity/recovery.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { decodeTaken, encodePlaced } from '../../protocol/placement/messages.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { createPerson, type Person } from '../support/people.ts'
import { Resident } from '../support/resident.ts'

const anyone: Caller = { kind: 'anyone' }
const sessionOf = ({ state, device }: Person): Caller => ({
  kind: 'session',
  owner: state.id,
  device: device.key,
})
const logOf = ({ entries }: IdentityState): Uint8Array => encodeLog(entries)

function foundedBy({ crypto }: Mesh, { state, device }: Person): IdentityState {
  const people = (): IdentityState => state
  return createGroup(crypto, { person: state, device }, [], { people, isSealed: false }).state
}

async function onDisk({ store }: MeshNode): Promise<Record<string, string[]>> {
  const kinds = ['identity', 'group', 'group-member', 'recovery', 'replica-set', 'hosted', 'hosted-by']
  const listed = kinds.map(async (kind): Promise<[string, string[]]> => {
    const rows = await store.documents.list(kind)
    return [kind, rows.map(({ key }) => toHex(key))]
  })
  return Object.fromEntries(await Promise.all(listed))
}

async function house() {
  const mesh = await createMesh(3)
  const [home, far] = mesh.nodes as unknown as [MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  return { mesh, home, far, ada }
}

test('people whom nobody here knows come with no log, be it taken in or refused', async () => {
  const { mesh, home, ada } = await house()
  await using _ = mesh
  const before = await onDisk(home)
  const invented = Array.from({ length: 50 }, () => createPerson(mesh.crypto))
  const people = invented.map(({ state }) => logOf(state))
  const good = { identity: ada.id, log: logOf(ada.person.state), people }
  expect(await mesh.wait(home.call('identity.append', good, anyone))).toEqual({ added: 0 })
  const bad = { ...good, log: people[0] as Uint8Array }
  await expect(mesh.wait(home.call('identity.append', bad, anyone))).rejects.toMatchObject({
    code: 'BAD_IDENTITY',
  })
  expect(await onDisk(home)).toEqual(before)
})

test('a group that its bringer does not own leaves nothing behind', async () => {
  const { mesh, home, ada } = await house()
  await using _ = mesh
  const before = await onDisk(home)
  const eve = createPerson(mesh.crypto)
  const group = foundedBy(mesh, eve)
  const request = { identity: group.id, log: logOf(group), people: [logOf(eve.state)] }
  await expect(mesh.wait(home.call('identity.host', request, sessionOf(ada.person)))).rejects.toMatchObject({
    code: 'FORBIDDEN',
  })
  // Eve has a shard nowhere, or under a lease at most: she does not live here.
  await expect(mesh.wait(home.call('identity.host', request, sessionOf(eve)))).rejects.toMatchObject({
    code: 'NOT_HOSTED',
  })
  const person = { identity: eve.state.id, log: logOf(eve.state), people: [] }
  await expect(mesh.wait(home.call('identity.host', person))).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  expect(await onDisk(home)).toEqual(before)
})

test('a group that a group here has as its member brings nothing in', async () => {
  const { mesh, home, ada } = await house()
  await using _ = mesh
  const eve = createPerson(mesh.crypto)
  const inner = foundedBy(mesh, eve)
  const { state, device } = ada.person
  // As a person's key would be, so that one can be told of; nodes do not ask.
  const people = (id: Uint8Array): IdentityState =>
    toHex(id) === toHex(inner.id) ? { ...eve.state, id: inner.id } : state
  const named = [{ identity: inner.id, role: 'reader' as const }]
  const outer = createGroup(mesh.crypto, { person: state, device }, named, { people, isSealed: false }).state
  const hosting = { identity: outer.id, log: logOf(outer), people: [logOf(state)] }
  await mesh.wait(home.call('identity.host', hosting, sessionOf(ada.person)))
  const before = await onDisk(home)
  const request = { identity: inner.id, log: logOf(inner), people: [logOf(eve.state)] }
  await expect(mesh.wait(home.call('identity.append', request, anyone))).rejects.toMatchObject({
    code: 'NOT_HOSTED',
  })
  expect(await onDisk(home)).toEqual(before)
})

test('one person brings so many groups to a node, whatever others bring', async () => {
  const { mesh, home, ada } = await house()
  await using _ = mesh
  const ben = new Resident(mesh, microblog)
  await mesh.wait(ben.moveIn(home))
  const host = (group: IdentityState, { person }: Resident) => {
    const request = { identity: group.id, log: logOf(group), people: [logOf(person.state)] }
    return mesh.wait(home.call('identity.host', request, sessionOf(person)))
  }
  const groups = Array.from({ length: limits.groupsPerPersonMax }, () => foundedBy(mesh, ada.person))
  for (const group of groups) await host(group, ada)
  const before = await onDisk(home)
  await expect(host(foundedBy(mesh, ada.person), ada)).rejects.toMatchObject({ code: 'NO_QUOTA' })
  expect(await onDisk(home)).toEqual(before)
  // Again, as after an answer that got lost.
  await host(groups[0] as IdentityState, ada)
  await host(foundedBy(mesh, ben.person), ben)
})

test('whoever is only looked up is not kept; whoever is followed is, with the nodes that hold them', async () => {
  const { mesh, home, far, ada } = await house()
  await using _ = mesh
  const [device, words] = [0, 1].map(() => deviceFromSeed(mesh.crypto, mesh.crypto.random(32))) as [
    DeviceSecrets,
    DeviceSecrets,
  ]
  const { state } = createIdentity(mesh.crypto, device, { recovery: recoveryKeysOf(words) })
  const ben = new Resident(mesh, microblog, { device, state })
  await mesh.wait(ben.moveIn(far))
  await mesh.wait(ben.place(far, 0))
  const before = await onDisk(home)
  const { log } = await mesh.wait(home.call('identity.get', { identity: ben.id }, anyone))
  expect(log).toEqual(logOf(ben.person.state))
  const { found } = await mesh.wait(home.call('identity.recover', { recoveryKey: words.key }, anyone))
  expect(found.map((one) => one.log)).toEqual([log])
  const { source, replicaSet } = await mesh.wait(home.call('replica-set.get', { owner: ben.id }, anyone))
  expect(source).toBe('local')
  const signal = new AbortController().signal
  const stranger = mesh.network.join(toHex(mesh.crypto.signingPublicKey(mesh.crypto.random(32))))
  const placed = encodePlaced([{ chain: replicaSet, log, people: [] }])
  const reply = await mesh.wait(stranger.rpc.request(home.id, 'shard/take', placed, { signal }))
  expect(decodeTaken(reply)).toEqual([false])
  expect(await onDisk(home)).toEqual(before)
  await mesh.wait(ada.put(home, 'follows', { user: ben.id }))
  await mesh.wait(ben.put(far, 'posts', { title: 'hello' }))
  await mesh.until(() => home.store.shards.get(ben.id)?.records === 1, 20_000)
  const { identity, 'replica-set': sets } = await onDisk(home)
  expect(identity).toContain(ben.name)
  expect(sets).toContain(ben.name)
})
