/**
 * How long a revocation takes to hold everywhere, in virtual time: one push. A log that grew is sent at once, whatever else
 * the node does (daemon/placement/distribution.ts: no pause before the first try, a second after one that failed, and one
 * message at a time to each node), so that a push takes the way to the other node and no timer. What is asserted here is
 * looked at while time stands still.
 */
import { expect, test } from 'vitest'
import { connect, makeIdentity, memoryKeyStore, microblog, streamTransport } from '../../client/index.ts'
import type { App, Transport } from '../../client/index.ts'
import { openSession } from '../../client/session.ts'
import { apiProtocol } from '../../daemon/api/stream.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decodeLog, encodeLog } from '../../protocol/identity/entry.ts'
import { deviceBoxes, memberBoxes } from '../../protocol/identity/box-secrets.ts'
import { replay } from '../../protocol/identity/log.ts'
import { deviceFromSeed, provePossession } from '../../protocol/identity/make.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { decodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { encodePush } from '../../protocol/replication/messages.ts'
import { openSection } from '../../protocol/record/section.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { meshTransport } from '../support/mesh-transport.ts'
import { Resident } from '../support/resident.ts'
import { Theft } from '../support/theft.ts'

/** From one node to another; an answer takes as long. */
const wayMs = 40
const pushMs = wayMs

/** What comes of it while no time passes. */
async function now<T>({ clock }: Mesh, promise: Promise<T>): Promise<T> {
  let isDone = false
  const mark = (): void => void (isDone = true)
  promise.then(mark, mark)
  for (let turns = 0; turns < 1_000 && !isDone; turns++) await clock.settle()
  if (!isDone) throw new Error('it waits for time to pass')
  return promise
}

/** Ada's phone (an app over the API of her home) and her laptop; three more holders; Ben, who follows her from a node of his own. */
async function begin() {
  const mesh = await createMesh(6, {
    link: { delayMs: wayMs },
    // Nothing else brings it: what is compared on a schedule is not compared.
    config: () => ({ hosting: { reconcileEveryMs: 3_600_000 } }),
  })
  const { clock, crypto, nodes } = mesh
  const home = nodes[0] as MeshNode
  const keys = memoryKeyStore()
  const ada = await makeIdentity({ keys, crypto })
  const laptopKeys = deviceFromSeed(crypto, crypto.random(32))
  const { key, boxKey } = laptopKeys
  const possession = provePossession(crypto, ada.id, laptopKeys)
  await ada.admit({ key, boxKey, possession, role: 'owner', readsPrivate: true, probation: false })
  const { device, state } = ada
  const phone = new Resident(mesh, microblog, { device, state })
  const laptop = new Resident(mesh, microblog, { device: laptopKeys, state })
  await clock.advance(3_000)
  await mesh.wait(phone.moveIn(home))
  await mesh.wait(phone.place(home))
  const app = await mesh.wait(
    connect({ schema: microblog, transport: meshTransport(home), keys, crypto, clock }),
  )
  const holdersOf = async (owner: Uint8Array): Promise<MeshNode[]> => {
    const { replicaSet } = await mesh.wait(home.call('replica-set.get', { owner }))
    const seats = unpackChain(crypto, replicaSet).newest.members.map(({ node }) => toHex(node))
    return seats.map((id) => nodes.find((node) => node.id === id) as MeshNode)
  }
  const club = await mesh.wait(app.groups.create({ copies: 2 }))
  const holders = await holdersOf(ada.id)
  const bens = nodes.find((node) => !holders.includes(node)) as MeshNode
  const ben = new Resident(mesh, microblog)
  await mesh.wait(ben.moveIn(bens))
  await mesh.wait(ben.place(bens, 0))
  await mesh.wait(ben.put(bens, 'follows', { user: ada.id }))
  return {
    ...{ mesh, home, app, ada, laptop, laptopKeys, club: club.id, ben, bens, holders },
    clubs: await holdersOf(club.id),
  }
}

type Story = Awaited<ReturnType<typeof begin>>

async function written({ mesh, app }: Story, collection: 'profile' | 'posts', value: object): Promise<void> {
  const posts = (app as App<typeof microblog>).collection(collection)
  const { accepted } = await mesh.wait(posts.put(value as never))
  await mesh.wait(accepted)
}

function textIn({ crypto }: Mesh, bytes: Uint8Array, name: string): string {
  const record = decodeRecord(crypto, bytes)
  const values = record.sections.map((_, i) => openSection(crypto, record, i)?.[name])
  const value = values.find((one) => one !== undefined)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** What a holder has of hers: numbers of the laptop, her name, her posts, whom she follows. */
async function shownAt({ mesh, ada, laptopKeys }: Story, node: MeshNode) {
  const list = async (collection: string, name: string): Promise<string[]> => {
    const request = { owner: ada.id, app: microblog.id, collection, limit: 50 }
    const { records } = await now(mesh, node.call('record.list', request))
    return records.map((bytes) => textIn(mesh, bytes, name))
  }
  const { records } = node.store
  // The number of a record that was dropped stays taken; the record is gone.
  const taken = await now(mesh, records.numbers(ada.id, laptopKeys.key))
  const numbers = taken.flatMap(({ number, ref }) => (records.get(ada.id, ref) ? [number] : []))
  return {
    numbers,
    names: await list('profile', 'name'),
    titles: (await list('posts', 'title')).toSorted(),
    follows: (await list('follows', 'user')).length,
    fingerprint: (await now(mesh, records.refs(ada.id))).map(({ id }) => toHex(id)),
  }
}

async function feedOfBen({ mesh, ben, bens }: Story): Promise<string[]> {
  const request = { owner: ben.id, app: microblog.id, view: 'home' }
  const { view } = await now(mesh, bens.call('view.get', request))
  const items = decodeViewAnswer(view).feed?.items ?? []
  return items.map(({ record }) => textIn(mesh, record, 'title')).toSorted()
}

/** The newest secrets, of hers and of her club, that this device of hers opens by what a node tells. */
async function opens(
  { mesh, ada, club }: Story,
  device: { readonly key: Uint8Array; readonly boxSecret: Uint8Array },
  [own, clubs]: readonly [MeshNode, MeshNode],
) {
  const { crypto } = mesh
  const told = async (node: MeshNode, identity: Uint8Array) => {
    const { log, people } = await now(mesh, node.call('identity.get', { identity }))
    const persons = people.map((person) => replay(crypto, decodeLog(crypto, person)))
    return replay(crypto, decodeLog(crypto, log), (id) => persons.find((one) => toHex(one.id) === toHex(id)))
  }
  const [person, group] = [await told(own, ada.id), await told(clubs, club)]
  const boxes = deviceBoxes(crypto, person, device)
  return {
    newest: [person.boxes.at(-1)?.epoch, group.boxes.at(-1)?.epoch],
    opened: [boxes.newest()?.epoch, memberBoxes(crypto, group, ada.id, boxes).newest()?.epoch],
  }
}

/** The ways of the laptop to a node: sessions, one of them in a stream of a connection, and its own key as libp2p's. */
async function comeTo({ mesh, ada, laptopKeys }: Story, node: MeshNode) {
  const { clock, crypto, network } = mesh
  const ask = (transport: Transport) =>
    openSession(transport, { crypto, clock, owner: ada.id, device: laptopKeys }).call('record.shards', {
      owner: ada.id,
      device: laptopKeys.key,
    })
  const held = meshTransport(node)
  await now(mesh, ask(held))
  const place = network.join(toHex(crypto.random(32)))
  const stream = await mesh.wait(place.openStream(node.id, apiProtocol, new AbortController().signal))
  const link = streamTransport({ ...stream, send: (frame) => stream.send(frame) }, { clock })
  await mesh.wait(ask(link))
  return {
    /** The session that is open, and another one. */
    asked: async () => [
      await refusalOf(now(mesh, held.call('record.shards', { owner: ada.id, device: laptopKeys.key }))),
      await refusalOf(now(mesh, ask(meshTransport(node)))),
    ],
    link,
    isConnected: () => place.rpc.connected().includes(node.id),
  }
}

const refusalOf = (call: Promise<unknown>): Promise<string> =>
  call.then(
    () => 'answered',
    (error: { readonly code: string }) => error.code,
  )

test('within one push each holder has dropped what came after the number, and the device is refused there; secrets are renewed', async () => {
  const story = await begin()
  await using mesh = story.mesh
  const { clock } = mesh
  const { home, app, ada, laptop, laptopKeys, holders, clubs } = story
  await written(story, 'profile', { name: 'Ada' })
  await written(story, 'posts', { title: 'of the phone' })
  await mesh.wait(laptop.put(home, 'posts', { title: 'of the laptop' }))
  await clock.advance(10)
  const sinceMs = clock.nowMs()
  // Stolen.
  await mesh.wait(laptop.put(home, 'profile', { name: 'Mallory' }))
  await mesh.wait(laptop.put(home, 'posts', { title: 'of the thief' }))
  await mesh.wait(laptop.put(home, 'follows', { user: story.ben.id }))
  const all = ['of the laptop', 'of the phone', 'of the thief']
  const stolen = { numbers: [1, 2, 3, 4], names: ['Mallory'], titles: all, follows: 1 }
  for (const node of holders)
    await mesh.until(async () => (await shownAt(story, node)).numbers.length === 4, 10_000)
  for (const node of holders) expect(await shownAt(story, node)).toMatchObject(stolen)
  await mesh.until(async () => (await feedOfBen(story)).length === 3, 30_000)

  const own = mesh.network.join(toHex(laptopKeys.key))
  const knock = (node: MeshNode): Promise<string> => {
    const { signal } = new AbortController()
    return refusalOf(own.rpc.request(node.id, 'shard/meet', new Uint8Array(0), { signal }))
  }
  const ways = []
  for (const node of holders) {
    ways.push(await comeTo(story, node))
    // It is heard, if only that nobody serves this.
    expect(await mesh.wait(knock(node))).toBe('UNSUPPORTED')
  }
  const pairs = holders.map((node, i): [MeshNode, MeshNode] => [node, clubs[i % clubs.length] as MeshNode])
  const two = { newest: [1, 1], opened: [1, 1] }
  for (const pair of pairs) expect(await opens(story, laptopKeys, pair)).toEqual(two)

  const beganMs = clock.monotonicMs()
  const revoked = await now(mesh, app.revokeDevice(laptopKeys.key, { since: sinceMs }))
  expect(revoked).toMatchObject({ records: 1, lastNumber: 1, left: 3, unrenewed: [] })
  expect(clock.monotonicMs()).toBe(beganMs)
  const clean = { numbers: [1], names: ['Ada'], titles: ['of the laptop', 'of the phone'], follows: 0 }
  const there = await shownAt(story, home)
  expect(there).toMatchObject(clean)
  // A moment before the push is there, it is not.
  await clock.advance(pushMs - 1)
  for (const node of holders.slice(1)) expect(await shownAt(story, node)).toMatchObject(stolen)
  await clock.advance(1)
  expect(clock.monotonicMs() - beganMs).toBe(pushMs)

  for (const node of holders) expect(await shownAt(story, node)).toEqual(there)
  expect(await feedOfBen(story)).toEqual(clean.titles)
  for (const [i, way] of ways.entries()) {
    expect(await way.asked()).toEqual(['REVOKED', 'REVOKED'])
    expect(await now(mesh, knock(holders[i] as MeshNode))).toBe('UNREACHABLE')
    // That it hears why first is shown over real connections (lost-phone.test.ts); here they break at once.
    expect([way.link.closed.aborted, way.isConnected()]).toEqual([true, false])
  }
  expect(own.rpc.connected()).toEqual([])
  // Her own next secret is in the revocation. That of the club is an entry of its own, which leaves when that is answered.
  for (const pair of pairs)
    expect(await opens(story, laptopKeys, pair)).toMatchObject({
      newest: [2, expect.anything()],
      opened: [1, 1],
    })
  await clock.advance(wayMs + pushMs)
  for (const pair of pairs) {
    expect(await opens(story, laptopKeys, pair)).toEqual({ newest: [2, 2], opened: [1, 1] })
    expect(await opens(story, ada.device, pair)).toEqual({ newest: [2, 2], opened: [2, 2] })
  }
  // And so it stays.
  await clock.advance(60_000)
  for (const node of holders) expect(await shownAt(story, node)).toEqual(there)
})

test('a holder whose own list is another one knows after one question more', async () => {
  const story = await Theft.begin()
  await using mesh = story.mesh
  const { clock, network, crypto } = mesh
  const { home, phone, laptop, laptopKeys } = story
  const deceived = story.holders[2] as MeshNode
  await clock.advance(2_000) // the schema is everywhere
  const thief = network.join(toHex(crypto.random(32)))
  /** Anybody may bring a record that is signed. */
  const forge = async (number: number, title: string): Promise<void> => {
    laptop.numbered = number - 1
    const body = encodePush([laptop.sign('posts', { title })])
    const { signal } = new AbortController()
    await mesh.wait(thief.rpc.request(deceived.id, 'shard/push', body, { signal }))
  }
  // Of the first number it has the forged record first, of the second the honest one: neither what came first nor what
  // came last is what the revocation lists.
  await forge(1, 'forged 1')
  laptop.numbered = 0
  const good = [
    await mesh.wait(laptop.put(home, 'posts', { title: 'good 1' })),
    await mesh.wait(laptop.put(home, 'posts', { title: 'good 2' })),
  ]
  await mesh.until(async () => (await story.shownAt(deceived)).titles.length === 4, 10_000)
  await forge(2, 'forged 2')
  const titles = async (): Promise<string[]> => {
    const request = { owner: phone.id, app: microblog.id, collection: 'posts', limit: 10 }
    const { records } = await now(mesh, deceived.call('record.list', request))
    return records.map((bytes) => String(story.field(bytes, 'title'))).toSorted()
  }
  const before = ['forged 1', 'forged 2', 'good 1', 'good 2', 'honest jazz']
  expect(await titles()).toEqual(before)

  const log = encodeLog([story.revocation(phone.person.device, laptopKeys, good)])
  const beganMs = clock.monotonicMs()
  await now(mesh, home.call('identity.append', { identity: phone.id, log }))
  const [push, question] = [5, 2 * 5]
  await clock.advance(push + question - 1)
  expect(await titles()).toEqual(before)
  await clock.advance(1)
  expect(clock.monotonicMs() - beganMs).toBe(push + question)
  expect(await titles()).toEqual(['good 1', 'good 2', 'honest jazz'])
})
