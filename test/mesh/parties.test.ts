import { afterAll, beforeAll, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import type { Network } from '../../daemon/net/rpc.ts'
import { shardKey } from '../../daemon/placement/find.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { concatBytes, toHex, utf8 } from '../../protocol/bytes.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { blindCollection } from '../../protocol/record/blind.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { sealChunk, sealedLength } from '../../protocol/sealed-blob.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

/**
 * What each party sees (protocol/README.md), looked for in the bytes that reached it: words planted in a public post, a
 * private note and a sealed file.
 */
const publicWords = 'planted for everybody'
const privateWords = 'planted for myself alone'
const fileWords = 'planted in a sealed file'
const collectionName = 'notes'

let mesh: Mesh
let ada: Resident
let home: MeshNode
let replica: MeshNode
let aggregator: MeshNode
let stranger: MeshNode
/** By node: bodies of requests and replies that came to it, as they were. */
const arrived = new Map<number, Uint8Array[]>()
/** What Ada's phone gave her node. */
const handedIn: Uint8Array[] = []
const provided: Uint8Array[] = []
let sealedFile: Uint8Array

function listenIn({ rpc, routing }: Network, index: number): void {
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
  const provide = routing.provide.bind(routing)
  routing.provide = (key, signal) => {
    provided.push(key)
    return provide(key, signal)
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
  ada = new Resident(mesh, microblog)
  await mesh.clock.advance(3_000)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ada.place(home))
  const { replicaSet } = await mesh.wait(home.call('replica-set.get', { owner: ada.id }))
  const seats = unpackChain(crypto, replicaSet).newest.members.map(({ node }) => toHex(node))
  replica = mesh.nodes.find(({ id }) => id !== home.id && seats.includes(id)) as MeshNode
  stranger = mesh.nodes.find(({ id, index }) => index !== 6 && !seats.includes(id)) as MeshNode
  await mesh.wait(ada.put(home, 'profile', { name: 'Ada', place: '/geo/africa/ng/lagos' }))
  await mesh.wait(ada.put(home, 'posts', { title: publicWords }))
  await writeNote()
  await uploadFile()
  await mesh.until(() => holds(heardBy(replica), sealedFile.subarray(0, 64)), 60_000)
  await mesh.until(() => holds(heardBy(aggregator), publicWords), 60_000)
  await mesh.until(() => provided.length > 0, 60_000)
  await mesh.clock.advance(30_000)
})

afterAll(() => mesh[Symbol.asyncDispose]())

async function writeNote(): Promise<void> {
  const { crypto } = mesh
  const { device } = ada.person
  const record = signRecord(
    crypto,
    {
      ...{ owner: ada.id, author: ada.id, app: microblog.id, key: crypto.random(32), merge: 'register' },
      collection: blindCollection(crypto, crypto.random(32), microblog.id, collectionName),
      ...{ number: 3, clock: clockOf(mesh.clock.nowMs()), operation: 'put', schema: microblog.hash },
      expiresMs: undefined,
      sections: [
        {
          ...{ audience: 'private', heights: {}, fields: { text: privateWords } },
          sealing: { epoch: 1, key: crypto.random(32) },
        },
      ],
    },
    device.seed,
  )
  handedIn.push(encodeRecord(record))
  const { results } = await mesh.wait(home.call('record.put', { records: handedIn }))
  expect(results[0]?.outcome).toBe('stored')
}

async function uploadFile(): Promise<void> {
  const { crypto } = mesh
  const plain = utf8(fileWords)
  const { paddedBytes, sealedBytes } = sealedLength(plain.length)
  const padded = concatBytes(plain, new Uint8Array(paddedBytes - plain.length))
  sealedFile = sealChunk(crypto, crypto.random(32), { index: 0, last: true }, padded)
  const manifest = encodeManifest({ size: sealedBytes, chunks: [crypto.sha256(sealedFile)] })
  const { blob } = await mesh.wait(home.call('blob.begin', { owner: ada.id, manifest }))
  await mesh.wait(home.call('blob.put', { owner: ada.id, blob, index: 0, chunk: sealedFile }))
  handedIn.push(sealedFile)
}

test('the own node: ciphertext of notes and files, and no name of a private collection', () => {
  for (const words of [privateWords, fileWords, collectionName]) expect(holds(handedIn, words)).toBe(false)
})

test('a replica: public words and ciphertext, nothing more', () => {
  const heard = heardBy(replica)
  expect(holds(heard, publicWords)).toBe(true)
  expect(holds(heard, handedIn[0] as Uint8Array)).toBe(true)
  for (const words of [privateWords, fileWords]) expect(holds(heard, words)).toBe(false)
})

test('an aggregator: what may be searched, and of what is private not even that there is any', () => {
  const heard = heardBy(aggregator)
  expect(holds(heard, publicWords)).toBe(true)
  const [note, file] = handedIn as [Uint8Array, Uint8Array]
  for (const bytes of [note.subarray(-64), file.subarray(0, 64)]) expect(holds(heard, bytes)).toBe(false)
  for (const words of [privateWords, fileWords]) expect(holds(heard, words)).toBe(false)
})

test('a DHT peer: hashes of 32 bytes, none of them an id', () => {
  expect(provided.map(toHex)).toContain(toHex(shardKey(mesh.crypto, ada.id)))
  for (const key of provided) {
    expect(key).toHaveLength(32)
    expect(toHex(key)).not.toBe(ada.name)
  }
})

test('a node without a part in it: nothing of hers', () => {
  const heard = heardBy(stranger)
  expect(heard.length).toBeGreaterThan(0)
  for (const words of [publicWords, privateWords, fileWords]) expect(holds(heard, words)).toBe(false)
})
