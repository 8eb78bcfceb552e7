/** What is deleted or has expired leaves every disk, and comes back from none: a box that was away for a hundred days, a clock that is wrong. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { dayMs } from '../../protocol/record/ends.ts'
import { clockMax } from '../../protocol/record/header.ts'
import { Digests } from '../../daemon/replication/digests.ts'
import { upload } from '../support/crossing.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const app = microblog.id
const emptyKey = new Uint8Array(0)
const friend = new Uint8Array(32).fill(7)
/** A sweep looks ten minutes after the start. */
const lookedMs = 11 * 60_000

/** Ada at home on node 0, with copies at 1 and 2; Ben follows her from node 3. */
async function story() {
  const mesh = await createMesh(4, {
    config: () => ({
      hosting: {
        heartbeatMs: 10_000,
        suspectAfterMs: 30_000,
        replaceAfterMs: 30 * dayMs,
        leaseMs: 1_000 * dayMs,
      },
    }),
  })
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const reader = mesh.nodes[3] as MeshNode
  const [ada, ben] = [new Resident(mesh, microblog), new Resident(mesh, microblog)]
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 2, [reader.id]))).toBe(3)
  await mesh.wait(ben.moveIn(reader))
  await mesh.wait(ben.put(reader, 'follows', { user: ada.id }))
  await mesh.clock.advance(3_000)
  return { mesh, ada, ben }
}

/** A post with a picture that is shown for so many days. */
async function shortLived(
  mesh: Mesh,
  ada: Resident,
  days: number,
  text = 'a text for a day',
): Promise<Uint8Array> {
  const home = mesh.nodes[0] as MeshNode
  const picture = mesh.random.bytes(20_000)
  const hash = await upload(mesh, home, ada.id, picture)
  const post = { text, picture: { hash, size: picture.length, mime: 'image/png' } }
  await mesh.wait(ada.put(home, 'posts', post, mesh.clock.nowMs() + days * dayMs))
  return picture
}

function nameOfFile({ crypto }: Mesh, chunk: Uint8Array): Uint8Array {
  return crypto.sha256(encodeManifest({ size: chunk.length, chunks: [crypto.sha256(chunk)] }))
}

/** So many days pass at once, at all of them. */
function leap(mesh: Mesh, days: number): void {
  for (const { index } of mesh.nodes) mesh.skew(index, days * dayMs)
}

async function restart(mesh: Mesh, ...indexes: readonly number[]): Promise<void> {
  for (const index of indexes) {
    await mesh.close(index)
    await mesh.open(index)
  }
}

async function isOnDisk(mesh: Mesh, index: number, what: string | Uint8Array): Promise<boolean> {
  const wanted = Buffer.from(typeof what === 'string' ? utf8(what) : what)
  return (await mesh.onDisk(index)).some((bytes) => Buffer.from(bytes).includes(wanted))
}

const fingerprint = async (mesh: Mesh, index: number, owner: Uint8Array): Promise<string> => {
  const { store } = mesh.nodes[index] as MeshNode
  return toHex((await new Digests(store, mesh.crypto).of(owner, clockMax)).fingerprint)
}

const areEqual = async (mesh: Mesh, owner: Uint8Array, ...indexes: readonly number[]): Promise<boolean> =>
  new Set(await Promise.all(indexes.map((index) => fingerprint(mesh, index, owner)))).size === 1

test('a box back after a hundred days revives nothing, loses nothing, and is equal before and after its own sweep', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const at = (index: number): MeshNode => mesh.nodes[index] as MeshNode
  await mesh.wait(ada.put(at(0), 'profile', { name: 'to be forgotten' }))
  const picture = await shortLived(mesh, ada, 2)
  const shared = mesh.random.bytes(20_000)
  const hash = await upload(mesh, at(0), ada.id, shared)
  const named = { text: 'a picture', picture: { hash, size: shared.length, mime: 'image/png' } }
  await mesh.wait(ada.put(at(0), 'posts', named, mesh.clock.nowMs() + 2 * dayMs))
  await mesh.wait(ada.put(at(0), 'posts', named))
  await mesh.until(
    async () =>
      (await areEqual(mesh, ada.id, 0, 1, 2)) &&
      (await isOnDisk(mesh, 2, picture)) &&
      (await isOnDisk(mesh, 2, shared)) &&
      isOnDisk(mesh, 3, 'a text for a day'),
    60_000,
  )
  // The last that node 2 takes before it is put into a cupboard; nobody else hears of it.
  mesh.holdBack((from, to) => from === at(2).id || to === at(2).id)
  await mesh.wait(at(2).call('schema.put', { schema: microblog.bytes }))
  await mesh.wait(ada.put(at(2), 'follows', { user: friend }))
  await mesh.close(2)
  mesh.holdBack(undefined)
  await mesh.wait(ada.remove(at(0), 'profile', {}))
  await mesh.until(() => areEqual(mesh, ada.id, 0, 1), 30_000)
  const bytesOf = (index: number) => {
    const { recordBytes = 0, blobBytes = 0 } = at(index).store.shards.get(ada.id) ?? {}
    return recordBytes + blobBytes
  }
  const before = bytesOf(1)

  leap(mesh, 100)
  await restart(mesh, 0, 1, 3)
  await mesh.clock.advance(lookedMs)
  for (const index of [0, 1, 3])
    expect(await isOnDisk(mesh, index, 'a text for a day'), `${index}`).toBe(false)
  for (const index of [0, 1]) {
    // What came over the other ninety days ago, by the clock; here it came just now.
    expect(at(index).store.records.winner(ada.id, app, 'profile', emptyKey)).toBeUndefined()
    expect(at(index).store.records.count(ada.id, app, 'posts')).toBe(1)
  }
  expect(await areEqual(mesh, ada.id, 0, 1)).toBe(true)

  await mesh.open(2)
  await mesh.until(() => areEqual(mesh, ada.id, 0, 1, 2), 60_000)
  // It has not swept yet, and is audited all the same.
  expect(await isOnDisk(mesh, 2, 'a text for a day')).toBe(true)
  await mesh.clock.advance(300_000)
  const { hosted } = await mesh.wait(at(0).call('admin.status', {}))
  const states = hosted.flatMap(({ replicas }) => replicas.map(({ state }) => state))
  expect(states).toEqual(['current', 'current'])
  for (const index of [0, 1, 2]) {
    const { records } = at(index).store
    expect(records.winner(ada.id, app, 'profile', emptyKey)).toBeUndefined()
    expect((await records.latest(ada.id, app, 'posts')).length).toBe(1)
    expect(records.winner(ada.id, app, 'follows', friend)?.ref).toBeDefined()
  }

  // Another day and another sweep: the picture had to wait for that, as what is sent may be named a moment later.
  leap(mesh, 102)
  await restart(mesh, 0, 1, 2)
  await mesh.clock.advance(lookedMs)
  for (const index of [0, 1, 2])
    expect(await isOnDisk(mesh, index, 'a text for a day'), `${index}`).toBe(false)
  for (const index of [0, 1]) expect(await isOnDisk(mesh, index, picture), `${index}`).toBe(false)
  // What node 2 alone had has come to it.
  expect(bytesOf(1)).toBeLessThan(before - 19_500)
  leap(mesh, 192)
  await restart(mesh, 0, 1, 2)
  await mesh.clock.advance(lookedMs)
  for (const index of [0, 1, 2]) {
    expect(await isOnDisk(mesh, index, 'to be forgotten'), `${index}`).toBe(false)
    expect(await isOnDisk(mesh, index, picture), `${index}`).toBe(false)
    expect(await isOnDisk(mesh, index, shared), `${index}`).toBe(true)
    expect(at(index).store.records.winner(ada.id, app, 'profile', emptyKey)).toBeUndefined()
  }
  expect(await areEqual(mesh, ada.id, 0, 1, 2)).toBe(true)
}, 120_000)

test('who joins what was swept has all of it, and is whole', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const at = (index: number): MeshNode => mesh.nodes[index] as MeshNode
  for (let i = 0; i < 40; i++) await mesh.wait(ada.put(at(0), 'posts', { text: `kept ${i}` }))
  await shortLived(mesh, ada, 2)
  await mesh.until(() => areEqual(mesh, ada.id, 0, 1, 2), 30_000)
  leap(mesh, 5)
  await restart(mesh, 0, 1, 2)
  await mesh.clock.advance(lookedMs)
  expect(await isOnDisk(mesh, 0, 'a text for a day')).toBe(false)
  const joined = await mesh.open(4)
  mesh.skew(4, 5 * dayMs)
  await mesh.clock.advance(3_000)
  await mesh.wait(ada.place(at(0), 3, [at(3).id]))
  await mesh.until(() => areEqual(mesh, ada.id, 0, 4), 60_000)
  await mesh.until(async () => {
    const { hosted } = await mesh.wait(at(0).call('admin.status', {}))
    return hosted[0]?.copies === 4
  }, 60_000)
  expect(joined.store.records.count(ada.id, app, 'posts')).toBeGreaterThanOrEqual(40)
  expect((await joined.store.records.latest(ada.id, app, 'posts')).length).toBe(40)
}, 120_000)

test('a node whose clock is ten years ahead sweeps nothing, and shows all of it once the clock is right', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const at = (index: number): MeshNode => mesh.nodes[index] as MeshNode
  const picture = await shortLived(mesh, ada, 20, 'a text for some days')
  await mesh.until(async () => (await areEqual(mesh, ada.id, 0, 1, 2)) && isOnDisk(mesh, 2, picture), 30_000)
  mesh.skew(2, 3_650 * dayMs)
  await restart(mesh, 2)
  await mesh.clock.advance(lookedMs)
  expect(await at(2).store.records.latest(ada.id, app, 'posts')).toEqual([])
  expect(await isOnDisk(mesh, 2, 'a text for some days')).toBe(true)
  expect(await isOnDisk(mesh, 2, picture)).toBe(true)
  mesh.skew(2, 0)
  await restart(mesh, 2)
  await mesh.clock.advance(lookedMs)
  expect((await at(2).store.records.latest(ada.id, app, 'posts')).length).toBe(1)
  expect(await areEqual(mesh, ada.id, 0, 1, 2)).toBe(true)
}, 120_000)

test('a picture that went and is posted anew has all its copies soon', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const at = (index: number): MeshNode => mesh.nodes[index] as MeshNode
  const picture = await shortLived(mesh, ada, 2)
  await mesh.until(() => isOnDisk(mesh, 2, picture), 30_000)
  for (const days of [5, 7]) {
    leap(mesh, days)
    await restart(mesh, 0, 1, 2)
    await mesh.clock.advance(lookedMs)
  }
  for (const index of [0, 1, 2]) expect(await isOnDisk(mesh, index, picture), `${index}`).toBe(false)
  const hash = await upload(mesh, at(0), ada.id, picture)
  await mesh.clock.advance(1_000)
  const post = { text: 'once more', picture: { hash, size: picture.length, mime: 'image/png' } }
  await mesh.wait(ada.put(at(0), 'posts', post))
  await mesh.clock.advance(10_000)
  expect(await Promise.all([0, 1, 2].map((index) => isOnDisk(mesh, index, picture)))).toEqual([
    true,
    true,
    true,
  ])
}, 120_000)

test('a picture stays that a post comes to name while others are looked through', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const at = (index: number): MeshNode => mesh.nodes[index] as MeshNode
  for (let page = 0; page < 3; page++) {
    const records = Array.from({ length: 100 }, (_one, i) => ada.sign('posts', { text: `kept ${i}` }))
    await mesh.wait(at(0).call('record.put', { records }))
  }
  const picture = await shortLived(mesh, ada, 2)
  await mesh.until(() => isOnDisk(mesh, 2, picture), 30_000)
  leap(mesh, 5)
  await restart(mesh, 0, 1, 2)
  await mesh.clock.advance(lookedMs)
  leap(mesh, 7)
  await restart(mesh, 0, 1, 2)
  await mesh.clock.advance(10 * 60_000 + 30)
  expect(await isOnDisk(mesh, 0, picture)).toBe(true)
  const hash = nameOfFile(mesh, picture)
  const post = { text: 'once more', picture: { hash, size: picture.length, mime: 'image/png' } }
  await mesh.wait(ada.put(at(0), 'posts', post))
  await mesh.clock.advance(lookedMs)
  expect(await Promise.all([0, 1, 2].map((index) => isOnDisk(mesh, index, picture)))).toEqual([
    true,
    true,
    true,
  ])
}, 120_000)
