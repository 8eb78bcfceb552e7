/** Recovery words on the victim's own device, with the keys that it has: still admitted there, or shut out. */
import { expect, test } from 'vitest'
import {
  connect,
  makeIdentity,
  makeRecovery,
  memoryKeyStore,
  microblog,
  openSession,
  placeShard,
  recoverIdentity,
  replaceRecovery,
} from '../../client/index.ts'
import type { Identity, KeyStore, Recovered } from '../../client/index.ts'
import { revoke } from '../../client/identity/revocation.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { meshTransport } from '../support/mesh-transport.ts'

/** Ada's laptop, and another device of hers that somebody else has now, both at one node. */
async function theft() {
  const mesh = await createMesh(1)
  const { crypto } = mesh
  const home = mesh.nodes[0] as MeshNode
  const transport = meshTransport(home)
  const recovery = makeRecovery(crypto)
  const keys = memoryKeyStore()
  const laptop = await makeIdentity({ keys, crypto, recovery: recovery.keys })
  const { node: key, box, possession } = await mesh.wait(home.call('admin.prove', { identity: laptop.id }))
  await laptop.admit({ key, boxKey: box, possession, role: 'node' })
  await mesh.wait(home.call('admin.host.add', { hosts: [{ log: laptop.log() }] }))
  await mesh.wait(home.call('schema.put', { schema: microblog.bytes }))

  const words = recovery.words.join(' ')
  const recover = (typed: string, own: KeyStore, takeBack = false): Promise<Recovered> =>
    mesh.wait(recoverIdentity({ words: typed, keys: own, crypto, transport, takeBack, identity: laptop.id }))
  const tell = async (identity: Identity): Promise<void> => {
    await mesh.wait(home.call('identity.append', { identity: identity.id, log: identity.log() }))
  }
  const hear = async (identity: Identity): Promise<void> => {
    const { log } = await mesh.wait(home.call('identity.get', { identity: identity.id }))
    await identity.learn(log)
  }
  const { identity: thief } = await recover(words, memoryKeyStore())
  await tell(thief)
  await hear(laptop)
  const shutOut = async (by: Identity, device: Uint8Array): Promise<void> => {
    await mesh.wait(
      revoke({ call: (name, request) => home.call(name, request), crypto, identity: by, device }),
    )
  }
  const theirs = makeRecovery(crypto).words
  const replace = async (by: Identity): Promise<void> => {
    await mesh.wait(replaceRecovery({ identity: by, transport, words: theirs, crypto }))
  }
  return { mesh, home, recovery, keys, laptop, thief, words, theirs, recover, tell, hear, shutOut, replace }
}

type Theft = Awaited<ReturnType<typeof theft>>

/** The words are in force at the node, the device is an owner that reads and writes, and the thief can be shut out. */
async function isBack(
  { mesh, home, recovery, keys, thief, theirs, recover, tell, hear }: Theft,
  back: Recovered,
) {
  const { identity } = back
  await tell(identity)
  await hear(identity)
  expect(identity.state.recovery?.key).toEqual(recovery.keys.key)
  expect(identity.role).toBe('owner')
  expect(identity.box()?.secret).toEqual(identity.boxes.newest()?.secret)
  await expect(recover(theirs.join(' '), memoryKeyStore())).rejects.toMatchObject({ code: 'REVOKED' })
  const { crypto, clock } = mesh
  const app = await mesh.wait(
    connect({ schema: microblog, transport: meshTransport(home), keys, identity, crypto, clock }),
  )
  await mesh.wait((await mesh.wait(app.collection('notes').put({ text: 'mine again' }))).accepted)
  await back.revoke(thief.device.key, [])
  await tell(identity)
  await hear(thief)
  expect([identity.role, thief.role]).toEqual(['owner', undefined])
  await mesh.wait(app.close())
}

test('words that a thief replaced take that back on the laptop that is still admitted', async () => {
  const told = await theft()
  await using _ = told.mesh
  const { keys, laptop, thief, words, recover, hear, replace } = told
  await replace(thief)
  await hear(laptop)
  await expect(recover(words, keys)).rejects.toMatchObject({
    code: 'REVOKED',
    help: expect.stringContaining('--take-back'),
  })
  const back = await recover(words, keys, true)
  expect(back.renewed).toBeUndefined()
  expect(toHex(back.identity.device.key)).toBe(toHex(laptop.device.key))
  // Interrupted here and repeated, there is nothing left to say.
  const again = await recover(words, keys, true)
  expect(again.identity.log()).toEqual(back.identity.log())
  await isBack(told, again)
  // Taken back once, what is in force needs no more of that.
  expect((await recover(words, keys)).identity.role).toBe('owner')
})

test('they take back the revocation that came after, and the laptop goes on under its key', async () => {
  const told = await theft()
  await using _ = told.mesh
  const { keys, laptop, thief, words, recover, hear, replace, shutOut } = told
  await replace(thief)
  await shutOut(thief, laptop.device.key)
  await hear(laptop)
  expect(laptop.role).toBeUndefined()
  const back = await recover(words, keys, true)
  expect(back.renewed).toBeUndefined()
  expect(toHex(back.identity.device.key)).toBe(toHex(laptop.device.key))
  await isBack(told, back)
})

test('where the laptop was shut out before, it comes back under another key', async () => {
  const told = await theft()
  await using _ = told.mesh
  const { keys, laptop, thief, words, recover, hear, replace, shutOut } = told
  await shutOut(thief, laptop.device.key)
  await replace(thief)
  await hear(laptop)
  const back = await recover(words, keys, true)
  expect(back.renewed).toEqual({ records: 0, left: 0 })
  expect(toHex(back.identity.device.key)).not.toBe(toHex(laptop.device.key))
  await isBack(told, back)
})

test('a laptop that was shut out comes back under another key, with what waited there', async () => {
  const told = await theft()
  await using _ = told.mesh
  const { mesh, home, keys, laptop, thief, words, recover, tell, hear, shutOut } = told
  const { crypto, clock } = mesh
  const open = async (identity: Identity, transport = meshTransport(home)) =>
    mesh.wait(connect({ schema: microblog, transport, keys, identity, crypto, clock }))
  const before = await open(laptop)
  await mesh.wait((await mesh.wait(before.collection('posts').put({ text: 'there' }))).accepted)
  await mesh.wait(before.close())
  const train = meshTransport(home, ({ operation }) => {
    if (operation === 'record.put') throw new OnehopError('UNREACHABLE', 'on the train')
  })
  const away = await open(laptop, train)
  await mesh.wait(away.collection('posts').put({ text: 'on the train' }))
  await mesh.wait(away.collection('notes').put({ text: 'for me alone' }))
  await mesh.wait(away.close())
  const waiting = await keys.list('outbox/')
  expect(waiting).toHaveLength(2)

  await shutOut(thief, laptop.device.key)
  await hear(laptop)
  const back = await recover(words, keys)
  const { identity } = back
  expect(back.renewed).toEqual({ records: 2, left: 0 })
  expect(identity.role).toBe('owner')
  expect(toHex(identity.device.key)).not.toBe(toHex(laptop.device.key))
  expect(await keys.get('next-device')).toBeUndefined()
  await tell(identity)
  const app = await open(identity)
  await mesh.wait(app.outbox.flush())
  const posts = await mesh.wait(app.collection('posts').latest(10))
  expect(posts.map(({ value }) => value.text)).toEqual(['on the train', 'there'])
  const notes = await mesh.wait(app.collection('notes').latest(10))
  expect(notes.map(({ value }) => value.text)).toEqual(['for me alone'])
  await mesh.wait(app.close())
  // Once more, it is a device as any other.
  const again = await recover(words, keys)
  expect([again.renewed, toHex(again.identity.device.key)]).toEqual([undefined, toHex(identity.device.key)])
})

test('a device that is shut out shuts nobody out, and is told so', async () => {
  const told = await theft()
  await using _ = told.mesh
  const { laptop, thief, hear, shutOut } = told
  await shutOut(thief, laptop.device.key)
  await hear(laptop)
  await expect(shutOut(laptop, thief.device.key)).rejects.toMatchObject({
    code: 'REVOKED',
    help: expect.stringContaining('onehop recover'),
  })
})

test('a node whose key was revoked is no home again, and says so in words that help', async () => {
  const told = await theft()
  await using _ = told.mesh
  const { mesh, home, laptop, hear, shutOut } = told
  const status = () => mesh.wait(home.call('admin.status', {}))
  expect((await status()).problems.map(({ code }) => code)).not.toContain('SHUT_OUT')
  await shutOut(laptop, fromHex(home.id) as Uint8Array)
  await hear(laptop)
  await mesh.clock.advance(1_000)
  const { healthy, problems } = await status()
  expect([healthy, problems.find(({ code }) => code === 'SHUT_OUT')]).toEqual([
    true,
    expect.objectContaining({ help: expect.stringContaining('another --state folder') }),
  ])
  const { crypto, clock } = mesh
  const session = openSession(meshTransport(home), {
    ...{ crypto, clock, owner: laptop.id, device: laptop.device },
  })
  const except = [fromHex(home.id) as Uint8Array]
  await expect(mesh.wait(placeShard(session, laptop, crypto, { except }))).rejects.toMatchObject({
    code: 'REVOKED',
    help: expect.stringContaining('another --state folder'),
  })
})
