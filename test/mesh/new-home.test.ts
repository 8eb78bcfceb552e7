/** Somebody comes to live at another box while others hold their records; nothing is compared by schedule. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decodeComparison, encodeCompared } from '../../protocol/replication/messages.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const node = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

/** With so many copies beside the home; `more` come to be asked for by the next. */
async function story(copies: number, more = 0, offers: { readonly offerTo?: 'nobody' } = {}) {
  const hosting = { reconcileEveryMs: 24 * 3_600_000 }
  const liars = new Set<number>()
  const mesh = await createMesh(4, {
    onJoin(place, index) {
      const handle = place.rpc.handle.bind(place.rpc)
      place.rpc.handle = (method, handler) =>
        handle(method, async (request) => {
          if (method !== 'shard/compare' || !liars.has(index)) return handler(request)
          const { shards } = decodeComparison(request.body)
          return encodeCompared(shards.map(() => ({ records: 'equal' as const, sameSet: true })))
        })
    },
    config: (index) => ({ hosting: index === 0 ? { ...hosting, ...offers } : hosting }),
  })
  await mesh.clock.advance(3_000) // everybody has greeted everybody
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(node(mesh, 0)))
  await mesh.wait(ada.place(node(mesh, 0), copies))
  await mesh.clock.advance(1_000) // whoever has a seat sits
  const holds = async (index: number, count: number): Promise<boolean> =>
    (await node(mesh, index).store.records.refs(ada.id)).length === count
  // None of hers so far: it has nothing but what it is brought.
  const fresh = [1, 2, 3].find((index) => node(mesh, index).store.shards.get(ada.id) === undefined) as number
  const move = async (): Promise<void> => {
    await mesh.wait(ada.moveIn(node(mesh, fresh)))
    await mesh.wait(node(mesh, fresh).call('replica-set.get', { owner: ada.id }))
    await mesh.wait(ada.place(node(mesh, fresh), copies + 1 + more))
  }
  /** From now on it answers that everything is equal. */
  const liesOf = (index: number): void => void liars.add(index)
  return { mesh, ada, fresh, move, holds, liesOf }
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

test.for(['closed', 'crashed'] as const)(
  'a box that is %s before all has come is brought the rest',
  async (how) => {
    const { mesh, ada, fresh, move, holds } = await story(1)
    await using _ = mesh
    for (let i = 0; i < 5; i++) await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` }))
    await mesh.clock.advance(30_000)
    await move()
    expect(await holds(fresh, 0)).toBe(true)
    await mesh.close(fresh, how)
    await mesh.open(fresh)
    // Nor is it taken for a copy meanwhile: what a recovery then named of a lost device would be nothing.
    const { hosted } = await mesh.wait(node(mesh, fresh).call('admin.status', {}))
    const [shown] = hosted
    expect(shown?.copies).toBe(shown?.replicas.filter((one) => one.state === 'current').length)
    await mesh.until(() => holds(fresh, 5), 20_000)
  },
)

test('an empty newcomer beside it does not make it a copy', async () => {
  const { mesh, ada, fresh, move, holds } = await story(1, 1)
  await using _ = mesh
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(30_000)
  // Those who have the records answer, and are slow to hand them over.
  const { id } = node(mesh, fresh)
  mesh.holdBack(
    (from, to, method) =>
      (method === 'shard/push' && to === id) ||
      (['shard/reconcile', 'shard/snapshot'].includes(method) && from === id),
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

test('a box whose person takes the burnt one out waits for nothing more, also after a restart', async () => {
  const { mesh, ada, fresh } = await story(0)
  await using _ = mesh
  await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: 'gone' }))
  await mesh.wait(ada.moveIn(node(mesh, fresh)))
  await mesh.wait(node(mesh, fresh).call('replica-set.get', { owner: ada.id }))
  await mesh.wait(ada.place(node(mesh, fresh), 1))
  await mesh.close(0)
  await mesh.clock.advance(60_000)
  const copies = async () => (await mesh.wait(node(mesh, fresh).call('admin.status', {}))).hosted[0]?.copies
  expect(await copies()).toBe(0)
  await mesh.wait(ada.place(node(mesh, fresh), 0, [node(mesh, 0).id]))
  await mesh.until(async () => (await copies()) === 1, 5_000)
  await mesh.close(fresh)
  await mesh.open(fresh)
  expect(await copies()).toBe(1)
})

test('another box that is new as well and as empty does not make it whole: a recovery would name none of a lost device', async () => {
  const { mesh, ada, fresh, holds } = await story(0)
  await using _ = mesh
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(30_000)
  await mesh.wait(ada.moveIn(node(mesh, fresh)))
  await mesh.wait(node(mesh, fresh).call('replica-set.get', { owner: ada.id }))
  expect(await mesh.wait(ada.place(node(mesh, fresh), 2))).toBe(3)
  await mesh.close(0)
  const isWhole = async (): Promise<boolean> => {
    const { hosted } = await mesh.wait(node(mesh, fresh).call('admin.status', {}))
    const current = hosted[0]?.replicas.filter(({ state }) => state === 'current').length ?? 0
    return (hosted[0]?.copies ?? 0) > current
  }
  await mesh.clock.advance(10_000)
  expect([await holds(fresh, 0), await isWhole()]).toEqual([true, false])
  // Nor after a restart.
  await mesh.close(fresh)
  await mesh.open(fresh)
  await mesh.clock.advance(10_000)
  expect(await isWhole()).toBe(false)
  await mesh.open(0)
  await mesh.until(async () => (await holds(fresh, 5)) && (await isWhole()), 30_000)
})

test('whom it waits for keeps the seat as others are asked for more, also where it offers space to nobody else', async () => {
  const { mesh, ada, fresh, move, holds } = await story(0, 0, { offerTo: 'nobody' })
  await using _ = mesh
  await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: 'one' }))
  await mesh.clock.advance(30_000)
  await move()
  expect(await holds(fresh, 0)).toBe(true)
  await mesh.wait(ada.place(node(mesh, fresh), 2))
  const { hosted } = await mesh.wait(node(mesh, fresh).call('admin.status', {}))
  expect(hosted[0]?.replicas.map((one) => toHex(one.node))).toContain(node(mesh, 0).id)
})

test('whom it waits for and who is away is put out by name alone', async () => {
  const { mesh, ada, fresh, move, holds } = await story(0)
  await using _ = mesh
  await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: 'one' }))
  await mesh.clock.advance(30_000)
  await move()
  await mesh.close(0)
  await mesh.clock.advance(60_000)
  expect(await holds(fresh, 0)).toBe(true)
  await expect(mesh.wait(ada.place(node(mesh, fresh), 2))).rejects.toMatchObject({ code: 'LAGGING' })
  expect(await mesh.wait(ada.place(node(mesh, fresh), 2, [node(mesh, 0).id]))).toBe(3)
})

test('one holder who says that nothing is everything does not make it whole, while others have the records', async () => {
  const { mesh, ada, fresh, move, holds, liesOf } = await story(2)
  await using _ = mesh
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` }))
  await mesh.clock.advance(30_000)
  const liar = [1, 2, 3].find((index) => index !== fresh) as number
  liesOf(liar)
  // The honest ones answer, and are slow to hand the records over.
  const { id } = node(mesh, fresh)
  mesh.holdBack(
    (from, to, method) =>
      (method === 'shard/push' && to === id) ||
      (['shard/reconcile', 'shard/snapshot'].includes(method) && [from, to].includes(id)),
  )
  await move()
  await mesh.clock.advance(20_000)
  const isWhole = async (): Promise<boolean> => {
    const { hosted } = await mesh.wait(node(mesh, fresh).call('admin.status', {}))
    const current = hosted[0]?.replicas.filter(({ state }) => state === 'current').length ?? 0
    return (hosted[0]?.copies ?? 0) > current
  }
  expect([await holds(fresh, 0), await isWhole()]).toEqual([true, false])
  mesh.holdBack(undefined)
  await mesh.until(() => holds(fresh, 5), 20_000)
  await mesh.until(isWhole, 20_000)
})
