/** Owners' devices of one person: what a new one may do, and what one that was a thief's leaves behind. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { newDeviceOf, personAt, shownOf } from '../support/circle.ts'

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
  const since = Date.now() + 5
  while (Date.now() <= since);
  await put('of the thief')
  await put('of the thief again')
  const revoked = await phone.revokeDevice(stolen.identity!.device.key, { since })
  expect(revoked).toMatchObject({ wasRevoked: false, records: 1, left: 2, lastNumber: 1 })
  expect((await shownOf(phone, phone.owner!)).map(({ title }) => title)).toEqual(['honest'])
  expect(await phone.revokeDevice(stolen.identity!.device.key)).toMatchObject({ wasRevoked: true, left: 0 })
})
