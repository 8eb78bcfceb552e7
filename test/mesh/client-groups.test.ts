import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  connect,
  connectAdmin,
  defineSchema,
  httpTransport,
  memoryKeyStore,
  pair,
} from '../../client/index.ts'
import type { App, Transport } from '../../client/index.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import { removeMember } from '../../protocol/identity/make-group.ts'
import { limits } from '../../protocol/limits.ts'
import { systemRandom } from '../../client/random.ts'
import { nextEpoch } from '../../client/groups/group-epochs.ts'
import { newDeviceOf } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

const clubSchema = defineSchema({
  onehop: 1,
  id: 'example.club',
  version: 1,
  collections: {
    talks: {
      key: 'none',
      fields: {
        title: { type: 'text', max: 200, required: true },
        minutes: { type: 'text', max: 2_000, audience: 'followers' },
      },
    },
  },
})
type Club = App<typeof clubSchema>
const crypto = portableCrypto((length) => systemRandom.bytes(length))

let daemons: Daemons

beforeAll(async () => {
  // Neither offers space: everybody, and every group, lives on one of them alone.
  daemons = await startDaemons(2, (config) => ({
    ...config,
    hosting: { ...config.hosting, offerTo: 'nobody' },
  }))
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

async function personAt(index: number): Promise<Club> {
  const daemon = daemons.all[index]!
  const keys = memoryKeyStore()
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run = await pair(link!, { keys, label: 'phone', schemas: [clubSchema], copies: 0 })
  await admin.pair.code(run.digits)
  run.confirm()
  const { transport } = await run.done
  await transport.close()
  return connect({ schema: clubSchema, keys, node: daemon.local })
}

const talks = (app: Club) => app.collection('talks')
const shown = async (app: Club, owner: Uint8Array) =>
  (await talks(app).latest(50, { owner })).map(({ value, withheld }) => ({ ...value, withheld }))

const epochOf = (bytes: Uint8Array) =>
  decodeRecord(crypto, bytes).header.sections.find(({ audience }) => typeof audience === 'object')?.epoch

/** The newest secret of the group that the device can open, by all that anybody is told. */
async function opensUpTo({ identity }: Club, id: Uint8Array): Promise<number | undefined> {
  const { local, adminToken } = daemons.all[0]!
  const admin = connectAdmin({ address: local, token: adminToken })
  const { log, people } = await admin.call('identity.get', { identity: id })
  await admin.close()
  const persons = people.map((person) => replay(crypto, decodeLog(crypto, person)))
  const group = replay(crypto, decodeLog(crypto, log), (of) => persons.find((one) => equalBytes(one.id, of)))
  return memberBoxes(crypto, group, identity!.id, identity!.boxes).newest()?.epoch
}

describe('a club', () => {
  test('is founded at home; a member who lives elsewhere writes in it and reads what is sealed; a stranger does not', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    const { id, members, role } = await ada.groups.create({
      members: [{ identity: ben.owner!, role: 'writer' }],
      label: 'Club',
      copies: 0,
    })
    expect([members.length, role]).toEqual([2, 'owner'])
    await (
      await talks(ada).put({ title: 'welcome', minutes: 'for us alone' }, { owner: id })
    ).accepted

    expect(await ben.groups.open(id)).toMatchObject({ role: 'writer', isSealed: true })
    await (
      await talks(ben).put({ title: 'thank you', minutes: 'indeed' }, { owner: id })
    ).accepted
    const all = [
      { title: 'thank you', minutes: 'indeed', withheld: 0 },
      { title: 'welcome', minutes: 'for us alone', withheld: 0 },
    ]
    expect(await shown(ben, id)).toEqual(all)
    expect(await shown(ada, id)).toEqual(all)

    await using eve = await personAt(1)
    expect(await shown(eve, id)).toEqual([
      { title: 'thank you', withheld: 1 },
      { title: 'welcome', withheld: 1 },
    ])
    // Nobody there knows her, and she may not make herself known.
    await expect((await talks(eve).put({ title: 'me too' }, { owner: id })).accepted).rejects.toMatchObject({
      code: 'NOT_HOSTED',
    })
    await expect(eve.groups.add(id, { identity: eve.owner!, role: 'owner' })).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
  })

  test('says why a change is none, and whom to ask', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    const writer = { identity: ben.owner!, role: 'writer' as const }
    const { id } = await ada.groups.create({ members: [writer], label: 'Club', copies: 0 })
    const bens = toHex(ben.owner!).slice(0, 12)
    const refused = (code: string, message: string, help?: string) => ({
      code,
      message: expect.stringContaining(message),
      ...(help === undefined ? {} : { help: expect.stringContaining(help) }),
    })
    await expect(ada.groups.add(id, writer)).rejects.toMatchObject(
      refused('BAD_REQUEST', `${bens}… is in this group already, as a writer`, 'onehop groups role'),
    )
    await expect(ada.groups.change(id, writer)).rejects.toMatchObject(
      refused('BAD_REQUEST', 'is a writer of this group already'),
    )
    await expect(ada.groups.change(id, { ...writer, role: 'reader' })).rejects.toMatchObject(
      refused('BAD_REQUEST', 'a writer cannot be made a reader', 'onehop groups remove'),
    )
    await expect(ada.groups.remove(id, ada.owner!)).rejects.toMatchObject(
      refused('FORBIDDEN', 'is its only owner', 'onehop groups role'),
    )
    await expect(ben.groups.remove(id, ben.owner!)).rejects.toMatchObject(
      refused('FORBIDDEN', 'you are a writer', `Ask one of them to take you out: ${toHex(ada.owner!)}`),
    )
    await using eve = await personAt(1)
    await expect(ada.groups.remove(id, eve.owner!)).rejects.toMatchObject(
      refused('NOT_FOUND', 'is not in this group'),
    )
    await expect(eve.groups.add(id, writer)).rejects.toMatchObject(refused('FORBIDDEN', 'you are not in it'))
  })

  test('is listed for a member who lives elsewhere once they opened it, until they are put out', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    const writer = { identity: ben.owner!, role: 'writer' as const }
    const { id } = await ada.groups.create({ members: [writer], label: 'Club', copies: 0 })
    expect(await ben.groups.list()).toEqual([])
    await ben.groups.open(id)
    expect(await ben.groups.list()).toEqual([{ id, role: 'writer', members: 2, label: '', isHeld: false }])
    await ada.groups.change(id, { ...writer, role: 'owner' })
    expect(await ben.groups.list()).toMatchObject([{ id, role: 'owner' }])
    await ada.groups.remove(id, ben.owner!)
    expect(await ben.groups.list()).toEqual([])
    expect(await ada.groups.list()).toMatchObject([{ id, role: 'owner', members: 1, label: 'Club' }])
  })

  test('is found by newcomers when the device that signed who holds it is lost; so is the person', async () => {
    await using lost = await personAt(0)
    const { id } = await lost.groups.create({ label: 'Club', copies: 0 })
    await (
      await talks(lost).put({ title: 'welcome' }, { owner: id })
    ).accepted
    await (
      await talks(lost).put({ title: 'of mine' })
    ).accepted
    await using tablet = await newDeviceOf(lost, daemons.all[0]!)
    const { unsigned, records, groups } = await tablet.revokeDevice(lost.identity!.device.key)
    expect({ unsigned, records, groups }).toEqual({ unsigned: [], records: 3, groups: 1 })

    // Apps check who signed, and so does a node that has heard of neither.
    const { local } = daemons.all[0]!
    for (const [owner, title] of [
      [id, 'welcome'],
      [tablet.owner!, 'of mine'],
    ] as const) {
      await using newcomer = await connect({ schema: clubSchema, owner, node: local })
      expect(newcomer.nearest!.members).toHaveLength(1)
      expect(await shown(newcomer, owner)).toEqual([{ title, withheld: 0 }])
      await using elsewhere = await connect({ schema: clubSchema, node: daemons.all[1]!.local })
      expect(await shown(elsewhere, owner)).toEqual([{ title, withheld: 0 }])
    }
    // Once more is no harm.
    expect((await tablet.revokeDevice(lost.identity!.device.key)).unsigned).toEqual([])
  })

  test('is found by newcomers when its founder, who signed that, owns it no more; the founder cannot just go', async () => {
    for (const [house, how] of [
      [0, 'removed'],
      [1, 'removed'],
      [1, 'changed'],
    ] as const) {
      await using ada = await personAt(0)
      await using ben = await personAt(house)
      const { id } = await ada.groups.create({
        members: [{ identity: ben.owner!, role: 'owner' }],
        copies: 0,
      })
      await (
        await talks(ada).put({ title: 'farewell' }, { owner: id })
      ).accepted
      const alone = { code: 'FORBIDDEN', help: expect.stringContaining('another of its owners') }
      const asWriter = { identity: ada.owner!, role: 'writer' } as const
      await expect(ada.groups.remove(id, ada.owner!)).rejects.toMatchObject(alone)
      await expect(ada.groups.change(id, asWriter)).rejects.toMatchObject(alone)

      expect(await ben.groups.open(id)).toMatchObject({ unsigned: undefined })
      const changed =
        how === 'removed' ? await ben.groups.remove(id, ada.owner!) : await ben.groups.change(id, asWriter)
      expect(changed.unsigned).toBeUndefined()
      await using newcomer = await connect({ schema: clubSchema, node: daemons.all[1]!.local })
      expect(await shown(newcomer, id)).toEqual([{ title: 'farewell', withheld: 0 }])
      await using near = await connect({ schema: clubSchema, owner: id, node: daemons.all[0]!.local })
      expect(near.nearest!.members).toHaveLength(1)
      // Who came since signed it.
      await expect(ben.groups.remove(id, ben.owner!)).rejects.toMatchObject({ code: 'FORBIDDEN' })
    }
  })

  test('is signed anew by the next owner who opens it, where who put the founder out could not', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(0)
    const { id } = await ada.groups.create({
      members: [{ identity: ben.owner!, role: 'owner' }],
      isSealed: false,
      copies: 0,
    })
    await ben.groups.open(id)
    const { local, adminToken } = daemons.all[0]!
    const admin = connectAdmin({ address: local, token: adminToken })
    const { log, people } = await admin.call('identity.get', { identity: id })
    const persons = people.map((person) => replay(crypto, decodeLog(crypto, person)))
    const known = (wanted: Uint8Array) => persons.find((person) => equalBytes(person.id, wanted))
    const group = replay(crypto, decodeLog(crypto, log), known)
    const { state, device } = ben.identity!
    const signer = { person: state, device }
    const { entry } = removeMember(crypto, group, signer, ada.owner!, { numbers: [], people: known })
    const told = { identity: id, log: encodeLog([entry]), people }
    await admin.call('identity.append', told)
    await admin.close()

    const findIt = () => connect({ schema: clubSchema, owner: id, node: local })
    await expect(findIt()).rejects.toMatchObject({ code: 'BAD_SIGNATURE' })
    expect(await ben.groups.open(id)).toMatchObject({ members: [{ role: 'owner' }], unsigned: undefined })
    await using found = await findIt()
    expect(found.nearest!.members).toHaveLength(1)
  })

  test('a newcomer reads what was sealed before; who is put out writes no more and reads nothing new', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    await using cleo = await personAt(0)
    const { id } = await ada.groups.create({
      members: [{ identity: ben.owner!, role: 'writer' }],
      copies: 0,
    })
    await ben.groups.open(id)
    await (
      await talks(ben).put({ title: 'one', minutes: 'of ben' }, { owner: id })
    ).accepted
    await ada.groups.add(id, { identity: cleo.owner!, role: 'reader' })
    await cleo.groups.open(id)
    expect(await shown(cleo, id)).toEqual([{ title: 'one', minutes: 'of ben', withheld: 0 }])
    await expect((await talks(cleo).put({ title: 'mine' }, { owner: id })).accepted).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })

    expect((await ada.groups.remove(id, ben.owner!)).members).toHaveLength(2)
    await (
      await talks(ada).put({ title: 'two', minutes: 'without ben' }, { owner: id })
    ).accepted
    // What he wrote while he was one stays, and he reads it still; nothing newer.
    await ben.groups.open(id)
    expect(await shown(ben, id)).toEqual([
      { title: 'two', withheld: 1 },
      { title: 'one', minutes: 'of ben', withheld: 0 },
    ])
    await expect((await talks(ben).put({ title: 'three' }, { owner: id })).accepted).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    const sealed = { title: 'three', minutes: 'for whom?' }
    await expect(talks(ben).put(sealed, { owner: id })).rejects.toMatchObject({
      code: 'FORBIDDEN',
      message: expect.stringContaining('no longer, a member'),
      help: expect.stringContaining('onehop groups add'),
    })
    await cleo.groups.open(id)
    expect(await shown(cleo, id)).toEqual([
      { title: 'two', minutes: 'without ben', withheld: 0 },
      { title: 'one', minutes: 'of ben', withheld: 0 },
    ])
  })

  test('has another secret once a member shuts a device out: that device opens nothing new', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    await using laptop = await newDeviceOf(ada, daemons.all[0]!)
    await using tablet = await newDeviceOf(ben, daemons.all[1]!)
    const { id } = await ada.groups.create({
      members: [{ identity: ben.owner!, role: 'writer' }],
      copies: 0,
    })
    await ben.groups.open(id)
    await (
      await talks(ada).put({ title: 'one', minutes: 'for all devices' }, { owner: id })
    ).accepted
    for (const gone of [laptop, tablet]) await gone.groups.open(id)
    expect(await shown(laptop, id)).toEqual([{ title: 'one', minutes: 'for all devices', withheld: 0 }])

    // An owner's device does it at once, and whoever writes learns of it without being told.
    expect((await ada.revokeDevice(laptop.identity!.device.key)).unrenewed).toEqual([])
    const two = await talks(ben).put({ title: 'two', minutes: 'without the laptop' }, { owner: id })
    await two.accepted
    expect(epochOf(two.local.bytes)).toBe(2)
    expect(await opensUpTo(laptop, id)).toBe(1)
    expect(await opensUpTo(tablet, id)).toBe(2)

    // He owns nothing there, which is said; it is done when she looks.
    const { unrenewed } = await ben.revokeDevice(tablet.identity!.device.key)
    expect(unrenewed).toMatchObject([{ error: { code: 'FORBIDDEN' } }])
    expect(unrenewed[0]?.group).toEqual(id)
    expect((await ben.groups.open(id)).unrenewed).toMatchObject({ code: 'FORBIDDEN' })
    expect((await ada.groups.open(id)).unrenewed).toBeUndefined()
    expect((await ben.groups.open(id)).unrenewed).toBeUndefined()
    const three = await talks(ben).put({ title: 'three', minutes: 'without the tablet' }, { owner: id })
    await three.accepted
    expect(epochOf(three.local.bytes)).toBe(3)
    expect(await opensUpTo(tablet, id)).toBe(2)
    const all = ['without the tablet', 'without the laptop', 'for all devices']
    for (const member of [ada, ben])
      expect((await shown(member, id)).map(({ minutes }) => minutes)).toEqual(all)
    // Nothing more to do.
    await ada.groups.open(id)
    expect(await opensUpTo(ada, id)).toBe(3)
  })

  test('takes one of two secrets that owners give it at once, and all read what is sealed', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(0)
    await using tablet = await newDeviceOf(ben, daemons.all[0]!)
    const { id } = await ada.groups.create({
      members: [{ identity: ben.owner!, role: 'owner' }],
      copies: 0,
    })
    await ben.groups.open(id)
    const { local, adminToken } = daemons.all[0]!
    const admin = connectAdmin({ address: local, token: adminToken })
    await ben.revokeDevice(tablet.identity!.device.key)
    // Hers was made before she heard of his, and outranks it.
    const { log, people } = await admin.call('identity.get', { identity: id })
    const persons = people.map((person) => replay(crypto, decodeLog(crypto, person)))
    const known = (wanted: Uint8Array) => persons.find((person) => equalBytes(person.id, wanted))
    const now = replay(crypto, decodeLog(crypto, log), known)
    const before = replay(crypto, now.entries.slice(0, 1), known)
    const self = ada.identity!
    const signer = { person: self.state, device: self.device, boxes: self.boxes }
    const hers = nextEpoch(crypto, before, signer, known)!
    const told = { identity: id, log: encodeLog([hers]), people }
    await expect(admin.call('identity.append', told)).rejects.toMatchObject({ code: 'STALE' })
    await admin.close()
    await (
      await talks(ben).put({ title: 'one', minutes: 'under his' }, { owner: id })
    ).accepted
    expect((await ada.groups.open(id)).unrenewed).toBeUndefined()
    expect(await shown(ada, id)).toEqual([{ title: 'one', minutes: 'under his', withheld: 0 }])
  })

  test('has another secret too where its node has no room for the logs of its members; those that nobody has are told', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    await using tablet = await newDeviceOf(ben, daemons.all[1]!)
    const { id } = await ada.groups.create({
      members: [{ identity: ben.owner!, role: 'writer' }],
      copies: 0,
    })
    await ben.groups.open(id)

    let isFound = true
    const narrow = (): Transport => {
      const direct = httpTransport({ address: daemons.all[0]!.local })
      return {
        ...direct,
        async call(operation, request, options) {
          const { identity } = request as { readonly identity?: Uint8Array }
          if (!isFound && operation === 'identity.get' && equalBytes(identity!, ben.owner!))
            throw new OnehopError('UNKNOWN_IDENTITY', 'nobody asked knows them')
          const reply = await direct.call(operation, request, options)
          return operation === 'identity.get' ? { ...reply, people: [ada.identity!.log()] } : reply
        },
      }
    }
    const opened = () =>
      connect({ schema: clubSchema, identity: ada.identity!, keys: memoryKeyStore(), transport: narrow() })
    await using near = await opened()
    expect((await near.groups.open(id)).unrenewed).toBeUndefined()
    // He is known there by now, as he was.
    await ben.revokeDevice(tablet.identity!.device.key)
    expect((await near.groups.open(id)).unrenewed).toBeUndefined()
    expect(await opensUpTo(ada, id)).toBe(2)
    expect(await opensUpTo(tablet, id)).toBe(1)

    isFound = false
    await using far = await opened()
    expect((await far.groups.open(id)).unrenewed).toMatchObject({
      code: 'UNKNOWN_IDENTITY',
      message: expect.stringContaining('1 of its 2 members'),
    })
    // What is known is good enough for writing.
    const late = await talks(far).put({ title: 'one', minutes: 'all the same' }, { owner: id })
    await late.accepted
    expect(epochOf(late.local.bytes)).toBe(2)
    isFound = true
    expect((await far.groups.open(id)).unrenewed).toBeUndefined()
  })

  test('is given so many secrets a day, and it is said when that is over; members come and go all the same', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(0)
    const { id } = await ada.groups.create({ copies: 0 })
    const turnOver = async () => {
      const identity = ada.identity!
      const { key, boxKey, ...rest } = deviceFromSeed(crypto, crypto.random(32))
      const possession = provePossession(crypto, identity.id, { key, boxKey, ...rest })
      await identity.admit({ key, boxKey, possession, role: 'owner', readsPrivate: true, probation: false })
      await ada.publish()
      return (await ada.revokeDevice(key)).unrenewed
    }
    for (let i = 0; i < limits.groupEpochsPerDayMax; i++) expect(await turnOver()).toEqual([])
    const busy = { code: 'BUSY', help: expect.stringContaining('in 24 h') }
    expect(await turnOver()).toMatchObject([{ group: id, error: busy }])
    expect((await ada.groups.open(id)).unrenewed).toMatchObject(busy)
    await ada.groups.add(id, { identity: ben.owner!, role: 'writer' })
    await ada.groups.remove(id, ben.owner!)
    // Who was put out had its secret, so that it has another.
    expect((await ada.groups.open(id)).unrenewed).toBeUndefined()
    expect(await opensUpTo(ada, id)).toBe(limits.groupEpochsPerDayMax + 2)
  })

  test('keeps what a device of a member did there, when that is revoked at a node that never heard of it', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    await using laptop = await newDeviceOf(ben, daemons.all[1]!)
    await using dan = await personAt(1)
    const { id } = await ada.groups.create({ members: [{ identity: ben.owner!, role: 'owner' }], copies: 0 })
    await laptop.groups.open(id)
    await laptop.groups.add(id, { identity: dan.owner!, role: 'writer' })
    await (
      await talks(laptop).put({ title: 'by his laptop', minutes: 'and sealed' }, { owner: id })
    ).accepted
    const admin = connectAdmin({ address: daemons.all[1]!.local, token: daemons.all[1]!.adminToken })
    const { groups } = await admin.call('identity.groups', { owner: ben.owner! })
    await admin.close()
    expect(groups).toEqual([])

    expect((await ben.groups.noted()).map(({ group }) => group)).toEqual([id])
    await ben.groups.forget(id)
    expect(await ben.groups.noted()).toEqual([])
    await ben.groups.open(id)
    expect((await ben.groups.noted()).map(({ group }) => group)).toEqual([id])
    const device = laptop.identity!.device.key
    expect(await ben.revokeDevice(device)).toMatchObject({ groups: 1, unheld: [], unrenewed: [] })
    const { members } = await ada.groups.open(id)
    expect(members.map(({ identity }) => identity)).toContainEqual(dan.owner)
    expect((await shown(ada, id)).map(({ title }) => title)).toEqual(['by his laptop'])
    await expect(
      talks(laptop)
        .put({ title: 'too late' }, { owner: id })
        .then(({ accepted }) => accepted),
    ).rejects.toMatchObject({
      code: 'REVOKED',
    })
  })

  test('in their own shard a person writes for a group to read', async () => {
    await using ada = await personAt(0)
    await using ben = await personAt(1)
    const { id } = await ada.groups.create({ members: [{ identity: ben.owner!, role: 'reader' }], copies: 0 })
    await (
      await talks(ada).put({ title: 'at home', minutes: 'for the club' }, { readers: id })
    ).accepted
    await ben.groups.open(id)
    expect(await shown(ben, ada.owner!)).toEqual([{ title: 'at home', minutes: 'for the club', withheld: 0 }])
  })
})
