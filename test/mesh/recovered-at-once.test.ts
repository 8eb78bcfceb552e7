/** Recoveries that cross each other, or a home that was not lost: nobody is frozen, and no record is. */
import { expect, test } from 'vitest'
import {
  connect,
  makeIdentity,
  makeRecovery,
  memoryKeyStore,
  microblog,
  nameWritten,
  recoverIdentity,
  replaceRecovery,
} from '../../client/index.ts'
import type { App, Identity, KeyStore } from '../../client/index.ts'
import { bringGroups } from '../../cli/bring-groups.ts'
import { comeHome, keepSeat } from '../../cli/come-home.ts'
import type { Context } from '../../cli/command.ts'
import type { Daemon } from '../../cli/daemon.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { meshTransport } from '../support/mesh-transport.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'

const node = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode
const shortly = 20_000

class Story {
  readonly mesh: Mesh
  readonly context: Context

  constructor(mesh: Mesh) {
    this.mesh = mesh
    this.context = {
      signal: new AbortController().signal,
      crypto: async () => mesh.crypto,
    } as unknown as Context
  }

  /** Homes 0; holders 1 to 3; the others are empty. */
  static async begin(): Promise<Story> {
    const mesh = await createMesh(7, {
      config: (index) => ({
        hosting: { offerTo: [1, 2, 3].includes(index) ? 'anyone' : 'nobody', replaceAfterMs: 72 * 3_600_000 },
      }),
    })
    await mesh.clock.advance(3_000)
    return new Story(mesh)
  }

  daemon(index: number): Daemon {
    const { call, id } = node(this.mesh, index)
    const asAdmin = ((name, request) => call(name, request)) as Daemon['call']
    return { call: asAdmin, runtime: { node: id } } as unknown as Daemon
  }

  async host(index: number, identity: Identity): Promise<void> {
    const home = node(this.mesh, index)
    const { node: key, box, possession } = await home.call('admin.prove', { identity: identity.id })
    const log = await identity.withDevice({ key, boxKey: box, possession, role: 'node' })
    const { results } = await home.call('admin.host.add', { hosts: [{ log }] })
    expect(results[0]?.code).toBeNull()
    await identity.learn(log)
    await home.call('schema.put', { schema: microblog.bytes })
  }

  async open(index: number, keys: KeyStore): Promise<App<typeof microblog>> {
    const { crypto, clock } = this.mesh
    return connect({
      schema: microblog,
      transport: meshTransport(node(this.mesh, index)),
      keys,
      crypto,
      clock,
    })
  }

  async person() {
    const { mesh } = this
    const { words, keys: recovery } = makeRecovery(mesh.crypto)
    const keys = memoryKeyStore()
    const identity = await makeIdentity({ keys, crypto: mesh.crypto, recovery })
    await mesh.wait(this.host(0, identity))
    const app = await mesh.wait(this.open(0, keys))
    await mesh.wait(app.place({ copies: 3 }))
    await mesh.wait((await mesh.wait(app.collection('posts').put({ text: 'before' }))).durable)
    return { words: words.join(' '), recovery, keys, identity, app, id: identity.id }
  }

  async recovered(index: number, { words, id }: { readonly words: string; readonly id: Uint8Array }) {
    const { crypto } = this.mesh
    const keys = memoryKeyStore()
    const run = ({ takeBack = false } = {}) =>
      recoverIdentity({
        takeBack,
        words,
        keys,
        crypto,
        transport: meshTransport(node(this.mesh, index)),
        identity: id,
      })
    const first = await run()
    await this.host(index, first.identity)
    await comeHome(this.context, this.daemon(index), first.identity)
    return { ...first, keys, run, index }
  }

  async isWhole(index: number, id: Uint8Array): Promise<boolean> {
    const { hosted } = await node(this.mesh, index).call('admin.status', {})
    const { copies = 0, replicas = [] } = hosted.find((one) => equalBytes(one.identity, id)) ?? {}
    return copies > replicas.filter(({ state }) => state === 'current').length
  }

  /** As the command does while it waits. */
  async untilWhole(index: number, identity: Identity, owner = identity.id): Promise<void> {
    await this.mesh.until(async () => {
      if (await this.isWhole(index, owner)) return true
      await keepSeat(this.context, this.daemon(index), identity, { owner })
      return false
    }, shortly)
  }

  async shutOut(
    index: number,
    { identity, revoke }: Awaited<ReturnType<Story['recovered']>>,
    device: Uint8Array,
  ) {
    const { call } = node(this.mesh, index)
    const { numbers } = await nameWritten({
      transport: { call: (name, request) => call(name, request) },
      owner: identity.id,
      device,
      crypto: this.mesh.crypto,
    })
    await revoke(device, numbers)
    await call('identity.append', { identity: identity.id, log: identity.log() })
  }

  async texts(index: number, keys: KeyStore, owner?: Uint8Array): Promise<string[]> {
    await using app = await this.open(index, keys)
    const items = await app.collection('posts').latest(20, owner === undefined ? {} : { owner })
    return items.map(({ value }) => value.text ?? '').toSorted()
  }
}

test('the same words at two empty boxes at once: both are the person, and both have everything', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const ada = await mesh.wait(story.person())
  await mesh.close(0, 'crashed')
  const [one, two] = await mesh.wait(Promise.all([story.recovered(4, ada), story.recovered(5, ada)]))
  await story.untilWhole(4, one.identity)
  await story.untilWhole(5, two.identity)
  for (const { index, keys } of [one, two]) {
    const app = await mesh.wait(story.open(index, keys))
    await mesh.wait((await mesh.wait(app.collection('posts').put({ text: `at ${index}` }))).durable)
    await mesh.wait(app.close())
  }
  await mesh.until(async () => {
    const seen = [await story.texts(4, one.keys), await story.texts(5, two.keys)]
    return seen.every((texts) => texts.join() === 'at 4,at 5,before')
  }, shortly)
})

test('both shut out what was lost: who came second is let in again by the same words, and loses nothing', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const ada = await mesh.wait(story.person())
  await mesh.close(0, 'crashed')
  const [one, two] = await mesh.wait(Promise.all([story.recovered(4, ada), story.recovered(5, ada)]))
  await story.untilWhole(4, one.identity)
  await story.untilWhole(5, two.identity)
  const both = [one, two]
  await mesh.wait(Promise.all(both.map((who) => story.shutOut(who.index, who, ada.identity.device.key))))
  for (const { index, keys } of both) {
    const app = await mesh.wait(story.open(index, keys))
    await mesh.wait(app.collection('posts').put({ text: `at ${index}` }))
    await mesh.wait(app.close())
  }
  await mesh.clock.advance(10_000)
  for (const who of both) {
    const { log } = await mesh.wait(node(mesh, who.index).call('identity.get', { identity: ada.id }))
    await who.identity.learn(log)
  }
  // The words did the same on two branches, of which one holds.
  expect(both.filter(({ identity }) => identity.role === 'owner')).toHaveLength(1)
  for (const who of both) {
    const again = await mesh.wait(who.run())
    await mesh.wait(story.host(who.index, again.identity))
    await story.untilWhole(who.index, again.identity)
    expect(again.identity.role).toBe('owner')
  }
  await mesh.until(async () => {
    const seen = [await story.texts(4, one.keys), await story.texts(5, two.keys)]
    return seen.every((texts) => texts.join() === 'at 4,at 5,before')
  }, shortly)
  const revoked = both.map(
    ({ identity }) => identity.state.devices.get(toHex(ada.identity.device.key))?.revoked,
  )
  expect(revoked).not.toContain(undefined)
})

test('a home that was not lost comes back: what only it had is everywhere, and its phone goes on', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const ada = await mesh.wait(story.person())
  // Written while the house was cut off.
  const home = node(mesh, 0).id
  mesh.holdBack((from, to) => from === home || to === home)
  await mesh.wait(ada.app.collection('posts').put({ text: 'at home alone' }))
  await mesh.close(0)
  mesh.holdBack(undefined)
  const one = await mesh.wait(story.recovered(4, ada))
  await story.untilWhole(4, one.identity)
  expect(await mesh.wait(story.texts(4, one.keys))).toEqual(['before'])
  await mesh.open(0)
  const everything = ['at home alone', 'before']
  await mesh.until(async () => (await story.texts(4, one.keys)).join() === everything.join(), shortly)
  const phone = await mesh.wait(story.open(0, ada.keys))
  await mesh.wait(phone.collection('posts').put({ text: 'by phone' }))
  await mesh.wait(phone.close())
  everything.push('by phone')
  await mesh.until(async () => (await story.texts(4, one.keys)).join() === everything.join(), shortly)
  const app = await mesh.wait(story.open(4, one.keys))
  await mesh.wait(app.collection('posts').put({ text: 'from here' }))
  await mesh.wait(app.close())
  everything.push('from here')
  // Its old home has no seat any more; an app goes on to who has.
  await mesh.until(async () => (await story.texts(4, ada.keys)).join() === everything.join(), shortly)
})

test('a home that was shut out comes back: it and its phone stay out, and nobody else is harmed', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const ada = await mesh.wait(story.person())
  await mesh.close(0)
  const one = await mesh.wait(story.recovered(4, ada))
  await story.untilWhole(4, one.identity)
  for (const { key } of one.others) await mesh.wait(story.shutOut(4, one, key))
  const app = await mesh.wait(story.open(4, one.keys))
  await mesh.wait(app.collection('posts').put({ text: 'from here' }))
  await mesh.open(0)
  const phone = await mesh.wait(story.open(0, ada.keys))
  await mesh.wait(
    phone
      .collection('posts')
      .put({ text: 'by phone' })
      .catch(() => undefined),
  )
  await mesh.clock.advance(shortly)
  await mesh.wait(app.collection('posts').put({ text: 'still here' }))
  await mesh.wait(app.close())
  await mesh.wait(phone.close())
  expect(await mesh.wait(story.texts(4, one.keys))).toEqual(['before', 'from here', 'still here'])
  const { log } = await mesh.wait(node(mesh, 4).call('identity.get', { identity: ada.id }))
  await one.identity.learn(log)
  expect(one.identity.role).toBe('owner')
  for (const { key } of one.others) expect(one.identity.state.devices.get(toHex(key))?.revoked).toBeDefined()
})

test('two owners of a group that lived at one lost box bring it at once: it lives, and has all that was written', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const [ada, ben] = [await mesh.wait(story.person()), await mesh.wait(story.person())]
  const { id: group } = await mesh.wait(
    ada.app.groups.create({ label: 'Lab', copies: 3, members: [{ identity: ben.id, role: 'owner' }] }),
  )
  await mesh.wait(ben.app.groups.open(group))
  for (const { app } of [ada, ben]) {
    const put = await mesh.wait(app.collection('posts').put({ text: 'in the lab' }, { owner: group }))
    await mesh.wait(put.durable)
  }
  await mesh.clock.advance(5_000)
  const gone = new Set([node(mesh, 0).id])
  await mesh.close(0, 'crashed')
  const both = await mesh.wait(Promise.all([story.recovered(4, ada), story.recovered(5, ben)]))
  for (const { index, identity } of both) await story.untilWhole(index, identity)
  const bring = async ({ index, identity, keys }: (typeof both)[number]) => {
    await using app = await story.open(index, keys)
    const noted = await app.groups.noted()
    return await bringGroups(story.context, story.daemon(index), identity, noted, gone)
  }
  const brought = await mesh.wait(Promise.all(both.map(bring)))
  expect(brought.map(({ failed }) => failed)).toEqual([[], []])
  for (const { index, identity } of both) await story.untilWhole(index, identity, group)
  for (const { index, keys } of both) {
    const app = await mesh.wait(story.open(index, keys))
    await mesh.wait(app.groups.open(group))
    await mesh.wait(app.collection('posts').put({ text: `at ${index}` }, { owner: group }))
    await mesh.wait(app.close())
  }
  await mesh.until(async () => {
    const seen = [await story.texts(4, both[0].keys, group), await story.texts(5, both[1].keys, group)]
    return seen.every((texts) => texts.join() === 'at 4,at 5,in the lab,in the lab')
  }, shortly)
})

test('a device that was shut out goes on under another key by the words, as a new one does', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const ada = await mesh.wait(story.person())
  const one = await mesh.wait(story.recovered(4, ada))
  await story.untilWhole(4, one.identity)
  const two = await mesh.wait(story.recovered(5, ada))
  await story.untilWhole(5, two.identity)
  await mesh.wait(story.shutOut(5, two, one.identity.device.key))
  await mesh.clock.advance(5_000)
  const again = await mesh.wait(one.run())
  expect(again.renewed).toEqual({ records: 0, left: 0 })
  expect(again.identity.role).toBe('owner')
  expect(toHex(again.identity.device.key)).not.toBe(toHex(one.identity.device.key))
  const three = await mesh.wait(story.recovered(4, ada))
  expect(three.identity.role).toBe('owner')
})

test('words that a thief replaced are taken back at a device that one still has', async () => {
  const story = await Story.begin()
  const { mesh } = story
  await using _ = mesh
  const ada = await mesh.wait(story.person())
  const one = await mesh.wait(story.recovered(4, ada))
  await story.untilWhole(4, one.identity)
  // A thief's phone hears of it first: what it did beside the words would come to nothing by itself.
  await ada.identity.learn(one.identity.log())
  const thiefs = makeRecovery(mesh.crypto).words
  const transport = meshTransport(node(mesh, 4))
  await mesh.wait(replaceRecovery({ identity: ada.identity, transport, words: thiefs, crypto: mesh.crypto }))
  const { log } = await mesh.wait(node(mesh, 4).call('identity.get', { identity: ada.id }))
  await one.identity.learn(log)
  await expect(mesh.wait(one.run())).rejects.toMatchObject({ code: 'REVOKED' })
  const back = await mesh.wait(one.run({ takeBack: true }))
  await mesh.wait(node(mesh, 4).call('identity.append', { identity: ada.id, log: back.identity.log() }))
  const after = await mesh.wait(node(mesh, 4).call('identity.get', { identity: ada.id }))
  await back.identity.learn(after.log)
  expect(back.identity.state.recovery).toEqual(ada.recovery)
  expect(back.identity.role).toBe('owner')
  await mesh.clock.advance(5_000)
  await expect(mesh.wait(story.recovered(5, { ...ada, words: thiefs.join(' ') }))).rejects.toMatchObject({
    code: 'REVOKED',
  })
})
