/** A store that lost what the node noted of its shards: who lives here, whose copies are kept, which of them are whole. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { openStore } from '../../storage/store.ts'
import { defaultConfig } from '../../daemon/config.ts'
import { noteUnsure, restoreHosting } from '../../daemon/damage/restore-hosting.ts'
import { grantedKind } from '../../daemon/leases/ledger.ts'
import { replicaSetKind } from '../../daemon/placement/replica-sets.ts'
import { createMesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

test('it hosts again whom their sets name, and no copy counts as whole before it was compared', async () => {
  const mesh = await createMesh(5)
  await using _ = mesh
  const home = mesh.nodes[0] as MeshNode
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home))).toBe(4)
  await mesh.wait(ada.put(home, 'posts', { text: 'hello' }))
  const isHeld = ({ store }: MeshNode): boolean => store.shards.get(ada.id)?.records === 1
  await mesh.until(() => mesh.nodes.filter(isHeld).length === 4)
  const other = mesh.nodes.find((node) => node !== home && isHeld(node)) as MeshNode
  await mesh.until(() => other.store.documents.get('whole', ada.id) !== undefined)

  const hostedAt = async (node: MeshNode) => {
    const { hosted } = await mesh.wait(node.call('admin.status', {}))
    return hosted.filter(({ identity }) => toHex(identity) === ada.name)
  }
  for (const { index, id } of [home, other]) {
    const before = await hostedAt(mesh.nodes[index] as MeshNode)
    await mesh.close(index)
    const kv = mesh.disk(index)
    const store = await openStore(kv, { clock: mesh.clock })
    await store.documents.delete('hosted', ada.id)
    const parts = {
      store,
      crypto: mesh.crypto,
      self: Buffer.from(id, 'hex'),
      config: defaultConfig({ XDG_STATE_HOME: '/nowhere' }).hosting,
    }
    // Nobody said that anything was lost: a start costs nothing.
    await restoreHosting(parts)
    expect(store.documents.get('hosted', ada.id)).toBeUndefined()
    await noteUnsure(kv)
    await restoreHosting(parts)
    expect(store.documents.get('whole', ada.id)).toBeUndefined()
    await store.close()
    await mesh.wait(mesh.open(index))
    const [after] = await hostedAt(mesh.nodes[index] as MeshNode)
    expect(after).toMatchObject({ person: index === 0, quotaBytes: before[0]?.quotaBytes })
    await mesh.until(async () => (await hostedAt(mesh.nodes[index] as MeshNode))[0]?.copies === 4)
  }
  expect(mesh.nodes[other.index]?.store.documents.get('whole', ada.id)).toBeDefined()
})

test('who lost the newest set and its promise too has room for what comes, as it may have a seat', async () => {
  await using mesh = await createMesh(5)
  const home = mesh.nodes[0] as MeshNode
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
  const older = home.store.documents.get(replicaSetKind, ada.id) as Uint8Array
  const records = ({ index }: MeshNode) => mesh.nodes[index]?.store.shards.get(ada.id)?.records
  const isHeld = (node: MeshNode): boolean => records(node) === 1
  await mesh.wait(ada.put(home, 'posts', { text: 'hello' }))
  await mesh.until(() => mesh.nodes.filter(isHeld).length === 2)
  const first = mesh.nodes.filter(isHeld)
  expect(await mesh.wait(ada.place(home))).toBe(4)
  await mesh.until(() => mesh.nodes.filter(isHeld).length === 4)
  const other = mesh.nodes.find((node) => isHeld(node) && !first.includes(node)) as MeshNode

  await mesh.close(other.index)
  const kv = mesh.disk(other.index)
  const store = await openStore(kv, { clock: mesh.clock })
  for (const kind of ['hosted', grantedKind]) await store.documents.delete(kind, ada.id)
  await store.documents.put(replicaSetKind, ada.id, older)
  await noteUnsure(kv)
  const config = defaultConfig({ XDG_STATE_HOME: '/nowhere' }).hosting
  await restoreHosting({ store, crypto: mesh.crypto, self: Buffer.from(other.id, 'hex'), config })
  await store.close()
  await mesh.wait(mesh.open(other.index))
  await mesh.wait(ada.put(home, 'posts', { text: 'and more' }))
  await mesh.until(() => records(other) === 2)
})
