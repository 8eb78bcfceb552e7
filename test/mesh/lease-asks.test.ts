/** What others may have of a node by asking it for leases, many at once or of shards that are none of theirs. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { signLeaseAsk } from '../../protocol/placement/lease.ts'
import { decodeLeases, encodeLeaseAsks } from '../../protocol/placement/messages.ts'
import { createMesh, type Mesh, type MeshConfig, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const mb = 1_000_000
const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

async function openHouses(count: number, hosting: Partial<MeshConfig['hosting']>) {
  const mesh = await createMesh(count, {
    config: () => ({ hosting: { leaseBytes: mb, offerBytes: 10 * mb, heartbeatMs: 600_000, ...hosting } }),
  })
  await mesh.clock.advance(3_000)
  return mesh
}

/** A node that nobody knows; `ask` answers which of the shards it was promised so many bytes for. */
function joinStranger(mesh: Mesh) {
  const seed = mesh.crypto.random(32)
  const home = mesh.crypto.signingPublicKey(seed)
  const stranger = mesh.network.join(toHex(home))
  const ask = async (host: MeshNode, owners: readonly Uint8Array[], bytes: number): Promise<boolean[]> => {
    const asks = owners.map((owner) => {
      const terms = { host: fromHex(host.id, 32) as Uint8Array, owner, shard: owner, home }
      const signature = signLeaseAsk(mesh.crypto, { ...terms, askedBytes: bytes, askedMs: 0 }, seed)
      return { owner, shard: owner, bytes, lastsMs: 0, signature }
    })
    const { signal } = new AbortController()
    const answer = await mesh.wait(
      stranger.rpc.request(host.id, 'shard/lease', encodeLeaseAsks(asks), { signal }),
    )
    return decodeLeases(answer).map((lease) => lease !== undefined)
  }
  return { home, id: toHex(home), ask }
}

const nobodies = (count: number, from = 0): Uint8Array[] =>
  Array.from({ length: count }, (_, n) => {
    const owner = new Uint8Array(32)
    new DataView(owner.buffer).setUint32(0, from + n + 1)
    return owner
  })

test('what is offered to one node is all that it gets, in one message or in several at once', async () => {
  await using mesh = await openHouses(1, { offerTo: 'nobody' })
  const { ask, id } = joinStranger(mesh)
  await mesh.wait(at(mesh, 0).call('admin.offer.set', { to: id, bytes: 2 * mb }))
  const granted = await Promise.all([
    ask(at(mesh, 0), nobodies(4), mb),
    ask(at(mesh, 0), nobodies(4, 100), mb),
  ])
  expect(granted.flat().filter(Boolean)).toHaveLength(2)
})

test('a stranger who asks about who lives here, or whose shard is kept here, changes nothing that is told of neighbours', async () => {
  await using mesh = await openHouses(2, { offerTo: 'anyone' })
  const [home, host] = [at(mesh, 0), at(mesh, 1)]
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ada.place(home, 1))
  await mesh.until(() => host.store.shards.get(ada.id) !== undefined)
  const { ask, home: stranger } = joinStranger(mesh)
  expect(await ask(home, [ada.id], 1)).toEqual([true])
  expect(await ask(host, [ada.id], 1)).toEqual([true])
  const homeOf = async (node: MeshNode) =>
    (await mesh.wait(node.call('admin.leases', {}))).leases[0]?.given?.home
  expect(await homeOf(host)).toEqual(fromHex(home.id, 32))
  const rowOf = async (node: MeshNode) =>
    (await mesh.wait(node.call('admin.neighbours', {}))).neighbours.find(
      (one) => toHex(one.node) === toHex(stranger),
    )?.kept.shards ?? 0
  expect([await rowOf(home), await rowOf(host)]).toEqual([0, 0])
  for (const index of [0, 1]) {
    await mesh.close(index)
    await mesh.open(index)
  }
  await mesh.clock.advance(3_000)
  expect([await rowOf(at(mesh, 0)), await rowOf(at(mesh, 1))]).toEqual([0, 0])
})

test('more bytes that a holder promises for a shard that it has are there, over a restart too', async () => {
  await using mesh = await openHouses(2, { leaseBytes: 4 * mb })
  const [home, host] = [at(mesh, 0), at(mesh, 1)]
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  const propose = (bytes: number) =>
    mesh.wait(home.call('placement.propose', { owners: [ada.id], copies: 1, bytes }))
  await mesh.wait(ada.place(home, 1, [], mb))
  await mesh.until(() => host.store.shards.get(ada.id) !== undefined)
  const kept = async () => {
    const { leases } = await mesh.wait(at(mesh, 1).call('admin.leases', {}))
    const { leasedBytes } = await mesh.wait(at(mesh, 1).call('admin.neighbours', {}))
    return [leases[0]?.given?.bytes, leasedBytes]
  }
  expect(await kept()).toEqual([mb, mb])
  expect((await propose(3 * mb)).proposals[0]?.leases).toHaveLength(1)
  expect(await kept()).toEqual([3 * mb, 3 * mb])
  await mesh.close(1)
  await mesh.open(1)
  expect(await kept()).toEqual([3 * mb, 3 * mb])
})

test('a stranger who asks for thousands of shards that are not there keeps nobody from renewing what is', async () => {
  await using mesh = await openHouses(2, { offerTo: 'anyone' })
  const [home, host] = [at(mesh, 0), at(mesh, 1)]
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
  await mesh.until(() => host.store.shards.get(ada.id) !== undefined)
  const { ask } = joinStranger(mesh)
  let from = 0
  for (let granted = true; granted; from += 128)
    granted = (await ask(host, nobodies(128, from), 1)).every(Boolean)
  expect(from).toBeGreaterThan(16_000)
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
}, 60_000)
