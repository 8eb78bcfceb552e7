/** Somebody comes to live at another box while others hold their records; nothing is compared by schedule. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const node = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

/** With so many copies beside the home; `more` come to be asked for by the next. */
async function story(copies: number, more = 0) {
  const mesh = await createMesh(4, { config: () => ({ hosting: { reconcileEveryMs: 24 * 3_600_000 } }) })
  await mesh.clock.advance(3_000) // everybody has greeted everybody
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(node(mesh, 0)))
  await mesh.wait(ada.place(node(mesh, 0), copies))
  const holds = async (index: number, count: number): Promise<boolean> =>
    (await node(mesh, index).store.records.refs(ada.id)).length === count
  // None of hers so far: it has nothing but what it is brought.
  const fresh = [1, 2, 3].find((index) => node(mesh, index).store.shards.get(ada.id) === undefined) as number
  const move = async (): Promise<void> => {
    await mesh.wait(ada.moveIn(node(mesh, fresh)))
    await mesh.wait(node(mesh, fresh).call('replica-set.get', { owner: ada.id }))
    await mesh.wait(ada.place(node(mesh, fresh), copies + 1 + more))
  }
  return { mesh, ada, fresh, move, holds }
}

test('what was written the moment before comes along', async () => {
  const { mesh, ada, fresh, move, holds } = await story(0)
  await using _ = mesh
  await mesh.clock.advance(30_000)
  await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: 'and off' }))
  await move()
  await mesh.until(() => holds(fresh, 1), 20_000)
  // And it knows soon that the others have it too, which no comparison by schedule would tell it today.
  await mesh.until(async () => {
    const { hosted } = await node(mesh, fresh).call('admin.status', {})
    return hosted[0]?.replicas.every(({ state }) => state === 'current') === true
  }, 8_000)
})

test('a box that restarts before all has come is brought the rest', async () => {
  const { mesh, ada, fresh, move, holds } = await story(1)
  await using _ = mesh
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(30_000)
  await move()
  expect(await holds(fresh, 0)).toBe(true)
  await mesh.close(fresh)
  await mesh.open(fresh)
  // Nor is it taken for a copy meanwhile: what a recovery then named of a lost device would be nothing.
  const { hosted } = await mesh.wait(node(mesh, fresh).call('admin.status', {}))
  const [shown] = hosted
  expect(shown?.copies).toBe(shown?.replicas.filter((one) => one.state === 'current').length)
  await mesh.until(() => holds(fresh, 5), 20_000)
})

test('an empty newcomer beside it does not make it a copy', async () => {
  const { mesh, ada, fresh, move, holds } = await story(1, 1)
  await using _ = mesh
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(30_000)
  // Those who have the records answer, and are slow to hand them over.
  const { id } = node(mesh, fresh)
  mesh.holdBack(
    (from, to, method) =>
      (method === 'shard/push' && to === id) || (method === 'shard/reconcile' && from === id),
  )
  await move()
  await mesh.clock.advance(20_000)
  const { hosted } = await mesh.wait(node(mesh, fresh).call('admin.status', {}))
  const [shown] = hosted
  expect(shown?.replicas.length).toBe(3)
  expect(shown?.copies).toBe(shown?.replicas.filter((one) => one.state === 'current').length)
  mesh.holdBack(undefined)
  await mesh.until(() => holds(fresh, 5), 20_000)
})

test('once nobody who had the records has a seat any more, what is there is all there is', async () => {
  const { mesh, ada, fresh, move } = await story(0, 1)
  await using _ = mesh
  await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: 'nobody sees this again' }))
  await mesh.clock.advance(30_000)
  const { id } = node(mesh, fresh)
  mesh.holdBack((_from, to, method) => method === 'shard/push' && to === id)
  await move()
  await mesh.close(0)
  const isWhole = async (): Promise<boolean> => {
    const { hosted } = await node(mesh, fresh).call('admin.status', {})
    const [shown] = hosted
    return shown!.copies > shown!.replicas.filter((one) => one.state === 'current').length
  }
  await mesh.clock.advance(6_000)
  // Away, and not yet replaced.
  expect(await mesh.wait(isWhole())).toBe(false)
  await mesh.until(isWhole)
})
