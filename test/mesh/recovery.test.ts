import { expect, test } from 'vitest'
import {
  connect,
  findRecoverable,
  idDigits,
  makeIdentity,
  makeRecovery,
  memoryKeyStore,
  microblog,
  nameWritten,
  openSession,
  placeShard,
  publish,
  recoverIdentity,
  replaceRecovery,
} from '../../client/index.ts'
import type { App, Identity, KeyStore, NewRecovery } from '../../client/index.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { portableCrypto } from '../../protocol/crypto/portable.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import { recoveryLookupKey } from '../../protocol/identity/recovery.ts'
import { createMesh, meshNodeId, type Mesh, type MeshNode } from '../support/mesh.ts'
import { meshTransport } from '../support/mesh-transport.ts'
import { Resident } from '../support/resident.ts'

const portable = portableCrypto((length) => new Uint8Array(length))
const node = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

async function open(
  mesh: Mesh,
  at: MeshNode,
  keys: KeyStore,
  identity: Identity,
): Promise<App<typeof microblog>> {
  const { crypto, clock } = mesh
  return mesh.wait(
    connect({ schema: microblog, transport: meshTransport(at), keys, identity, crypto, clock }),
  )
}

/** The node is admitted, hosts the person, and asks for copies: what pairing does. */
async function moveIn(mesh: Mesh, home: MeshNode, identity: Identity): Promise<number> {
  const { node: key, box, possession } = await mesh.wait(home.call('admin.prove', { identity: identity.id }))
  await identity.admit({ key, boxKey: box, possession, role: 'node' })
  const { results } = await mesh.wait(home.call('admin.host.add', { hosts: [{ log: identity.log() }] }))
  expect(results[0]?.code).toBeNull()
  const { crypto, clock } = mesh
  const { id: owner, device } = identity
  const transport = openSession(meshTransport(home), { crypto, clock, owner, device })
  await mesh.wait(publish(transport, identity, [microblog]))
  return (await mesh.wait(placeShard(transport, identity, crypto))).members.length
}

interface Story {
  readonly mesh: Mesh
  readonly recovery: NewRecovery
  readonly identity: Identity
  readonly friend: Resident
}

/** Ada lives at node 0, with copies elsewhere; Ben, whom she follows, at node 1. Then her phone and node 0 burn. */
async function story(): Promise<Story> {
  const street = Array.from({ length: 6 }, (_, index) => meshNodeId(portable, index))
  const mesh = await createMesh(6, {
    // Those who hold her shard offer nothing to strangers, such as the node that she comes to. And nothing is
    // compared by schedule: what comes back comes because she moves in.
    config: (index) => ({
      hosting: { offerTo: index < 6 ? street : 'anyone', reconcileEveryMs: 24 * 3_600_000 },
    }),
  })
  const { crypto } = mesh
  await mesh.clock.advance(3_000) // everybody has greeted everybody
  const friend = new Resident(mesh, microblog)
  await mesh.wait(friend.moveIn(node(mesh, 1)))
  await mesh.wait(friend.place(node(mesh, 1)))
  const recovery = makeRecovery(crypto)
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto, recovery: recovery.keys })
  expect(await moveIn(mesh, node(mesh, 0), identity)).toBe(4)
  const app = await open(mesh, node(mesh, 0), keys, identity)
  await mesh.wait(app.collection('profile').put({ name: 'Ada' }))
  for (const text of ['one', 'two', 'three']) await mesh.wait(app.collection('posts').put({ text }))
  await mesh.wait(app.collection('notes').put({ text: 'for me alone' }))
  const last = await mesh.wait(app.follow(friend.id))
  await mesh.wait(last.durable)
  await mesh.until(
    () => mesh.nodes.filter(({ store }) => store.shards.get(identity.id)?.records === 6).length === 4,
  )
  await mesh.wait(app.close())
  await mesh.close(0, 'crashed')
  return { mesh, recovery, identity, friend }
}

/** As they stand on the paper. */
const digits = (id: Uint8Array): string => toHex(id).slice(0, idDigits)
const words = ({ recovery }: Story): string => recovery.words.join(' ')

test('from the words alone, on an empty phone and an empty node, everything is back', async () => {
  const told = await story()
  const { mesh, identity: before, friend } = told
  await using _ = mesh
  const { crypto } = mesh
  const fresh = await mesh.open(6)
  await mesh.open(7)
  await mesh.open(8)
  await mesh.clock.advance(3_000)
  expect(fresh.store.shards.get(before.id)).toBeUndefined()

  const keys = memoryKeyStore()
  const recovered = await mesh.wait(
    recoverIdentity({
      words: words(told),
      keys,
      crypto,
      transport: meshTransport(fresh),
      identity: digits(before.id),
    }),
  )
  const { identity, others } = recovered
  expect(toHex(identity.id)).toBe(toHex(before.id))
  expect(identity.role).toBe('owner')
  expect(others.map(({ key }) => toHex(key))).toEqual([toHex(before.device.key), node(mesh, 0).id])

  expect(await moveIn(mesh, fresh, identity)).toBeGreaterThanOrEqual(4)
  // The node says itself when it has everything: it does not count its own copy before.
  const isWhole = async (): Promise<boolean> => {
    const { hosted } = await fresh.call('admin.status', {})
    const { copies = 0, replicas = [] } = hosted.find((one) => equalBytes(one.identity, before.id)) ?? {}
    return copies > replicas.filter(({ state }) => state === 'current').length
  }
  expect(await mesh.wait(isWhole())).toBe(false)
  await mesh.until(isWhole)
  expect(fresh.store.shards.get(before.id)?.records).toBe(6)
  const app = await open(mesh, fresh, keys, identity)
  expect((await mesh.wait(app.collection('profile').get()))?.value.name).toBe('Ada')
  const posts = await mesh.wait(app.collection('posts').latest(10))
  expect(posts.map(({ value }) => value.text)).toEqual(['three', 'two', 'one'])
  const notes = await mesh.wait(app.collection('notes').latest(10))
  expect(notes.map(({ value }) => value.text)).toEqual(['for me alone'])

  // Whom she follows is served here again.
  await mesh.wait(friend.put(node(mesh, 1), 'posts', { text: 'welcome back' }))
  await mesh.until(async () => {
    const view = await app.view('home')
    return view.feed?.items.some(({ value }) => 'text' in value && value.text === 'welcome back') === true
  })

  // The lost phone is shut out, what it wrote stays, and what is written now it could not read.
  const { numbers } = await mesh.wait(
    fresh.call('record.numbers', { owner: before.id, device: before.device.key }),
  )
  expect(numbers).toHaveLength(6)
  const device = before.device.key
  const named = await mesh.wait(
    nameWritten({
      transport: { call: (name, request) => fresh.call(name, request) },
      owner: before.id,
      device,
      crypto,
    }),
  )
  expect(named).toMatchObject({ records: 6, unheld: [], isCut: false, numbers: [{ lastNumber: 6 }] })
  await recovered.revoke(device, named.numbers)
  await mesh.wait(fresh.call('identity.append', { identity: identity.id, log: identity.log() }))
  await mesh.wait((await mesh.wait(app.collection('posts').put({ text: 'four' }))).durable)
  const note = await mesh.wait(app.collection('notes').put({ text: 'after' }))
  await mesh.wait(note.durable)
  await mesh.until(
    () => mesh.nodes.filter(({ store }) => store.shards.get(before.id)?.records === 8).length >= 4,
  )
  const shown = await mesh.wait(app.collection('notes').latest(10))
  expect(shown.map(({ value }) => value.text)).toEqual(['after', 'for me alone'])
  expect(shown[0] !== undefined && identity.state.boxes.at(-1)?.epoch).toBe(2)
  expect(identity.state.boxes.at(-1)?.wraps.has(toHex(before.device.key))).toBe(false)
  await mesh.wait(app.close())
})

test('who holds the shard is in the DHT under the recovery key, and after a restart too', async () => {
  const told = await story()
  const { mesh, identity, recovery } = told
  await using _ = mesh
  const key = recoveryLookupKey(mesh.crypto, recovery.keys.key)
  const holders = mesh.nodes.filter(
    ({ index, store }) => index > 0 && store.shards.get(identity.id) !== undefined,
  )
  const outsider = mesh.network.join('ff'.repeat(32))
  const providers = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const { node: id } of outsider.routing.findProviders(key, new AbortController().signal))
      found.push(id)
    return found
  }
  for (const { id } of holders) await mesh.until(async () => (await providers()).includes(id))

  for (const { index } of holders) await mesh.close(index)
  for (const { index } of holders) await mesh.open(index)
  await mesh.clock.advance(3_000)
  const asked = mesh.nodes.find(
    ({ index }) => index > 0 && !holders.some((one) => one.index === index),
  ) as MeshNode
  const { found } = await mesh.wait(asked.call('identity.recover', { recoveryKey: recovery.keys.key }))
  expect(found).toHaveLength(1)
  expect(found[0]?.replicaSet).not.toBeNull()
})

test('words that were replaced find the log still, which says so; the new ones open everything', async () => {
  const told = await story()
  const { mesh, identity: before } = told
  await using _ = mesh
  const { crypto } = mesh
  const [fresh, other] = [await mesh.open(6), await mesh.open(7)]
  await mesh.clock.advance(3_000)
  const recover = (typed: string, at: MeshNode, takeBack = false) =>
    mesh.wait(
      recoverIdentity({
        takeBack,
        words: typed,
        keys: memoryKeyStore(),
        crypto,
        transport: meshTransport(at),
        identity: digits(before.id),
      }),
    )
  const { identity } = await recover(words(told), fresh)
  await moveIn(mesh, fresh, identity)
  const newer = makeRecovery(crypto).words
  const transport = meshTransport(fresh)
  await mesh.wait(replaceRecovery({ identity, transport, words: newer, crypto }))
  await mesh.until(() =>
    mesh.nodes.some(({ index, store }) => {
      const log = store.documents.get('identity', identity.id)
      return index > 0 && index < 6 && log !== undefined && equalBytes(log, identity.log())
    }),
  )
  await mesh.close(fresh.index)
  await expect(recover(words(told), other)).rejects.toMatchObject({
    code: 'REVOKED',
    help: expect.stringContaining('--take-back'),
  })
  const back = await recover(newer.join(' '), other)
  expect(back.identity.role).toBe('owner')
  expect(back.identity.boxes.ofEpoch(1)).toEqual(identity.boxes.ofEpoch(1))

  // It was a thief who had replaced them: the former words take it back, and those that the thief has open nothing.
  const { identity: again } = await recover(words(told), other, true)
  await moveIn(mesh, other, again)
  const { log } = await mesh.wait(other.call('identity.get', { identity: again.id }))
  await again.learn(log)
  expect(again.state.recovery?.key).toEqual(told.recovery.keys.key)
  expect([again.role, again.boxes.ofEpoch(1)]).toEqual(['owner', identity.boxes.ofEpoch(1)])
  await expect(recover(newer.join(' '), other)).rejects.toMatchObject({ code: 'REVOKED' })
  await expect(recover(newer.join(' '), other, true)).rejects.toMatchObject({ code: 'REVOKED' })
})

test('somebody’s invention that names the same words does not pass for the person', async () => {
  const told = await story()
  const { mesh, identity, recovery } = told
  await using _ = mesh
  const { crypto } = mesh
  const impostor = deviceFromSeed(crypto, crypto.random(32))
  const { state } = createIdentity(crypto, impostor, { recovery: recovery.keys })
  const fresh = await mesh.open(6)
  await mesh.wait(fresh.call('admin.host.add', { hosts: [{ log: encodeLog(state.entries) }] }))
  await mesh.clock.advance(3_000)
  const transport = meshTransport(fresh)
  const claimants = await mesh.wait(findRecoverable({ words: words(told), crypto, transport }))
  expect(new Set(claimants.map(({ firstDigits }) => firstDigits))).toEqual(
    new Set([digits(identity.id), digits(state.id)]),
  )
  const recover = (chosen: Uint8Array | string) =>
    recoverIdentity({
      words: words(told),
      keys: memoryKeyStore(),
      crypto,
      transport: meshTransport(fresh),
      identity: chosen,
    })
  await expect(mesh.wait(recover('0'.repeat(12)))).rejects.toMatchObject({
    code: 'NOT_FOUND',
    help: expect.stringContaining('first 12 or more of your id, as they stand on the paper'),
  })
  await expect(mesh.wait(recover(toHex(identity.id).slice(0, 11)))).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  })
  await expect(mesh.wait(recover('0'.repeat(12)))).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(toHex((await mesh.wait(recover(digits(identity.id)))).identity.id)).toBe(toHex(identity.id))
  const { identity: mine } = await mesh.wait(recover(identity.id))
  expect(equalBytes(mine.id, identity.id)).toBe(true)
})

test('other words find nobody, and a device of somebody else is left alone', async () => {
  const told = await story()
  const { mesh, identity } = told
  await using _ = mesh
  const { crypto } = mesh
  const fresh = await mesh.open(6)
  await mesh.clock.advance(3_000)
  const transport = meshTransport(fresh)
  const other = makeRecovery(crypto).words.join(' ')
  await expect(mesh.wait(findRecoverable({ words: other, crypto, transport }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  const many = Array.from({ length: 5 }, () =>
    fresh.call('identity.recover', { recoveryKey: crypto.random(32) }).then(
      () => 'found',
      (error: { code: string }) => error.code,
    ),
  )
  const answers = await mesh.wait(Promise.all(many))
  expect(answers.toSorted()).toEqual(['BUSY', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'])
  const taken = memoryKeyStore()
  const somebody = await makeIdentity({ keys: taken, crypto })
  const log = somebody.log()
  await expect(
    mesh.wait(recoverIdentity({ words: words(told), keys: taken, crypto, transport, identity: identity.id })),
  ).rejects.toMatchObject({ code: 'STALE' })
  expect(await taken.get('identity')).toEqual(log)

  // Interrupted and repeated, it admits the device once.
  const keys = memoryKeyStore()
  const first = await mesh.wait(
    recoverIdentity({ words: words(told), keys, crypto, transport, identity: identity.id }),
  )
  const again = await mesh.wait(
    recoverIdentity({ words: words(told), keys, crypto, transport, identity: identity.id }),
  )
  expect(again.identity.log()).toEqual(first.identity.log())
  expect(toHex(again.identity.id)).toBe(toHex(identity.id))
})
