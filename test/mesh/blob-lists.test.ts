/** Files reach holders that were away as they came, or that joined later. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { decodeBlobListAsks, encodeBlobLists } from '../../protocol/replication/blob-lists.ts'
import { upload } from '../support/crossing.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

async function story(lies: ReadonlySet<number> = new Set()) {
  const asked: number[] = []
  const mesh = await createMesh(4, {
    onJoin(place, index) {
      const handle = place.rpc.handle.bind(place.rpc)
      place.rpc.handle = (method, handler) =>
        handle(method, async (request) => {
          if (method === 'shard/blobs') asked.push(index)
          if (method !== 'shard/blobs' || !lies.has(index)) return handler(request)
          const names = Array.from({ length: 64 }, () => mesh.crypto.random(32))
          return encodeBlobLists(decodeBlobListAsks(request.body).map(() => names))
        })
    },
  })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  await mesh.wait(ada.place(at(mesh, 0), 2, [at(mesh, 3).id]))
  await mesh.clock.advance(5_000)
  const has = async (index: number, blob: Uint8Array): Promise<boolean> => {
    const found = await at(mesh, index)
      .call('blob.get', { owner: ada.id, blob, offset: 0, length: 100 })
      .catch(() => undefined)
    return found !== undefined
  }
  return { mesh, ada, has, asked }
}

test('a holder that was away gets the files that came meanwhile', async () => {
  const { mesh, ada, has } = await story()
  await using _ = mesh
  await mesh.close(2)
  const blob = await upload(mesh, at(mesh, 0), ada.id, mesh.crypto.random(5_000))
  await mesh.until(() => has(1, blob))
  await mesh.open(2)
  await mesh.until(() => has(2, blob), 30_000)
})

test('who joins later gets them, and a fetch that was cut goes on', async () => {
  const { mesh, ada, has } = await story()
  await using _ = mesh
  const blobs = [3_000, 200_000].map((size) => upload(mesh, at(mesh, 0), ada.id, mesh.crypto.random(size)))
  const [small, large] = (await Promise.all(blobs)) as [Uint8Array, Uint8Array]
  const { id } = at(mesh, 3)
  mesh.holdBack((from, _to, method) => method === 'shard/blob-chunk' && from === id)
  expect(await mesh.wait(ada.place(at(mesh, 0), 3))).toBe(4)
  await mesh.clock.advance(10_000)
  expect([await has(3, small), await has(3, large)]).toEqual([false, false])
  mesh.holdBack(undefined)
  await mesh.until(async () => (await has(3, small)) && has(3, large), 60_000)
})

test('equal lists cost one small answer; a list of files that nobody has does no harm', async () => {
  const { mesh, ada, has, asked } = await story(new Set([1]))
  await using _ = mesh
  const blob = await upload(mesh, at(mesh, 0), ada.id, mesh.crypto.random(5_000))
  await mesh.until(() => has(2, blob))
  asked.length = 0
  await mesh.clock.advance(60_000)
  // As long as something does not come, as often as records are compared.
  expect(asked.length).toBeLessThan(15)
  const { bytes } = (await mesh.wait(at(mesh, 0).call('admin.status', {}))).storage
  expect(bytes).toBeLessThan(10_000)
})
