/** A shard that is given up takes its files with it, once others have them; taken in again they are counted, and told to whoever asks. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { upload } from '../support/crossing.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode
const fileBytes = 5_000

/** Ada at home on node 0, with copies at 1 and 2. */
async function story() {
  const mesh = await createMesh(4, {
    config: () => ({ hosting: { leaseMs: 60_000, reconcileEveryMs: 2_000 } }),
  })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  await mesh.wait(ada.place(at(mesh, 0), 2, [at(mesh, 3).id]))
  await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: 'with a picture' }))
  await mesh.clock.advance(5_000)
  const picture = mesh.crypto.random(fileBytes)
  const isOnDisk = async (index: number): Promise<boolean> =>
    (await mesh.onDisk(index)).some((bytes) => Buffer.from(bytes).includes(Buffer.from(picture)))
  const countedAt = (index: number): number => at(mesh, index).store.shards.get(ada.id)?.blobBytes ?? 0
  return { mesh, ada, picture, isOnDisk, countedAt }
}

test('what is given up leaves the disk, and what is taken in again is counted', async () => {
  const { mesh, ada, picture, isOnDisk, countedAt } = await story()
  await using _ = mesh
  await upload(mesh, at(mesh, 0), ada.id, picture)
  await mesh.until(() => isOnDisk(2), 30_000)
  await mesh.wait(at(mesh, 2).call('admin.host.remove', { identities: [ada.id] }))
  expect([await isOnDisk(2), countedAt(2)]).toEqual([false, 0])
  // Its home asks it to promise anew.
  await mesh.until(async () => (await isOnDisk(2)) && countedAt(2) === fileBytes, 120_000)
})

test('one that somebody else has here as well stays', async () => {
  const { mesh, ada, picture, isOnDisk } = await story()
  await using _ = mesh
  const ben = new Resident(mesh, microblog)
  await mesh.wait(ben.moveIn(at(mesh, 2)))
  await upload(mesh, at(mesh, 2), ben.id, picture)
  await upload(mesh, at(mesh, 0), ada.id, picture)
  await mesh.until(() => isOnDisk(0), 30_000)
  await mesh.wait(at(mesh, 2).call('admin.host.remove', { identities: [ada.id] }))
  expect(await isOnDisk(2)).toBe(true)
})

test('who was given notice keeps a file until another holder has it', async () => {
  const { mesh, ada, picture, isOnDisk } = await story()
  await using _ = mesh
  const { id } = at(mesh, 2)
  mesh.holdBack((from, _to, method) => method.startsWith('shard/blob-') && from !== id)
  await upload(mesh, at(mesh, 2), ada.id, picture)
  await mesh.wait(at(mesh, 2).call('admin.lease.end', { owners: [ada.id] }))
  await mesh.clock.advance(90_000)
  expect(await Promise.all([0, 1, 2].map(isOnDisk))).toEqual([false, false, true])
  mesh.holdBack(undefined)
  await mesh.until(async () => (await isOnDisk(0)) && (await isOnDisk(1)) && !(await isOnDisk(2)), 120_000)
})
