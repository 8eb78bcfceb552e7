/** A home that was away for so long that another took its seat: once it is back the owner's app has it seated again by itself. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, connectAdmin, memoryKeyStore } from '../../client/index.ts'
import type { Admin } from '../../client/index.ts'
import { keyNames } from '../../client/key-store.ts'
import { systemRandom } from '../../client/random.ts'
import { startDaemon, type Daemon } from '../../daemon/start.ts'
import { toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import type { ReplicaSet } from '../../protocol/placement/replica-set.ts'
import { circle, personAt } from '../support/circle.ts'
import { bootstrapOf, startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

const crypto = portableCrypto((length) => systemRandom.bytes(length))
const keys = memoryKeyStore()
let daemons: Daemons
/** Another holder. */
let second: Daemon
let back: Daemon | undefined
let owner: Uint8Array

beforeAll(async () => {
  daemons = await startDaemons(5, ({ hosting, ...config }, index) => ({
    ...config,
    ...(index === 0 && { store: 'level' as const }),
    hosting: { ...hosting, copies: 2, suspectAfterMs: 1_000, replaceAfterMs: 3_000 },
  }))
  const [home] = daemons.all
  await asAdmin(home!, (admin) => until(async () => (await admin.status()).peers.length === 4, 20_000))
  await using app = await personAt(home!, { keys })
  await app.place()
  owner = app.owner!
  await app.collection('posts').put({ title: 'from home' })
  const seated = nodesOf(await setAt(home!))
  second = daemons.all.slice(1).find(({ node }) => seated.includes(node.id)) as Daemon
})

afterAll(async () => {
  await back?.[Symbol.asyncDispose]()
  await daemons[Symbol.asyncDispose]()
})

async function asAdmin<T>({ local, adminToken }: Daemon, use: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = connectAdmin({ address: local, token: adminToken })
  try {
    return await use(admin)
  } finally {
    await admin.close()
  }
}

/** As this daemon knows it. */
async function setAt(daemon: Daemon): Promise<ReplicaSet> {
  const { replicaSet } = await asAdmin(daemon, (admin) => admin.call('replica-set.get', { owner }))
  return unpackChain(crypto, replicaSet).newest
}

const nodesOf = ({ members }: ReplicaSet): string[] => members.map(({ node }) => toHex(node)).toSorted()

async function openApp(at: Daemon): Promise<void> {
  // As if a minute had passed since an app looked.
  await keys.write(new Map([[keyNames.seats, undefined]]))
  await using app = await connect({ schema: circle, keys, node: at.local })
  await app.groups.list()
}

test('another has its seat, and while it is away no app can name a home', async () => {
  const [home] = daemons.all as [Daemon]
  const { id } = home.node
  expect(nodesOf(await setAt(home))).toContain(id)
  await daemons.stop(0)
  await until(async () => !nodesOf(await setAt(second)).includes(id), 20_000)
  const set = await setAt(second)
  expect([set.members.length, set.standby.length]).toEqual([3, 1])
  expect(set.members.some(({ role }) => role === 'home')).toBe(false)
  await expect(openApp(second)).rejects.toMatchObject({
    code: 'NOT_HOSTED',
    message: expect.stringMatching(/^no node is the home any more/),
  })
  expect((await setAt(second)).epoch).toBe(set.epoch)
})

test('once it is back and an app connects it is the home again, and nobody lost a seat', async () => {
  const before = await setAt(second)
  const [config] = daemons.configs
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const network = { ...config!.network, bootstrap: bootstrapOf(second) }
  back = await startDaemon({ config: { ...config!, network }, version: 'test', log })
  const home = back
  // It hears first that it has lost its seat.
  await until(async () => !nodesOf(await setAt(home)).includes(home.node.id), 20_000)
  await until(async () => {
    await openApp(home)
    return (await setAt(second)).epoch === before.epoch + 1
  }, 20_000)
  const set = await setAt(second)
  expect(toHex(set.members[0]!.node)).toBe(home.node.id)
  expect(set.members[0]!.role).toBe('home')
  expect(nodesOf(set)).toEqual([...nodesOf(before), home.node.id].toSorted())
  // And that is that.
  await openApp(home)
  expect((await setAt(second)).epoch).toBe(before.epoch + 1)
  // It has what it had, and what it missed: it counts as a copy again.
  await until(
    async () => (await asAdmin(home, (admin) => admin.status())).hosted[0]?.copies === set.members.length,
    20_000,
  )
})
