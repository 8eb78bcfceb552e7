import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import type { Caller } from '../../daemon/api/operations.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { readEvent } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode } from '../../protocol/codec.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import { createGroup } from '../../protocol/identity/make-group.ts'
import { addDevice, deviceFromSeed, provePossession, revokeDevice } from '../../protocol/identity/make.ts'
import type { Capability, DeviceSecrets, IdentityState, Role } from '../../protocol/identity/types.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const app = microblog.id
const notesName = `~${'n'.repeat(43)}`

/** Ada at home with her phone, and what she admitted besides: apps, a reader, a node. */
class Household {
  readonly mesh: Mesh
  readonly home: MeshNode
  readonly ada: Resident
  state: IdentityState
  #number = 0

  constructor(mesh: Mesh) {
    this.mesh = mesh
    this.home = mesh.nodes[0] as MeshNode
    this.ada = new Resident(mesh, microblog)
    this.state = this.ada.person.state
  }

  static async begin(): Promise<Household> {
    const house = new Household(await createMesh(2))
    await house.mesh.clock.advance(3_000)
    await house.mesh.wait(house.ada.moveIn(house.home))
    return house
  }

  session(device: DeviceSecrets = this.ada.person.device): Caller {
    return { kind: 'session', owner: this.ada.id, device: device.key }
  }

  async admit(role: Role, capabilities: readonly Capability[] | 'all'): Promise<Caller> {
    const { crypto } = this.mesh
    const device = deviceFromSeed(crypto, crypto.random(32))
    const admission = { key: device.key, boxKey: device.boxKey, role, capabilities, probation: false }
    const possession = provePossession(crypto, this.state.id, device, role)
    const entry = addDevice(crypto, this.state, this.ada.person.device, admission, possession)
    this.state = append(crypto, this.state, [entry])
    await this.tell()
    return this.session(device)
  }

  async tell(): Promise<void> {
    const request = { identity: this.ada.id, log: encodeLog(this.state.entries) }
    await this.mesh.wait(this.home.call('identity.append', request))
  }

  /** Sealed for Ada's own devices; `device` is what writes it. */
  async note(): Promise<Uint8Array> {
    const { crypto, clock } = this.mesh
    const sealing = { epoch: 1, key: crypto.random(32) }
    const record = signRecord(
      crypto,
      {
        ...{ owner: this.ada.id, author: this.ada.id, app, collection: notesName, key: crypto.random(32) },
        ...{ merge: 'register', number: ++this.#number, clock: clockOf(clock.nowMs(), this.#number) },
        ...{ operation: 'put', schema: microblog.hash, expiresMs: undefined },
        sections: [{ audience: 'private', heights: {}, fields: { text: 'mine' }, sealing }],
      },
      this.ada.person.device.seed,
    )
    const { results } = await this.mesh.wait(
      this.home.call('record.put', { records: [encodeRecord(record)] }),
    )
    expect(results[0]?.outcome).toBe('stored')
    return record.id
  }

  /** Whether the caller is given what is sealed, of the notes. */
  async seesNotes(caller: Caller): Promise<boolean> {
    const request = { owner: this.ada.id, app, collection: notesName }
    const { records } = await this.mesh.wait(this.home.call('record.list', request, caller))
    return hasSealed(this.mesh, records[0] as Uint8Array)
  }

  async code(call: () => Promise<unknown>): Promise<string> {
    return this.mesh.wait(
      call().then(
        () => 'ok',
        (error: { code: string }) => error.code,
      ),
    )
  }
}

function hasSealed({ crypto }: Mesh, bytes: Uint8Array): boolean {
  return decodeRecord(crypto, bytes).sections.every((section) => section !== undefined)
}

const leave = (collection: string | undefined, access: 'read' | 'write', expiresMs?: number): Capability => ({
  ...{ app, collection, access, expiresMs },
})

test('what decides about a person is for their owner devices: others are refused', async () => {
  const house = await Household.begin()
  await using mesh = house.mesh
  const { home, ada } = house
  const lent = await house.admit('app', [leave(undefined, 'write')])
  const phone = house.session()
  const { state: group } = createGroup(mesh.crypto, { person: house.state, device: ada.person.device }, [], {
    people: () => house.state,
    isSealed: false,
  })
  const asked = (caller: Caller) => [
    () =>
      home.call('identity.host', { identity: group.id, log: encodeLog(group.entries), people: [] }, caller),
    () => home.call('placement.propose', { owners: [ada.id], copies: 0 }, caller),
    () => home.call('record.numbers', { owner: ada.id, device: ada.person.device.key }, caller),
    () => home.call('record.shards', { owner: ada.id, device: ada.person.device.key }, caller),
    () => home.call('identity.groups', { owner: ada.id }, caller),
    () => home.call('token.list', {}, caller),
  ]
  for (const call of asked(lent)) expect(await house.code(call)).toBe('FORBIDDEN')
  for (const call of asked(phone)) expect(await house.code(call)).toBe('ok')
})

test('an upload takes leave to write, of whatever collection', async () => {
  const house = await Household.begin()
  await using mesh = house.mesh
  const { home, ada } = house
  const manifest = encodeManifest({ size: 3, chunks: [mesh.crypto.sha256(new Uint8Array(3))] })
  const begin = (caller: Caller) =>
    house.code(() => home.call('blob.begin', { owner: ada.id, manifest }, caller))
  const untilMs = mesh.clock.nowMs() + 60_000
  expect(await begin(await house.admit('node', []))).toBe('FORBIDDEN')
  expect(await begin(await house.admit('reader', [leave(undefined, 'read')]))).toBe('FORBIDDEN')
  expect(await begin(await house.admit('app', [leave('posts', 'read')]))).toBe('FORBIDDEN')
  const writer = await house.admit('app', [leave('posts', 'write', untilMs)])
  expect(await begin(writer)).toBe('ok')
  expect(await begin(house.session())).toBe('ok')
  await mesh.clock.advance(60_000)
  expect(await begin(writer)).toBe('FORBIDDEN')
})

test('a device sees as much of what is sealed as its entry in the log gives it', async () => {
  const house = await Household.begin()
  await using mesh = house.mesh
  const { home, ada } = house
  await house.note()
  expect(await house.seesNotes(house.session())).toBe(true)
  expect(await house.seesNotes(await house.admit('reader', [leave(undefined, 'read')]))).toBe(true)
  expect(await house.seesNotes(await house.admit('app', [leave(notesName, 'read')]))).toBe(true)
  for (const role of ['app', 'reader', 'node'] as const) {
    const other = await house.admit(role, [leave('posts', 'read')])
    expect(await house.seesNotes(other), role).toBe(false)
    const feed = (collection: string) =>
      house.code(() => home.call('feed.list', { owner: ada.id, app, collection }, other))
    expect([await feed('posts'), await feed('boosts')], role).toEqual(['ok', 'FORBIDDEN'])
  }
  const nothing = await house.admit('node', [])
  expect(await house.seesNotes(nothing)).toBe(false)
  expect(await house.seesNotes({ kind: 'anyone' })).toBe(false)
  expect(mesh.nodes).toHaveLength(2)
})

test('a live query ends before the first event after its device was revoked', async () => {
  const house = await Household.begin()
  await using mesh = house.mesh
  const { ada } = house
  const reader = await house.admit('reader', [leave(undefined, 'read')])
  const stopping = new AbortController()
  const { events } = await mesh.wait(
    house.home.node.dispatch.call('live.open', { of: 'list', owner: ada.id, app, name: notesName }, 'cbor', {
      caller: reader,
      signal: stopping.signal,
      token: undefined,
      bind: () => {},
    }),
  )
  const reading = events![Symbol.asyncIterator]()
  const next = async () => {
    const { value } = await mesh.wait(reading.next())
    return readEvent('live.open', decode(value.bytes), 'cbor')
  }
  const first = await house.note()
  const event = await next()
  expect(event.records.map((bytes) => toHex(decodeRecord(mesh.crypto, bytes).id))).toEqual([toHex(first)])
  expect(hasSealed(mesh, event.records[0] as Uint8Array)).toBe(true)

  // What was put into the queue before counts too: the reader is slow.
  await house.note()
  if (reader.kind !== 'session') throw new Error('no session')
  const { entry } = revokeDevice(mesh.crypto, house.state, ada.person.device, reader.device, [])
  house.state = append(mesh.crypto, house.state, [entry])
  await house.tell()
  await expect(next()).rejects.toMatchObject({ code: 'FORBIDDEN' })
  stopping.abort()
})
