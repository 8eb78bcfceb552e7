import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import type { SignedReplicaSet } from '../../protocol/placement/replica-set.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const copies = 3

async function setOf(mesh: Mesh, at: MeshNode, owner: Uint8Array): Promise<SignedReplicaSet> {
  const { replicaSet } = await mesh.wait(at.call('replica-set.get', { owner }))
  return unpackChain(mesh.crypto, replicaSet).newest
}

async function holds(node: MeshNode, owner: Uint8Array, count: number): Promise<boolean> {
  return (await node.store.records.refs(owner)).length === count
}

test('a box that was stolen loses its seats, gets nothing new, and cannot come back', async () => {
  await using mesh = await createMesh(8)
  const [box, fresh] = mesh.nodes as unknown as [MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(box))
  expect(await mesh.wait(ada.place(box, copies))).toBe(4)
  await mesh.wait(ada.put(box, 'posts', { text: 'before' }))
  const before = await setOf(mesh, box, ada.id)
  const seated = (set: SignedReplicaSet): MeshNode[] =>
    set.members.map((one) => mesh.nodes.find(({ id }) => id === toHex(one.node)) as MeshNode)
  const isTold = async (): Promise<boolean> => {
    const all = await Promise.all(seated(before).map((one) => holds(one, ada.id, 1)))
    return all.every(Boolean)
  }
  await mesh.until(isTold, 20_000)

  // Elsewhere, with what others held.
  const except = [box.id]
  await mesh.wait(ada.moveIn(fresh))
  // She lets in no boxes in her log, so that the new one would not look where she lived by itself.
  await setOf(mesh, fresh, ada.id)
  await mesh.wait(ada.place(fresh, copies, except))
  await mesh.wait(fresh.call('admin.deny.add', { nodes: [fromHex(box.id, 32) as Uint8Array] }))
  const after = await setOf(mesh, fresh, ada.id)
  const names = [...after.members, ...after.standby].map(({ node }) => toHex(node))
  expect(names).not.toContain(box.id)
  expect(after.members.length).toBe(copies + 1)
  await mesh.until(() => holds(fresh, ada.id, 1), 60_000)
  await mesh.wait(ada.put(fresh, 'posts', { text: 'after' }))
  const isWhole = async (): Promise<boolean> => {
    const all = await Promise.all(seated(after).map((one) => holds(one, ada.id, 2)))
    return all.every(Boolean)
  }
  await mesh.until(isWhole, 60_000)

  // It goes on as if nothing were, for as long as it takes to replace somebody, and longer.
  await mesh.clock.advance(120_000)
  const now = await setOf(mesh, fresh, ada.id)
  expect([now.epoch, now.step]).toEqual([after.epoch, after.step])
  for (const one of seated(after)) {
    const set = await setOf(mesh, one, ada.id)
    expect(toHex(set.hash)).toBe(toHex(after.hash))
  }
  expect(await holds(box, ada.id, 2)).toBe(false)
})

test('a node that is denied for good is denied after a restart, until it is allowed again', async () => {
  await using mesh = await createMesh(2)
  const [one, other] = mesh.nodes as unknown as [MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const isMet = async (at: MeshNode): Promise<boolean> => {
    const { peers } = await mesh.wait(at.call('admin.status', {}))
    return peers.some(({ node, connected }) => toHex(node) === other.id && connected)
  }
  expect(await isMet(one)).toBe(true)
  const nodes = [fromHex(other.id, 32) as Uint8Array]
  expect(await mesh.wait(one.call('admin.deny.add', { nodes }))).toEqual({ denied: 1 })
  expect(await mesh.wait(one.call('admin.deny.list', {}))).toEqual({ nodes })
  await mesh.clock.advance(5_000)
  expect(await isMet(one)).toBe(false)
  // The operator's list is another: emptied, it takes nothing of this away.
  await mesh.wait(one.call('admin.deny.set', { nodes: [] }))
  await mesh.close(0)
  const again = await mesh.open(0)
  await mesh.clock.advance(10_000)
  expect(await isMet(again)).toBe(false)
  expect(await mesh.wait(again.call('admin.deny.remove', { nodes }))).toEqual({ denied: 0 })
  expect(await mesh.wait(again.call('admin.deny.list', {}))).toEqual({ nodes: [] })
  await mesh.close(1)
  await mesh.open(1)
  await mesh.until(() => isMet(again), 20_000)
  const self = [fromHex(again.id, 32) as Uint8Array]
  await expect(mesh.wait(again.call('admin.deny.add', { nodes: self }))).rejects.toMatchObject({
    code: 'BAD_REQUEST',
  })
})
