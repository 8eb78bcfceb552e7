/** A box that lost its seat while it was cut off, and has what nobody else has. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { openStore } from '../../storage/store.ts'
import { upload } from '../support/crossing.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const hourMs = 3_600_000
const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

/** Ada's shard at 0, 1 and 2; 2 is cut off, takes a record, and the owner signs a set with 3 in its place. */
async function cutOff() {
  const mesh = await createMesh(4, {
    config: () => ({ hosting: { heartbeatMs: 120_000, suspectAfterMs: 600_000, leaseMs: hourMs } }),
  })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  expect(await mesh.wait(ada.place(at(mesh, 0), 2, [at(mesh, 3).id]))).toBe(3)
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(300_000)
  const { id } = at(mesh, 2)
  mesh.holdBack((from, to) => from === id || to === id)
  await mesh.wait(ada.put(at(mesh, 2), 'posts', { text: 'on the island' }))
  const file = await upload(mesh, at(mesh, 2), ada.id, mesh.random.bytes(40_000))
  await mesh.clock.advance(600_000)
  expect(await mesh.wait(ada.place(at(mesh, 0), 2))).toBe(3)
  await mesh.clock.advance(300_000)
  const records = (index: number): number | undefined => at(mesh, index).store.shards.get(ada.id)?.records
  const hasFile = async (index: number): Promise<boolean> =>
    mesh
      .wait(at(mesh, index).call('blob.get', { owner: ada.id, blob: file, offset: 0, length: 10 }))
      .then(() => true)
      .catch(() => false)
  return { mesh, records, hasFile }
}

test('hands it and its files to those who have a seat now, and then its copy goes when its lease ends', async () => {
  const { mesh, records, hasFile } = await cutOff()
  await using _ = mesh
  expect([0, 1, 2, 3].map(records)).toEqual([5, 5, 6, 5])
  mesh.holdBack(undefined)
  await mesh.until(() => [0, 1, 3].every((index) => records(index) === 6), 30 * 60_000)
  await mesh.until(() => records(2) === undefined, 2 * hourMs)
  expect([0, 1, 3].map(records)).toEqual([6, 6, 6])
  // To the home, which had asked it, and from there to the others.
  for (const index of [0, 1, 3]) await mesh.until(() => hasFile(index), 4 * hourMs)
})

test('also where it lost its promise meanwhile, and with it what it knew of the shard', async () => {
  const lost = ['hosted', 'lease-granted']
  for (const kinds of [lost, [...lost, 'replica-set']]) {
    const { mesh, records } = await cutOff()
    await using _ = mesh
    await mesh.close(2)
    const store = await openStore(mesh.disk(2), { clock: mesh.clock })
    for (const { shard } of await store.shards.list({ limit: 10 }))
      for (const kind of kinds) await store.documents.delete(kind, shard)
    await store.close()
    await mesh.wait(mesh.open(2))
    mesh.holdBack(undefined)
    await mesh.until(() => [0, 1, 3].every((index) => records(index) === 6), 30 * 60_000)
    await mesh.until(() => records(2) === undefined, 4 * hourMs)
  }
})

test('keeps it for as long as nobody takes it', async () => {
  const { mesh, records } = await cutOff()
  await using _ = mesh
  mesh.holdBack((from, to, method) => method === 'shard/push' && from === at(mesh, 2).id && to !== from)
  await mesh.clock.advance(2 * hourMs)
  expect([0, 1, 2, 3].map(records)).toEqual([5, 5, 6, 5])
  mesh.holdBack(undefined)
  await mesh.until(() => records(0) === 6, 30 * 60_000)
})

test('a box that lost what it promised is asked to promise anew, and has its copy again', async () => {
  await using mesh = await createMesh(2, { config: () => ({ hosting: { reconcileEveryMs: 60_000 } }) })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  await mesh.wait(ada.place(at(mesh, 0), 1))
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: `post ${i}` }))
  const records = (): number | undefined => at(mesh, 1).store.shards.get(ada.id)?.records
  await mesh.until(() => records() === 5)
  await mesh.wait(at(mesh, 1).call('admin.host.remove', { identities: [ada.id] }))
  for (const kind of ['lease-granted', 'replica-set', 'identity'])
    await mesh.wait(at(mesh, 1).store.documents.delete(kind, ada.id))
  await mesh.close(1)
  await mesh.open(1)
  expect(records()).toBeUndefined()
  await mesh.until(() => records() === 5, 30 * 60_000)
})

test('so is the one who speaks for the shard while its home is away', async () => {
  await using mesh = await createMesh(3, {
    config: () => ({ hosting: { reconcileEveryMs: 60_000, replaceAfterMs: 24 * hourMs } }),
  })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  expect(await mesh.wait(ada.place(at(mesh, 0), 2))).toBe(3)
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: `post ${i}` }))
  const records = (index: number): number | undefined => at(mesh, index).store.shards.get(ada.id)?.records
  await mesh.until(() => records(1) === 5 && records(2) === 5)
  const { replicaSet } = await mesh.wait(at(mesh, 1).call('replica-set.get', { owner: ada.id }))
  const next = toHex(unpackChain(mesh.crypto, replicaSet).newest.members[1]?.node as Uint8Array)
  const leader = [1, 2].find((index) => at(mesh, index).id === next) as number
  await mesh.close(0)
  await mesh.wait(at(mesh, leader).call('admin.host.remove', { identities: [ada.id] }))
  await mesh.wait(at(mesh, leader).store.documents.delete('lease-granted', ada.id))
  await mesh.close(leader)
  await mesh.open(leader)
  await mesh.until(() => records(leader) === 5, 30 * 60_000)
})

test('who was away, lost its seat to another, came back and gave its copy up asks for nothing more, and nobody holds it against it', async () => {
  const [asked, told]: [string[], string[]] = [[], []]
  const leaseMs = 60_000
  await using mesh = await createMesh(4, {
    config: () => ({ hosting: { leaseMs, reconcileEveryMs: 2_000 } }),
    onRequest(from, to, method) {
      if (from === at(mesh, 2)?.id) asked.push(method)
      if (to === at(mesh, 2)?.id) told.push(method)
    },
  })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  expect(await mesh.wait(ada.place(at(mesh, 0), 2, [at(mesh, 3).id]))).toBe(3)
  expect(await mesh.wait(ada.place(at(mesh, 0), 2))).toBe(3)
  await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: 'before' }))
  const records = (index: number): number | undefined => at(mesh, index).store.shards.get(ada.id)?.records
  await mesh.until(() => records(2) === 1)
  const { id } = at(mesh, 2)
  mesh.holdBack((from, to) => from === id || to === id)
  await mesh.until(() => records(3) === 1)
  mesh.holdBack(undefined)
  await mesh.until(() => records(2) === undefined, 4 * leaseMs)
  await mesh.clock.advance(10_000)
  asked.length = told.length = 0
  await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: 'after' }))
  await mesh.clock.advance(5 * 60_000)
  expect(asked.filter((method) => /fetch|reconcile|snapshot/.test(method))).toEqual([])
  expect(told.filter((method) => /take|compare|audit/.test(method))).toEqual([])
  const distrusting = [0, 1, 3].map((index) =>
    at(mesh, index).store.documents.list('distrusted', { limit: 9 }),
  )
  expect(await Promise.all(distrusting)).toEqual([[], [], []])
})
