/** A shard that outgrows what its holders promised: they are asked for more before it is full. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const small = 20_000
const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

async function growing(hosts: number, mostAtHost: number) {
  const mesh = await createMesh(hosts + 1, {
    config: (index) => ({
      hosting: { firstLeaseBytes: small, leaseBytes: index === 0 ? 50 * small : mostAtHost },
    }),
  })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(at(mesh, 0)))
  expect(await mesh.wait(ada.place(at(mesh, 0), hosts))).toBe(hosts + 1)
  const write = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++)
      await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: `${i} ${'x'.repeat(200)}` }))
  }
  const leased = async (): Promise<number[]> => {
    const { leases } = await at(mesh, 0).call('admin.leases', {})
    return leases[0]?.taken.map(({ bytes }) => bytes) ?? []
  }
  const problems = async (): Promise<string[]> =>
    (await mesh.wait(at(mesh, 0).call('admin.status', {}))).problems.map(({ code }) => code)
  return { mesh, ada, write, leased, problems }
}

test('small at first, then as much as is needed, at all holders and over a restart', async () => {
  const { mesh, ada, write, leased, problems } = await growing(2, 50 * small)
  await using _ = mesh
  expect(await mesh.wait(leased())).toEqual([small, small])
  await write(10)
  await mesh.clock.advance(10_000)
  expect(await mesh.wait(leased())).toEqual([small, small])
  await write(15)
  await mesh.until(async () => (await leased()).every((bytes) => bytes === 2 * small), 30_000)
  await write(150)
  await mesh.until(async () => (await leased()).every((bytes) => bytes >= 4 * small), 60_000)
  await mesh.until(() => mesh.nodes.every(({ store }) => store.shards.get(ada.id)?.records === 175), 400_000)
  expect(await problems()).not.toContain('COPY_FULL')
  await mesh.close(0)
  await mesh.wait(mesh.open(0))
  await write(200)
  await mesh.until(() => mesh.nodes.every(({ store }) => store.shards.get(ada.id)?.records === 375), 400_000)
})

test('a holder with no more room keeps what it promised, and the home says so before it is full', async () => {
  const { mesh, ada, write, leased, problems } = await growing(1, 2 * small)
  await using _ = mesh
  await write(90)
  await mesh.clock.advance(60_000)
  expect(await mesh.wait(leased())).toEqual([2 * small])
  expect(await problems()).toContain('COPY_FULL')
  // It keeps its seat where the owner asks for copies anew.
  expect(await mesh.wait(ada.place(at(mesh, 0), 1))).toBe(2)
  // Nor is it taken for one that renews no more.
  expect(await problems()).not.toContain('LEASE_ENDS')
})

test('nobody gets more than their quota, at neighbours neither', async () => {
  const { mesh, ada, write, leased } = await growing(1, 50 * small)
  await using _ = mesh
  await mesh.wait(at(mesh, 0).call('admin.host.quota', { identity: ada.id, quotaBytes: 1.5 * small }))
  await write(25)
  await mesh.clock.advance(30_000)
  expect(await mesh.wait(leased())).toEqual([1.5 * small])
  await expect(write(100)).rejects.toThrow('NO_QUOTA')
  const { usedBytes } = await mesh.wait(
    at(mesh, 0).call('admin.host.quota', { identity: ada.id, quotaBytes: 10 * small }),
  )
  expect(usedBytes).toBeLessThanOrEqual(1.5 * small)
  await write(25)
  await mesh.until(async () => (await leased()).every((bytes) => bytes > 1.5 * small), 900_000)
  // It is kept over a restart; and is none of somebody who lives elsewhere.
  await mesh.close(0)
  await mesh.wait(mesh.open(0))
  const { hosted } = await mesh.wait(at(mesh, 0).call('admin.status', {}))
  expect(hosted[0]?.quotaBytes).toBe(10 * small)
  await expect(
    mesh.wait(at(mesh, 1).call('admin.host.quota', { identity: ada.id, quotaBytes: 1 })),
  ).rejects.toMatchObject({ code: 'NOT_HOSTED' })
})
