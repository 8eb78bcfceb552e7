/** A stolen device, not shut out yet, does what it can to stay: to what the person's private data and list of groups are. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, connectAdmin } from '../../client/index.ts'
import { ownSchema } from '../../client/groups/own-groups.ts'
import { systemRandom } from '../../client/random.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { makeBox, newBoxSecret } from '../../protocol/identity/box.ts'
import { encodeLog, signEntry } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  nextEpoch,
  ownerAdmission,
  provePossession,
} from '../../protocol/identity/make.ts'
import { newDeviceOf, personAt, type Circle } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

const crypto = await loadCrypto({ random: systemRandom })
let daemons: Daemons
const home = () => daemons.all[0]!

beforeAll(async () => {
  daemons = await startDaemons(1)
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

/** Another secret of the person's, for the thief's device alone; without `opens` its link leads nowhere. */
async function takeSecret(thief: Circle): Promise<void> {
  await thief.refreshIdentity()
  const { state, device } = thief.identity!
  const next = newBoxSecret(crypto, state.boxes.length + 1)
  const box = makeBox(crypto, device, [device], next, [], state.boxes.at(-1))
  const header = { identity: state.id, previous: state.next, author: undefined }
  const entry = signEntry(crypto, { ...header, body: { kind: 'epoch', authorHeads: [], box } }, device)
  const admin = connectAdmin({ address: home().local, token: home().adminToken })
  await admin.call('identity.append', { identity: state.id, log: encodeLog([...state.entries, entry]) })
  await admin.close()
}

test('it takes the secret for itself, and is shut out all the same', async () => {
  await using phone = await personAt(home())
  const { id } = await phone.groups.create({ label: 'Club', copies: 0 })
  await using thief = await newDeviceOf(phone, home())
  await using laptop = await newDeviceOf(phone, home())
  await takeSecret(thief)
  await laptop.refreshIdentity()
  // Nothing is sealed under what the thief may know alone, nor under what came before it.
  expect(laptop.identity!.box()).toBeUndefined()
  expect((await laptop.groups.noted()).map(({ group }) => group)).toEqual([id])
  expect(await laptop.revokeDevice(thief.identity!.device.key)).toMatchObject({ wasRevoked: false })
  await phone.refreshIdentity()
  for (const app of [phone, laptop]) {
    expect(app.identity!.box()?.epoch).toBe(3)
    expect((await app.groups.noted()).map(({ group }) => group)).toEqual([id])
  }
})

test('it notes groups that are none: that is told, insisted on, or taken off the list', async () => {
  await using phone = await personAt(home())
  await using thief = await newDeviceOf(phone, home())
  await using own = await connect({ schema: ownSchema, identity: thief.identity!, node: home().local })
  const made = [crypto.random(32), crypto.random(32)]
  for (const group of made) await (await own.collection('groups').put({ group })).accepted
  const device = thief.identity!.device.key
  await expect(phone.revokeDevice(device)).rejects.toMatchObject({
    code: 'LAGGING',
    help: expect.stringContaining('onehop groups forget'),
  })
  expect(phone.identity!.state.devices.size).toBeGreaterThan(1)
  await phone.groups.forget(made[0]!)
  expect((await phone.groups.noted()).map(({ group }) => group)).toEqual([made[1]])
  const revoked = await phone.revokeDevice(device, { leaveGroups: true })
  expect(revoked.unheld).toMatchObject([{ group: made[1], isOwn: true }])
})

test('once it is shut out, what it forks from before is not taken, nor counted against the person', async () => {
  await using phone = await personAt(home())
  await using thief = await newDeviceOf(phone, home())
  await thief.refreshIdentity()
  const { state, device } = thief.identity!
  await phone.revokeDevice(device.key)
  const admin = connectAdmin({ address: home().local, token: home().adminToken })
  for (let i = 0; i < 30; i++) {
    const box = makeBox(crypto, device, [device], newBoxSecret(crypto, 2), [], state.boxes[0])
    const header = { identity: state.id, previous: state.next, author: undefined }
    const entry = signEntry(crypto, { ...header, body: { kind: 'epoch', authorHeads: [], box } }, device)
    const told = { identity: state.id, log: encodeLog([...state.entries, entry]) }
    await expect(admin.call('identity.append', told)).rejects.toMatchObject({ code: 'REVOKED' })
  }
  // Nor by another that it lets in on its fork.
  const helper = deviceFromSeed(crypto, crypto.random(32))
  const possession = provePossession(crypto, state.id, helper)
  const letIn = addDevice(crypto, state, device, ownerAdmission(helper, false), possession, {
    readsPrivate: true,
  })
  const fork = append(crypto, state, [letIn])
  for (let i = 0; i < 30; i++) {
    const told = { identity: state.id, log: encodeLog([...fork.entries, nextEpoch(crypto, fork, helper)]) }
    await expect(admin.call('identity.append', told)).rejects.toMatchObject({ code: 'REVOKED' })
  }
  await admin.close()
  await using laptop = await newDeviceOf(phone, home())
  expect(laptop.identity!.role).toBe('owner')
})
