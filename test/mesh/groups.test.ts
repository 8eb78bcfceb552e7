import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { nameWritten } from '../../client/revocation.ts'
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
import { addMember, createGroup, removeMember } from '../../protocol/identity/make-group.ts'
import type { DeviceSecrets, IdentityState, People, SignedEntry } from '../../protocol/identity/types.ts'
import { packReplicaSet, signReplicaSet } from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

/** A club that Ada founded at her home with Ben, who lives elsewhere and writes; and Eve, who is nobody's member. */
class Club {
  readonly mesh: Mesh
  readonly home: MeshNode
  readonly bens: MeshNode
  readonly ada: Resident
  readonly ben: Resident
  readonly eve: Resident
  readonly states = new Map<string, IdentityState>()
  group!: IdentityState
  #number = 0

  private constructor(mesh: Mesh) {
    this.mesh = mesh
    ;[this.home, this.bens] = mesh.nodes as unknown as [MeshNode, MeshNode]
    ;[this.ada, this.ben, this.eve] = [0, 1, 2].map(() => new Resident(mesh, microblog)) as [
      Resident,
      Resident,
      Resident,
    ]
    for (const { name, person } of [this.ada, this.ben, this.eve]) this.states.set(name, person.state)
  }

  readonly people: People = (id) => this.states.get(toHex(id))

  get id(): Uint8Array {
    return this.group.id
  }

  session(of: Resident): Caller {
    return { kind: 'session', owner: of.id, device: of.person.device.key }
  }

  signer(of: Resident, device: DeviceSecrets = of.person.device) {
    return { person: this.states.get(of.name) as IdentityState, device }
  }

  logs(...of: Resident[]): Uint8Array[] {
    return of.map(({ name }) => encodeLog((this.states.get(name) as IdentityState).entries))
  }

  static async found(): Promise<Club> {
    const mesh = await createMesh(6)
    const club = new Club(mesh)
    const { home, bens, ada, ben, people } = club
    await mesh.clock.advance(3_000)
    await mesh.wait(ada.moveIn(home))
    await mesh.wait(ben.moveIn(bens))
    const { state } = createGroup(mesh.crypto, club.signer(ada), [{ identity: ben.id, role: 'writer' }], {
      people,
      isSealed: false,
    })
    club.group = state
    const request = { identity: state.id, log: encodeLog(state.entries), people: club.logs(ada, ben) }
    await mesh.wait(home.call('identity.host', { ...request, label: 'Club' }, club.session(ada)))
    const { proposals } = await mesh.wait(
      home.call('placement.propose', { owners: [state.id], copies: 3 }, club.session(ada)),
    )
    const unsigned = proposals[0]?.unsigned as Uint8Array
    const signature = signReplicaSet(mesh.crypto, unsigned, ada.person.device.seed)
    const { results } = await mesh.wait(
      home.call('placement.commit', { replicaSets: [packReplicaSet(unsigned, [signature])] }),
    )
    expect(results[0]?.members).toHaveLength(4)
    return club
  }

  post(author: Resident, title: string, device: DeviceSecrets = author.person.device): Uint8Array {
    const record = signRecord(
      this.mesh.crypto,
      {
        owner: this.id,
        author: author.id,
        app: microblog.id,
        collection: 'posts',
        key: new Uint8Array(0),
        merge: 'append',
        number: ++this.#number,
        clock: clockOf(this.mesh.clock.nowMs(), this.#number),
        operation: 'put',
        schema: microblog.hash,
        expiresMs: undefined,
        sections: planSections(microblog, 'posts', { title } as never) as never,
      },
      device.seed,
    )
    return encodeRecord(record)
  }

  async put(record: Uint8Array, at = this.home): Promise<string> {
    const { results } = await this.mesh.wait(at.call('record.put', { records: [record] }))
    const [result] = results
    return result?.outcome === 'refused' ? String(result.code) : String(result?.outcome)
  }

  async tell(entry: SignedEntry, as: Resident = this.ada): Promise<void> {
    this.group = append(this.mesh.crypto, this.group, [entry], this.people)
    await this.mesh.wait(
      this.home.call('identity.append', { identity: this.id, log: encodeLog([entry]) }, this.session(as)),
    )
  }

  /** Nodes that hold so many records of the club. */
  async holders(records: number): Promise<number> {
    const counts = this.mesh.nodes.map(({ store }) => store.shards.get(this.id)?.records ?? 0)
    return counts.filter((count) => count === records).length
  }
}

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

test('only an owner changes a group, has it live somewhere and says who holds it', async () => {
  const club = await Club.found()
  await using mesh = club.mesh
  const { home, ben, eve, people } = club
  const member = { identity: eve.id, role: 'owner' as const }
  const entry = addMember(mesh.crypto, club.group, club.signer(ben), member, { people })
  const asBen = club.session(ben)
  const request = { identity: club.id, log: encodeLog([entry]) }
  await expect(mesh.wait(home.call('identity.append', request, asBen))).rejects.toThrow('comes to nothing')
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

  // A node that knows the club and does not hold it says so.
  const far = mesh.nodes.find(({ store }) => store.shards.get(club.id) === undefined) as MeshNode
  await mesh.wait(far.call('identity.get', { identity: club.id }))
  const asked = { owner: ada.id, device: laptop.key, crypto }
  const there = await mesh.wait(
    nameWritten({ ...asked, transport: { call: (operation, request) => far.call(operation, request) } }),
  )
  expect(there.unheld.map(toHex)).toContain(toHex(club.id))

  const transport: Pick<Transport, 'call'> = {
    call: (operation, request) => home.call(operation, request, club.session(ada)),
  }
  const named = await mesh.wait(nameWritten({ ...asked, transport }))
  expect(named).toMatchObject({ records: 1, unheld: [], isCut: false })
  expect(named.numbers.map(({ owner }) => toHex(owner))).toEqual([ada.name, toHex(club.id)])
  await bring(revokeDevice(crypto, adas(), phone, laptop.key, named.numbers).entry)
  await mesh.clock.advance(30_000)
  expect(await club.holders(3)).toBe(4)
  expect(await club.put(club.post(ada, 'too late', laptop))).toBe('REVOKED')
  expect(await club.put(club.post(eve, 'still here'))).toBe('stored')
  await mesh.until(async () => (await club.holders(4)) === 4, 20_000)
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
