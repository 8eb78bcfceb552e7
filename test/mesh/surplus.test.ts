/** After a move there is a copy more than the owner asked for: one goes once those who stay have shown what they have. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const copies = 2

async function movedTwice() {
  const mesh = await createMesh(5)
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  const first = mesh.nodes[0] as MeshNode
  await mesh.wait(ada.moveIn(first))
  await mesh.wait(ada.place(first, copies))
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(first, 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(30_000)
  const home = mesh.nodes.find(({ store }) => store.shards.get(ada.id) === undefined) as MeshNode
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(home.call('replica-set.get', { owner: ada.id }))
  // Whoever had a copy has one still: nothing is lost by moving.
  expect(await mesh.wait(ada.place(home, copies))).toBe(copies + 2)
  const isWhole = async (): Promise<boolean> =>
    (await home.call('admin.status', {})).hosted[0]?.replicas.every(({ state }) => state === 'current') ===
    true
  await mesh.until(isWhole, 60_000)
  return { mesh, ada, home }
}

test('who proves to have all of it stays, and the surplus seat goes', async () => {
  const { mesh, ada, home } = await movedTwice()
  await using _ = mesh
  await mesh.clock.advance(60_000)
  expect(await mesh.wait(ada.place(home, copies))).toBe(copies + 1)
  // What went was handed over: nobody who stays lacks anything.
  await mesh.clock.advance(60_000)
  for (const { node } of (await mesh.wait(home.call('admin.status', {}))).hosted[0]?.replicas ?? []) {
    const holder = mesh.nodes.find(({ id }) => id === Buffer.from(node).toString('hex'))
    expect(holder?.store.shards.get(ada.id)?.records).toBe(5)
  }
})

test('nobody goes while too few have shown it', async () => {
  const { mesh, ada, home } = await movedTwice()
  await using _ = mesh
  await mesh.clock.advance(60_000)
  const holders = mesh.nodes.filter(
    (one) => one !== home && one.store.shards.get(ada.id)?.status === 'hosted',
  )
  const silent = new Set(holders.slice(0, 2).map(({ id }) => id))
  mesh.holdBack((_from, to, method) => method === 'shard/audit' && silent.has(to))
  expect(await mesh.wait(ada.place(home, copies))).toBe(copies + 2)
  mesh.holdBack(undefined)
  // Nor is everybody asked to read all of it again at once.
  const asked: string[] = []
  mesh.holdBack((_from, _to, method) => {
    asked.push(method)
    return false
  })
  expect(await mesh.wait(ada.place(home, copies))).toBe(copies + 2)
  expect(asked).not.toContain('shard/audit')
  // Fewer than before are the owner's to ask for, whatever anybody shows.
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
})
