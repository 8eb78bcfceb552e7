/** Whoever was made before there were neighbours gets their copies once there are some. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, connectAdmin, memoryKeyStore, openIdentity, toHex } from '../../client/index.ts'
import type { Admin } from '../../client/index.ts'
import { keyNames } from '../../client/key-store.ts'
import { fillShard, ownedGroups } from '../../client/seats.ts'
import { equalBytes } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { systemRandom } from '../../client/random.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { circle, personAt } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

const crypto = portableCrypto((length) => systemRandom.bytes(length))
let alone: Daemons
let neighbours: Daemons
let admin: Admin

/** Both of them made while nobody offers space. */
const ada = memoryKeyStore()
const ben = memoryKeyStore()
let club: Uint8Array
let bens: Uint8Array

beforeAll(async () => {
  alone = await startDaemons(1, (config) => ({ ...config, hosting: { ...config.hosting, copies: 2 } }))
  const [home] = alone.all
  admin = connectAdmin({ address: home!.local, token: home!.adminToken })
  for (const keys of [ada, ben]) {
    await using app = await personAt(home!, { keys })
    await app.place()
    const { id } = await app.groups.create({ label: 'Club' })
    if (keys === ada) club = id
    else bens = id
    await app.close()
    // As if a minute had passed since this app looked.
    await keys.write(new Map([[keyNames.seats, undefined]]))
  }
})

afterAll(async () => {
  await admin.close()
  await neighbours?.[Symbol.asyncDispose]()
  await alone[Symbol.asyncDispose]()
})

const problem = async () => (await admin.status()).problems.find(({ code }) => code === 'FEW_COPIES')
const copiesOf = async (id: Uint8Array) =>
  (await admin.status()).hosted.find(({ identity }) => equalBytes(identity, id))?.copies

test('the node says that they are few, and how there will be more', async () => {
  expect(await problem()).toMatchObject({
    message: '4 of 4 people and groups who live here have fewer copies than they asked for.',
    help: expect.stringMatching(/^No other neighbour .* onehop place asks it/),
  })
  const [home] = alone.all
  neighbours = await startDaemons(2, (config, index) => ({
    ...config,
    operator: `neighbour-${index}`,
    listen: { ...config.listen, host: `127.0.${index + 11}.1` },
    network: {
      ...config.network,
      bootstrap: home!.addresses
        .filter((address) => /\/tcp\/\d+$/.test(address))
        .map((address) => fullAddress(home!.node.id, address)),
    },
  }))
  await until(async () => (await problem())?.help.startsWith('2 connected neighbours offer space'), 20_000)
})

test("an app of an owner's device has them asked when it connects, for groups as well", async () => {
  await using app = await connect({ schema: circle, keys: ada, node: alone.all[0]!.local })
  expect(await copiesOf(app.owner!)).toBe(1)
  await until(async () => (await copiesOf(app.owner!)) === 3 && (await copiesOf(club)) === 3, 20_000)
  // Not those of others, who sign for themselves.
  expect(await copiesOf(bens)).toBe(1)
})

test('so does a command that is over at once; and one that is told to', async () => {
  const app = await connect({ schema: circle, keys: ben, node: alone.all[0]!.local })
  await app.close()
  await until(async () => (await copiesOf(app.owner!)) === 3, 20_000)
  const identity = (await openIdentity({ keys: ada, crypto }))!
  const parts = { call: admin.call, identity, crypto }
  expect((await ownedGroups(parts)).map(({ group }) => toHex(group))).toEqual([toHex(club)])
  expect(await fillShard(parts, club)).toEqual({ members: 3, wanted: 3 })
  await until(async () => (await problem()) === undefined, 20_000)
})
