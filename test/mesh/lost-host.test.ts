/** What a holder confirmed before it lost its disk. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { encodeLeases } from '../../protocol/placement/messages.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

test('a holder that says it holds nothing counts as no copy', async () => {
  await using mesh = await createMesh(2, { config: () => ({ hosting: { reconcileEveryMs: 5_000 } }) })
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
  const id = await mesh.wait(ada.put(home, 'posts', { text: 'one' }))
  const copies = async () => {
    const { hosted } = await mesh.wait(home.call('admin.status', {}))
    const ids = [Uint8Array.from(Buffer.from(id, 'hex'))]
    const status = await mesh.wait(home.call('record.status', { owner: ada.id, ids }))
    return [hosted.find(({ identity }) => toHex(identity) === toHex(ada.id))?.copies, status.copies[0]]
  }
  await mesh.until(async () => (await copies())[0] === 2)
  await mesh.clock.advance(20_000)
  await mesh.close(1)
  const disk = mesh.disk(1)
  for (const { key } of await disk.range({})) await disk.batch([{ type: 'del', key }])
  // It has no room any more.
  mesh.lie(1, (method) => (method === 'shard/lease' ? encodeLeases([undefined]) : undefined))
  await mesh.open(1)
  await mesh.clock.advance(120_000)
  expect(mesh.nodes[1]?.store.shards.get(ada.id)).toBeUndefined()
  expect(await copies()).toEqual([1, 1])
})
