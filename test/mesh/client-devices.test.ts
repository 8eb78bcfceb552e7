/** Owners' devices of one person: what a new one may do, and what one that was a thief's leaves behind. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connectAdmin } from '../../client/index.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { revokeDevice } from '../../protocol/identity/make.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { systemRandom } from '../../client/random.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { newDeviceOf, personAt, shownOf, type Circle } from '../support/circle.ts'

const crypto = await loadCrypto({ random: systemRandom })

let daemons: Daemons
const home = () => daemons.all[0]!

beforeAll(async () => {
  daemons = await startDaemons(1)
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

test('a new one shuts nobody out for a day, unless an older one vouches for it', async () => {
  await using phone = await personAt(home())
  await using tablet = await newDeviceOf(phone, home(), { role: 'owner', readsPrivate: true })
  const [phoneKey, tabletKey] = [phone.identity!.device.key, tablet.identity!.device.key]
  await expect(tablet.revokeDevice(phoneKey)).rejects.toMatchObject({
    code: 'FORBIDDEN',
    message: expect.stringContaining('for 24 h'),
  })
  // What came to nothing there is in no way of what comes.
  await using laptop = await newDeviceOf(phone, home(), { role: 'owner', readsPrivate: true })
  await expect(laptop.vouchForDevice(tabletKey)).rejects.toMatchObject({ code: 'FORBIDDEN' })
  await phone.vouchForDevice(tabletKey)
  await phone.vouchForDevice(tabletKey)
  await expect(phone.vouchForDevice('00'.repeat(32))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await tablet.revokeDevice(laptop.identity!.device.key)).toMatchObject({ wasRevoked: false })
  await phone.refreshIdentity()
  const owners = [...phone.identity!.state.devices.values()].filter(({ role }) => role === 'owner')
  expect(owners.map(({ probation }) => probation)).toEqual([false, false, true])
  // The refused revocation was not told with the later one.
  expect(owners.map(({ revoked }) => revoked !== undefined)).toEqual([false, false, true])
})

test('what one wrote is taken out as of a time, in the order of its numbers whatever their dates', async () => {
  await using phone = await personAt(home())
  await using stolen = await newDeviceOf(phone, home())
  const put = async (title: string) => {
    await (
      await stolen.collection('posts').put({ title })
    ).accepted
  }
  await put('honest')
  // Records are dated by the clock of the node, which is known within some milliseconds.
  const since = Date.now() + 250
  while (Date.now() <= since);
  await put('of the thief')
  await put('of the thief again')
  const revoked = await phone.revokeDevice(stolen.identity!.device.key, { since })
  expect(revoked).toMatchObject({ wasRevoked: false, records: 1, left: 2, lastNumber: 1 })
  expect((await shownOf(phone, phone.owner!)).map(({ title }) => title)).toEqual(['honest'])
  expect(await phone.revokeDevice(stolen.identity!.device.key)).toMatchObject({ wasRevoked: true, left: 0 })
})

test('what was sealed under a secret that lost is read by devices that come later', async () => {
  await using phone = await personAt(home())
  await using laptop = await newDeviceOf(phone, home())
  await using tablet = await newDeviceOf(phone, home())
  await using watch = await newDeviceOf(phone, home())
  const put = async (app: Circle, text: string) => {
    await (
      await app.collection('posts').put({ title: 'note', text })
    ).accepted
  }
  await laptop.refreshIdentity()
  const [own, other] = [laptop.identity!, watch.identity!.device.key]
  // The laptop shuts the watch out while it reaches nobody, the phone the tablet.
  const { entry } = revokeDevice(crypto, own.state, own.device, other, [])
  await own.learn(encodeLog([...own.state.entries, entry]))
  await put(laptop, 'under the secret that loses')
  await phone.revokeDevice(tablet.identity!.device.key)
  await put(phone, 'under the one that holds')
  const admin = connectAdmin({ address: home().local, token: home().adminToken })
  await admin.call('identity.append', { identity: own.id, log: own.log() })
  await admin.close()
  await phone.refreshIdentity()
  expect(phone.identity!.state.boxes.map(({ epoch }) => epoch)).toEqual([1, 2])

  const all = ['under the one that holds', 'under the secret that loses']
  await laptop.refreshIdentity()
  expect(own.state.boxes.map(({ epoch }) => epoch)).toEqual([1, 2, 3])
  expect((await shownOf(laptop, own.id)).map(({ text }) => text)).toEqual(all)
  await phone.refreshIdentity()
  await using camera = await newDeviceOf(phone, home())
  expect((await shownOf(camera, own.id)).map(({ text }) => text)).toEqual(all)
  // Once is enough.
  await laptop.refreshIdentity()
  await phone.refreshIdentity()
  expect(phone.identity!.state.boxes.length).toBe(3)
})
