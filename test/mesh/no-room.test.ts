/** A shard that came to be larger than the lease of one of its holders: what does not fit there is not sent again and again. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { Hosting, type Hosted } from '../../daemon/hosting.ts'
import { openStore } from '../../storage/store.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const small = 20_000

test.each([
  ['joins with too little', 100],
  ['came to have too little', 20],
])(
  'one that %s room is asked and asks ever more seldom, and has all once there is room',
  async (_, first) => {
    const asked: string[] = []
    await using mesh = await createMesh(2, {
      config: (index) => ({
        hosting: { leaseBytes: index === 0 ? 50 * small : small, reconcileEveryMs: 120_000 },
      }),
      onRequest: (_from, _to, method) => void asked.push(method),
    })
    await mesh.clock.advance(3_000)
    const home = mesh.nodes[0] as MeshNode
    const ada = new Resident(mesh, microblog)
    const records = (): number => mesh.nodes[1]?.store.shards.get(ada.id)?.records ?? 0
    const write = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++)
        await mesh.wait(ada.put(home, 'posts', { text: `${i} ${'x'.repeat(200)}` }))
    }
    await mesh.wait(ada.moveIn(home))
    await write(first)
    expect(await mesh.wait(ada.place(home, 1, [], small))).toBe(2)
    await write(100 - first)
    await mesh.clock.advance(300_000)
    expect([records() > 20, records() < 100]).toEqual([true, true])
    asked.length = 0
    await mesh.clock.advance(10 * 60_000)
    expect(asked.filter((method) => /fetch|reconcile|snapshot/.test(method)).length).toBeLessThan(60)
    expect(asked.filter((method) => method === 'shard/push').length).toBeLessThan(60)
    await mesh.close(1)
    const store = await openStore(mesh.disk(1), { clock: mesh.clock })
    const hosting = await Hosting.open(store)
    await hosting.add({ ...(hosting.get(ada.id) as Hosted), quotaBytes: 50 * small })
    await store.close()
    await mesh.wait(mesh.open(1))
    await mesh.until(() => records() === 100, 300_000)
  },
)
