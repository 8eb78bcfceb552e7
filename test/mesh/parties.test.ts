import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, makeIdentity, memoryKeyStore, microblog } from '../../client/index.ts'
import type { App, Identity, Write } from '../../client/index.ts'
import type { Network } from '../../daemon/net/rpc.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { decode } from '../../protocol/codec.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { type ArrivedRequest, meshTransport } from '../support/mesh-transport.ts'
import { Resident } from '../support/resident.ts'

/**
 * What each party sees (protocol/README.md), looked for in the bytes that reached it: words planted by an app, with the
 * client library, in a public post, a private note and a sealed file. The DHT peer's row: parties-dht.test.ts.
 */
const publicWords = 'planted for everybody'
const privateWords = 'planted for myself alone'
const fileWords = 'planted in a sealed file'
/** By somebody whom she follows, and so in her feed. */
const feedWords = 'planted by somebody else'
const collectionName = 'notes'
/** Of the view that shows her feed. */
const feedName = 'home'

let mesh: Mesh
let app: App<typeof microblog>
let ada: Identity
let home: MeshNode
let replica: MeshNode
let aggregator: MeshNode
let stranger: MeshNode
/** By node: bodies of requests and replies that came to it, as they were; from Ada's app too. */
const arrived = new Map<number, Uint8Array[]>()
/** The private record and the sealed file, as they came to the own node. */
let note: Uint8Array
let file: Uint8Array

function listenIn({ rpc }: Network, index: number): void {
  const heard = arrived.get(index) ?? []
  arrived.set(index, heard)
  const [handle, request] = [rpc.handle.bind(rpc), rpc.request.bind(rpc)]
  rpc.handle = (method, handler) => {
    handle(method, (call) => {
      heard.push(call.body)
      return handler(call)
    })
  }
  rpc.request = async (...asked) => {
    const reply = await request(...asked)
    heard.push(reply)
    return reply
  }
}

function holds(bytes: readonly Uint8Array[], what: string | Uint8Array): boolean {
  return bytes.some((one) => Buffer.from(one).includes(Buffer.from(what)))
}

const heardBy = ({ index }: MeshNode): Uint8Array[] => arrived.get(index) ?? []

beforeAll(async () => {
  mesh = await createMesh(7, {
    onJoin: listenIn,
    config: (index) =>
      index === 6 ? { aggregate: [{ app: '*', scope: '/geo' }], hosting: { offerTo: [] } } : {},
  })
  const { crypto } = mesh
  ;[home, aggregator] = [mesh.nodes[0], mesh.nodes[6]] as [MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const keys = memoryKeyStore()
  ada = await makeIdentity({ keys, crypto })
  const { device, state } = ada
  const resident = new Resident(mesh, microblog, { device, state })
  await mesh.wait(resident.moveIn(home))
  await mesh.wait(resident.place(home))
  const { replicaSet } = await mesh.wait(home.call('replica-set.get', { owner: ada.id }))
  const seats = unpackChain(crypto, replicaSet).newest.members.map(({ node }) => toHex(node))
  replica = mesh.nodes.find(({ id }) => id !== home.id && seats.includes(id)) as MeshNode
  stranger = mesh.nodes.find(({ id, index }) => index !== 6 && !seats.includes(id)) as MeshNode
  const transport = meshTransport(home, listenAtHome)
  app = await mesh.wait(connect({ schema: microblog, transport, keys, crypto, clock: mesh.clock }))
  await written(app.collection('profile').put({ name: 'Ada', place: '/geo/africa/ng/lagos' }))
  await written(app.collection('posts').put({ title: publicWords }))
  note = (await written(app.collection(collectionName).put({ text: privateWords }))).local.bytes
  await mesh.wait(app.blobs.put(utf8(fileWords), 'text/plain', { sealed: true }))
  const bens = mesh.nodes.find(({ id, index }) => ![stranger.index, 6].includes(index) && !seats.includes(id))
  const ben = new Resident(mesh, microblog)
  await mesh.wait(ben.moveIn(bens as MeshNode))
  await mesh.wait(ben.place(bens as MeshNode, 0))
  await written(app.follow(ben.id))
  await mesh.wait(ben.put(bens as MeshNode, 'posts', { title: feedWords }))
  await mesh.until(() => holds(heardBy(home), feedWords), 60_000)
  const { feed } = await mesh.wait(app.view('home'))
  expect(feed?.items.map(({ value }) => value)).toMatchObject([{ title: feedWords }])
  await mesh.until(() => holds(heardBy(replica), file.subarray(0, 64)), 60_000)
  await mesh.until(() => holds(heardBy(aggregator), publicWords), 60_000)
  await mesh.clock.advance(30_000)
})

afterAll(async () => {
  await app.close()
  await mesh[Symbol.asyncDispose]()
})

function listenAtHome({ operation, bytes }: ArrivedRequest): void {
  // A schema names its collections: what is not told is which of them a record belongs to.
  if (operation === 'schema.put') return
  heardBy(home).push(bytes)
  if (operation === 'blob.put') file = (decode(bytes) as { readonly chunk: Uint8Array }).chunk
}

async function written(write: Promise<Write>): Promise<Write> {
  const done = await mesh.wait(write)
  await mesh.wait(done.accepted)
  return done
}

test('the own node: ciphertext of notes and files, and no name of a private collection', async () => {
  const disk = (await mesh.onDisk(home.index)).filter((bytes) => !holds([bytes], microblog.bytes))
  const { seed, boxSecret } = ada.device
  for (const bytes of [heardBy(home), disk]) {
    // It is looked for in the right place: what may be there is.
    for (const there of [publicWords, note.subarray(-64), file]) expect(holds(bytes, there)).toBe(true)
    for (const words of [privateWords, fileWords, collectionName, seed, boxSecret])
      expect(holds(bytes, words)).toBe(false)
  }
})

test('a replica: public words and ciphertext, and neither the name of a private collection nor her feed', async () => {
  // A schema names its collections and views: what is not told is which of them a record belongs to.
  const withoutSchema = (all: readonly Uint8Array[]) =>
    all.filter((bytes) => !holds([bytes], microblog.bytes))
  const disk = withoutSchema(await mesh.onDisk(replica.index))
  for (const bytes of [withoutSchema(heardBy(replica)), disk]) {
    for (const there of [publicWords, note.subarray(-64), file.subarray(0, 64), 'posts'])
      expect(holds(bytes, there)).toBe(true)
    for (const words of [privateWords, fileWords, collectionName, feedWords, feedName])
      expect(holds(bytes, words), String(words)).toBe(false)
  }
  // Her home is where it is.
  expect(holds(await mesh.onDisk(home.index), feedWords)).toBe(true)
})

test('an aggregator: what may be searched, and of what is private not even that there is any', () => {
  const heard = heardBy(aggregator)
  expect(holds(heard, publicWords)).toBe(true)
  for (const bytes of [note.subarray(-64), file.subarray(0, 64)]) expect(holds(heard, bytes)).toBe(false)
  for (const words of [privateWords, fileWords]) expect(holds(heard, words)).toBe(false)
})

test('a node without a part in it: nothing of hers', () => {
  const heard = heardBy(stranger)
  expect(heard.length).toBeGreaterThan(0)
  for (const words of [publicWords, privateWords, fileWords]) expect(holds(heard, words)).toBe(false)
})
