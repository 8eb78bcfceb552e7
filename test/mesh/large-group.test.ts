import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import type { Caller } from '../../daemon/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { createGroup } from '../../protocol/identity/make-group.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { longLogged } from '../support/people.ts'
import { Resident } from '../support/resident.ts'

test("a group whose people's logs fill no frame gets its copies, and so does everybody else", async () => {
  await using mesh = await createMesh(5)
  const { crypto } = mesh
  const home = mesh.nodes[0] as MeshNode
  const [ada, ben] = [new Resident(mesh, microblog), new Resident(mesh, microblog)]
  await mesh.clock.advance(3_000)
  await mesh.wait(ada.moveIn(home))
  const members = Array.from({ length: 21 }, () => longLogged(crypto))
  const logs = [ada.person.state, ...members].map(({ entries }) => encodeLog(entries))
  expect(logs.reduce((sum, log) => sum + log.length, 0)).toBeGreaterThan(limits.frameBytesMax)
  const states = new Map([ada.person.state, ...members].map((state) => [toHex(state.id), state]))
  const people = (id: Uint8Array): IdentityState | undefined => states.get(toHex(id))
  const { state: person, device } = ada.person
  const named = members.map(({ id }) => ({ identity: id, role: 'reader' as const }))
  const { state: group } = createGroup(crypto, { person, device }, named, { people, isSealed: false })
  const session: Caller = { kind: 'session', owner: ada.id, device: device.key }
  const log = encodeLog(group.entries)
  // As a request is a frame too, its people come in several.
  await mesh.wait(home.call('identity.host', { identity: group.id, log, people: logs.slice(0, 11) }, session))
  await mesh.wait(home.call('identity.append', { identity: group.id, log, people: logs.slice(11) }, session))
  const { proposals } = await mesh.wait(
    home.call('placement.propose', { owners: [group.id], copies: 3 }, session),
  )
  const unsigned = proposals[0]?.unsigned as Uint8Array
  const signed = packReplicaSet(unsigned, [signReplicaSet(crypto, unsigned, device.seed)])
  await mesh.wait(home.call('placement.commit', { replicaSets: [signed] }, session))
  const holdersOf = (id: Uint8Array) =>
    mesh.nodes.filter(({ store }) => store.shards.get(id)?.status === 'hosted')
  await mesh.until(() => holdersOf(group.id).length === 4, 20_000)
  await mesh.until(
    () =>
      holdersOf(group.id).every(({ store }) =>
        members.every(({ id }) => store.documents.get('identity', id) !== undefined),
      ),
    20_000,
  )

  await mesh.wait(ben.moveIn(home))
  await mesh.wait(ben.place(home))
  await mesh.wait(ben.put(home, 'posts', { title: 'hello' }))
  await mesh.until(
    () => mesh.nodes.filter(({ store }) => store.shards.get(ben.id)?.records === 1).length === 4,
    20_000,
  )

  // Whoever asks gets the group's log with those by which it is read; the others one by one.
  const far = mesh.nodes.find(({ store }) => store.shards.get(group.id) === undefined) as MeshNode
  const found = await mesh.wait(far.call('identity.get', { identity: group.id }))
  expect(found.log).toEqual(log)
  expect(found.people.map((one) => toHex(one))).toContain(toHex(logs[0] as Uint8Array))
  const bytes = found.people.reduce((sum, one) => sum + one.length, found.log.length)
  expect(bytes).toBeLessThan(limits.answerBytesMax)
  for (const { id } of members) {
    const one = await mesh.wait(home.call('identity.get', { identity: id }))
    expect(toHex(one.log)).toBe(toHex(encodeLog((people(id) as IdentityState).entries)))
  }
})
