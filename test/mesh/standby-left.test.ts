/** Those who stood by have left, and others came: the owner's app signs a new list. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, connectAdmin, memoryKeyStore } from '../../client/index.ts'
import type { Admin } from '../../client/index.ts'
import { keyNames } from '../../client/key-store.ts'
import { systemRandom } from '../../client/random.ts'
import { toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import type { ReplicaSet } from '../../protocol/placement/replica-set.ts'
import { circle, personAt } from '../support/circle.ts'
import { bootstrapOf, startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

const crypto = portableCrypto((length) => systemRandom.bytes(length))
const keys = memoryKeyStore()
let first: Daemons
let later: Daemons
let admin: Admin
let owner: Uint8Array

beforeAll(async () => {
  first = await startDaemons(4, ({ hosting, ...config }) => ({
    ...config,
    hosting: { ...hosting, copies: 1, suspectAfterMs: 1_000, replaceAfterMs: 2_000 },
  }))
  const [home] = first.all
  admin = connectAdmin({ address: home!.local, token: home!.adminToken })
  await until(async () => (await admin.status()).peers.length === 3, 20_000)
  await using app = await personAt(home!, { keys })
  await app.place()
  owner = app.owner!
})

afterAll(async () => {
  await admin.close()
  await later?.[Symbol.asyncDispose]()
  await first[Symbol.asyncDispose]()
})

async function known(): Promise<{ readonly set: ReplicaSet; readonly gone: readonly string[] }> {
  const { replicaSet, gone } = await admin.call('replica-set.get', { owner })
  return { set: unpackChain(crypto, replicaSet).newest, gone: gone.map(toHex) }
}

const nodesOf = (seats: ReplicaSet['members']): string[] => seats.map(({ node }) => toHex(node)).toSorted()

async function openApp(): Promise<void> {
  // As if a minute had passed since an app looked.
  await keys.write(new Map([[keyNames.seats, undefined]]))
  const app = await connect({ schema: circle, keys, node: first.all[0]!.local })
  await app.close()
}

test('two stand by, and while they are heard an app signs nothing', async () => {
  const { epoch } = (await known()).set
  await openApp()
  const { set, gone } = await known()
  expect([set.members.length, set.standby.length, set.epoch, gone]).toEqual([2, 2, epoch, []])
})

test('once they are gone it names those who came since', async () => {
  const before = (await known()).set
  const leaving = nodesOf(before.standby)
  for (const [index, { node }] of first.all.entries()) if (leaving.includes(node.id)) await first.stop(index)
  later = await startDaemons(2, ({ network, ...config }, index) => ({
    ...config,
    operator: `newcomer-${index}`,
    listen: { ...config.listen, host: `127.0.${index + 11}.1` },
    network: { ...network, bootstrap: bootstrapOf(first.all[0]!) },
  }))
  const came = later.all.map(({ node }) => node.id).toSorted()
  await until(async () => {
    const peers = (await admin.status()).peers.map(({ node }) => toHex(node))
    return came.every((node) => peers.includes(node))
  }, 20_000)
  await until(async () => (await known()).gone.length === 2, 20_000)
  expect((await known()).gone.toSorted()).toEqual(leaving)
  await openApp()
  await until(async () => (await known()).set.epoch === before.epoch + 1, 20_000)
  const { set, gone } = await known()
  expect(nodesOf(set.members)).toEqual(nodesOf(before.members))
  expect([nodesOf(set.standby), gone]).toEqual([came, []])
  // And that is that.
  await openApp()
  expect((await known()).set.epoch).toBe(before.epoch + 1)
})
