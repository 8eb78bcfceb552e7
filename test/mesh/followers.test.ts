import { expect, test } from 'vitest'
import type { ReadersPage } from '../../client/readers/follower-secrets.ts'
import { connect, makeIdentity, memoryKeyStore, type Collection } from '../../client/index.ts'
import { microblog } from '../../client/microblog.ts'
import type { Network } from '../../daemon/net/rpc.ts'
import { compareBytes, toHex } from '../../protocol/bytes.ts'
import { limits } from '../../protocol/limits.ts'
import { readersCollection } from '../../protocol/readers/collections.ts'
import { encodeReaders, pageOf } from '../../protocol/readers/page.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { decodeFollowers, encodeFollowersAsk } from '../../protocol/stream/followers.ts'
import { circle, shownOf, type Circle } from '../support/circle.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { meshTransport } from '../support/mesh-transport.ts'
import { Resident } from '../support/resident.ts'

const { signal } = new AbortController()
const app = microblog.id

/** Ada at home, followed by people who live at another node, and one at her own. */
async function followed(elsewhere: number) {
  const networks: Network[] = []
  const mesh = await createMesh(3, {
    onJoin: (network, index) => void (networks[index] = network),
    config: () => ({ hosting: { offerTo: [] } }),
  })
  const [home, other, stranger] = mesh.nodes as unknown as [MeshNode, MeshNode, MeshNode]
  const ada = new Resident(mesh, microblog)
  await mesh.clock.advance(3_000)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ada.place(home, 0))
  const followers = Array.from({ length: elsewhere + 1 }, () => new Resident(mesh, microblog))
  for (const [i, follower] of followers.entries()) {
    const at = i === 0 ? home : other
    await mesh.wait(follower.moveIn(at))
    await mesh.wait(follower.place(at, 0))
    await mesh.wait(follower.put(at, 'follows', { user: ada.id }))
  }
  const caller = { kind: 'session' as const, owner: ada.id, device: ada.person.device.key }
  const list = async (after?: Uint8Array) => {
    const request = { owner: ada.id, app, ...(after && { after }) }
    const { records, more, silent } = await mesh.wait(home.call('follower.list', request, caller))
    const owners = records.map((record) => decodeRecord(mesh.crypto, record).header.owner)
    return { owners, more, silent }
  }
  return { mesh, networks, home, other, stranger, ada, followers, list }
}

test('an author hears who follows them, page by page, from everywhere that they are served', async () => {
  const { mesh, list, followers, other } = await followed(limits.followersMax + 10)
  await using _ = mesh
  const all = async () => {
    const found: Uint8Array[] = []
    let silent = 0
    let pages = 0
    for (let more = true; more; pages++) {
      const page = await list(found.at(-1))
      found.push(...page.owners)
      more = page.more
      silent += page.silent
    }
    return { found, silent, pages }
  }
  await mesh.until(async () => (await all()).found.length === followers.length, 60_000)
  const { found, silent, pages } = await all()
  expect(found.map(toHex)).toEqual(
    followers
      .map(({ id }) => id)
      .toSorted(compareBytes)
      .map(toHex),
  )
  expect([pages, silent]).toEqual([2, 0])

  await mesh.close(other.index)
  expect(await list()).toMatchObject({ owners: [followers[0]?.id], silent: 1, more: false })
})

test('a node that does not bring the posts learns of no follower, nor does who is not the author', async () => {
  const { mesh, networks, list, followers, home, other, ada } = await followed(1)
  await using _ = mesh
  await mesh.until(async () => (await list()).owners.length === 2, 60_000)
  const body = encodeFollowersAsk({ app, author: ada.id, after: undefined })
  const asked = async (from: number) => {
    const network = networks[from] as Network
    const reply = network.rpc.request(other.id, 'stream/followers', body, { signal, timeoutMs: 5_000 })
    return decodeFollowers(await mesh.wait(reply)).records.length
  }
  expect([await asked(0), await asked(2)]).toEqual([1, 0])

  const ben = followers[0] as Resident
  const session = { kind: 'session' as const, owner: ben.id, device: ben.person.device.key }
  const request = { owner: ada.id, app }
  await expect(mesh.wait(home.call('follower.list', request, session))).rejects.toMatchObject({
    code: 'FORBIDDEN',
  })
})

test('followers whose nodes hold the author, and those who have the posts from a copy, are told at every holder', async () => {
  const mesh = await createMesh(4)
  await using _ = mesh
  const [home, ...others] = mesh.nodes as unknown as [MeshNode, MeshNode, MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 2))).toBe(3)
  const isHolder = ({ store }: MeshNode) => store.shards.get(ada.id)?.status === 'hosted'
  await mesh.until(() => others.filter(isHolder).length === 2, 60_000)
  const copies = others.filter(isHolder)
  const outside = others.find((node) => !isHolder(node)) as MeshNode
  const caller = { kind: 'session' as const, owner: ada.id, device: ada.person.device.key }
  const at = async (node: MeshNode) => {
    const { records, silent } = await mesh.wait(node.call('follower.list', { owner: ada.id, app }, caller))
    return { owners: records.map((record) => toHex(decodeRecord(mesh.crypto, record).header.owner)), silent }
  }
  for (const node of [home, ...copies]) expect(await at(node)).toEqual({ owners: [], silent: 0 })

  const followers: string[] = []
  for (const node of [home, ...copies, outside]) {
    const follower = new Resident(mesh, microblog)
    followers.push(follower.name)
    await mesh.wait(follower.moveIn(node))
    await mesh.wait(follower.place(node, 0))
    await mesh.wait(follower.put(node, 'follows', { user: ada.id }))
  }
  const owners = followers.toSorted()
  for (const node of [home, ...copies]) {
    await mesh.until(async () => (await at(node)).owners.length === followers.length, 60_000)
    expect(await at(node)).toEqual({ owners, silent: 0 })
  }

  // The node outside is known to the holder alone that it has the posts from: the others say that they did not hear it.
  await mesh.close(outside.index)
  const heard = owners.filter((name) => name !== followers.at(-1))
  for (const node of [home, ...copies]) expect(await at(node)).toEqual({ owners: heard, silent: 1 })
  const [gone, left] = copies as [MeshNode, MeshNode]
  await mesh.close(gone.index)
  for (const node of [home, left]) {
    const { owners: found, silent } = await at(node)
    expect(found).toHaveLength(2)
    expect(silent).toBeGreaterThan(0)
  }
})

test('whoever stops following is told no more', async () => {
  const { mesh, list, followers, other, ada } = await followed(2)
  await using _ = mesh
  await mesh.until(async () => (await list()).owners.length === 3, 60_000)
  await mesh.wait((followers[1] as Resident).remove(other, 'follows', { user: ada.id }))
  await mesh.until(async () => (await list()).owners.length === 2, 60_000)
  expect((await list()).owners.map(toHex)).not.toContain(followers[1]?.name)
})

test('those who are put out within a day read on, all of them, until the next thing is sealed a day later', async () => {
  const mesh = await createMesh(1, { config: () => ({ hosting: { heartbeatMs: 600_000 } }) })
  await using _ = mesh
  const { crypto, clock } = mesh
  const home = mesh.nodes[0] as MeshNode
  await mesh.wait(home.call('schema.put', { schema: circle.bytes }))
  const everybody = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const keys = memoryKeyStore()
      const identity = await makeIdentity({ keys, crypto })
      await mesh.wait(home.call('admin.host.add', { hosts: [{ log: identity.log() }] }))
      return { keys, identity }
    }),
  )
  const open = () =>
    Promise.all(
      everybody.map((own) =>
        mesh.wait(connect({ schema: circle, transport: meshTransport(home), ...own, crypto, clock })),
      ),
    ) as Promise<[Circle, Circle, Circle]>
  let [ada, ben, cleo] = await open()
  const texts = async (app: Circle) => {
    const shown = await mesh.wait(shownOf(app, ada.owner!))
    return shown.map(({ text }) => text)
  }
  const post = async (text: string): Promise<void> => {
    const write = await mesh.wait(ada.collection('posts').put({ title: 'to all', text }))
    await mesh.wait(write.accepted)
  }
  const leaving = async () => (await mesh.wait(ada.readers.list())).map(({ isLeaving }) => isLeaving)
  for (const { owner } of [ben, cleo]) await mesh.wait(ada.readers.approve(owner!))
  await post('one')
  await mesh.wait(ada.readers.remove(ben.owner!))
  await post('two')
  expect(await texts(ben)).toEqual(['two', 'one'])

  await clock.advance(24 * 3_600_000)
  // Sessions of yesterday are over.
  for (const app of [ada, ben, cleo]) await app.close()
  ;[ada, ben, cleo] = await open()
  await mesh.wait(ada.readers.remove(cleo.owner!))
  // Nothing begins before there is something to seal: both go with one epoch.
  expect(await leaving()).toEqual([true, true])
  await post('three')
  expect(await leaving()).toEqual([])
  for (const app of [ben, cleo]) expect(await texts(app)).toEqual([undefined, 'two', 'one'])
  expect(await texts(ada)).toEqual(['three', 'two', 'one'])
  for (const app of [ada, ben, cleo]) await app.close()
})

test('ten thousand readers are 256 records, whoever is put out; the next one has no room', async () => {
  const mesh = await createMesh(2)
  await using _ = mesh
  const { crypto, clock } = mesh
  const [home, bens] = mesh.nodes as unknown as [MeshNode, MeshNode]
  await clock.advance(3_000)
  await mesh.wait(home.call('schema.put', { schema: circle.bytes }))
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto })
  await mesh.wait(home.call('admin.host.add', { hosts: [{ log: identity.log() }] }))
  const transport = meshTransport(home)
  await using ada = await mesh.wait(connect({ schema: circle, transport, keys, identity, crypto, clock }))
  await mesh.wait(ada.place({ copies: 0 }))
  await mesh.wait(ada.collection('posts').put({ title: 'to all', text: 'the first epoch' }))

  const { boxKey } = identity.device
  const readers = Array.from({ length: limits.readersMax }, () => crypto.random(32))
  const entry = (reader: Uint8Array) => ({
    ...{ reader, boxEpoch: 1, boxKey, epoch: 65_536, wrap: crypto.random(72), isRemoved: false },
  })
  const pages = ada.collection(readersCollection as 'posts') as unknown as Collection<ReadersPage>
  for (const [page, ids] of Map.groupBy(readers, pageOf)) {
    const value = { page, sender: boxKey, readers: encodeReaders(ids.map(entry)) }
    await mesh.wait(pages.put(value))
  }
  await mesh.wait(ada.outbox.flush())
  expect(await mesh.wait(ada.readers.list())).toHaveLength(limits.readersMax)

  const records = () => home.store.shards.get(identity.id)?.records ?? 0
  const before = records()
  await mesh.wait((await mesh.wait(ada.readers.remove(readers[0]!, { urgent: true }))).accepted)
  // All pages anew, and the epoch.
  expect(records() - before).toBe(256 + 1)
  expect(await mesh.wait(ada.readers.list())).toHaveLength(limits.readersMax - 1)
  const stored = await home.store.records.latest(identity.id, circle.id, readersCollection, { limit: 300 })
  expect(stored).toHaveLength(256)
  expect(Math.max(...stored.map(({ bytes }) => bytes.length))).toBeLessThan(16 * 1024)

  // Where a follower is served all of them come along, at once when it begins.
  const ben = new Resident(mesh, circle)
  await mesh.wait(ben.moveIn(bens))
  await mesh.wait(ben.put(bens, 'follows', { user: identity.id }))
  const carried = () => bens.store.records.latest(identity.id, circle.id, readersCollection, { limit: 300 })
  await mesh.until(async () => (await carried()).length === 256, 60_000)

  const more = async () => {
    const next = await makeIdentity({ keys: memoryKeyStore(), crypto })
    await mesh.wait(home.call('admin.host.add', { hosts: [{ log: next.log() }] }))
    return mesh.wait(ada.readers.approve(next.id))
  }
  await more()
  await expect(more()).rejects.toMatchObject({ code: 'BAD_REQUEST' })
})
