/** What a node promised and nobody took up yet, over a restart of it; what it refuses though it offered it. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { encode } from '../../protocol/codec.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { limits } from '../../protocol/limits.ts'
import { signLease } from '../../protocol/placement/lease.ts'
import {
  decodeHello,
  decodeLeaseAsks,
  decodeLeases,
  encodeLeases,
} from '../../protocol/placement/messages.ts'
import { leaseAsk } from '../support/lease-ask.ts'
import { createMesh, meshNodeSeed, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'
import { helloOf } from '../support/street.ts'

const mb = 1_000_000

/** A node that offers two and a half MB, and a stranger who asks it. */
async function openHost() {
  const mesh = await createMesh(1, {
    config: () => ({ hosting: { offerBytes: 2.5 * mb, leaseBytes: 2 * mb, heartbeatMs: 600_000 } }),
  })
  const host = (): MeshNode => mesh.nodes[0] as MeshNode
  const seed = mesh.crypto.random(32)
  const stranger = mesh.network.join(toHex(mesh.crypto.signingPublicKey(seed)))
  const { signal } = new AbortController()
  const ask = (method: 'shard/hello' | 'shard/lease', body: Uint8Array): Promise<Uint8Array> =>
    mesh.wait(stranger.rpc.request(host().id, method, body, { signal }))
  return {
    mesh,
    host,
    offered: async (): Promise<number> => decodeHello(await ask('shard/hello', helloOf(mesh))).offeredBytes,
    async lease(n: number, bytes: number): Promise<boolean> {
      const owner = new Uint8Array(32).fill(n)
      const [lease] = decodeLeases(
        await ask('shard/lease', leaseAsk(mesh.crypto, { host: host().id, owner, bytes }, seed)),
      )
      return lease !== undefined
    },
    kept: async (kind: string): Promise<number> => (await host().store.documents.list(kind)).length,
  }
}

test.for(['closed', 'crashed'] as const)(
  'a node that %s promises the same bytes to nobody else',
  async (how) => {
    const { mesh, host, offered, lease, kept } = await openHost()
    await using _ = mesh
    expect([await lease(1, mb), await lease(2, mb)]).toEqual([true, true])
    expect([await offered(), await lease(3, mb)]).toEqual([mb / 2, false])
    await mesh.clock.advance(1_800_000)
    await mesh.close(0, how)
    await mesh.open(0)
    expect([await offered(), await lease(3, mb)]).toEqual([mb / 2, false])
    // Asked again by whom it was promised to, it is meant, and that one has its hour anew.
    expect(await lease(2, mb)).toBe(true)
    expect(host().store.documents.get('lease-promised', new Uint8Array(32).fill(2))).toBeDefined()
    // What nobody took up within the hour that began before is free again, and gone from the disk.
    await mesh.clock.advance(1_900_000)
    expect(await offered()).toBe(1.5 * mb)
    await mesh.clock.advance(1_000)
    expect([await kept('lease-promised'), await kept('lease-granted')]).toEqual([1, 1])
  },
)

test('a clock that was set back meanwhile keeps no bytes for longer than an hour', async () => {
  const { mesh, offered, lease } = await openHost()
  await using _ = mesh
  await lease(1, mb)
  await mesh.close(0)
  mesh.skew(0, -1_000_000_000)
  await mesh.open(0)
  expect(await offered()).toBe(1.5 * mb)
  await mesh.clock.advance(3_700_000)
  expect(await offered()).toBe(2.5 * mb)
})

test('a promise that became a shard is one no more, also where the node went away before it was erased', async () => {
  const mesh = await createMesh(4)
  await using _ = mesh
  // Until they have met.
  await mesh.clock.advance(5_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(mesh.nodes[0] as MeshNode))
  expect(await mesh.wait(ada.place(mesh.nodes[0] as MeshNode, 2))).toBe(3)
  const isHeld = ({ store }: MeshNode): boolean => store.documents.get('hosted', ada.id) !== undefined
  const isPromised = ({ store }: MeshNode): boolean =>
    store.documents.get('lease-promised', ada.id) !== undefined
  await mesh.until(() => mesh.nodes.filter((one) => isHeld(one) && !isPromised(one)).length === 3)
  const { index, store } = mesh.nodes.find((one) => one.index > 0 && isHeld(one)) as MeshNode
  const untilMs = mesh.clock.nowMs() + 1_000_000
  await mesh.wait(store.documents.put('lease-promised', ada.id, encode([mb, untilMs])))
  await mesh.close(index, 'crashed')
  const again = await mesh.open(index)
  await mesh.until(() => !isPromised(again))
  expect(isHeld(again)).toBe(true)
})

test('whoever lives at a node that offers space to nobody takes their records from there to their next home', async () => {
  await using mesh = await createMesh(2, { config: () => ({ hosting: { offerTo: 'nobody' } }) })
  const [before, next] = mesh.nodes as unknown as [MeshNode, MeshNode]
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(before))
  expect(await mesh.wait(ada.place(before, 0))).toBe(1)
  for (const text of ['one', 'two']) await mesh.wait(ada.put(before, 'posts', { text }))
  // Somebody who does not live there is promised nothing still.
  const { signal } = new AbortController()
  const stranger = mesh.crypto.random(32)
  const seed = mesh.crypto.random(32)
  const asked = leaseAsk(mesh.crypto, { host: before.id, owner: stranger, bytes: mb }, seed)
  const of = mesh.network.join(toHex(mesh.crypto.signingPublicKey(seed)))
  const answer = await mesh.wait(of.rpc.request(before.id, 'shard/lease', asked, { signal }))
  expect(decodeLeases(answer)).toEqual([undefined])

  await mesh.wait(ada.moveIn(next))
  await mesh.wait(next.call('replica-set.get', { owner: ada.id }))
  expect(await mesh.wait(ada.place(next, 1))).toBe(2)
  await mesh.until(() => next.store.shards.get(ada.id)?.records === 2, 60_000)
  await mesh.wait(ada.put(next, 'posts', { text: 'three' }))
  await mesh.until(() => before.store.shards.get(ada.id)?.records === 3, 60_000)
})

test('a lease of a form of before keeps no node from starting, and is given anew', async () => {
  await using mesh = await createMesh(2, { config: () => ({ hosting: { heartbeatMs: 60_000 } }) })
  await mesh.clock.advance(3_000)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(mesh.nodes[0] as MeshNode))
  expect(await mesh.wait(ada.place(mesh.nodes[0] as MeshNode, 1))).toBe(2)
  const host = mesh.nodes[1] as MeshNode
  await mesh.until(() => host.store.shards.get(ada.id) !== undefined)
  const before = encode([
    encode(['onehop/lease/1', 1, ada.id, ada.id, ada.id, ada.id, mb, mb, 2 ** 42]),
    new Uint8Array(64),
  ])
  await mesh.wait(host.store.documents.put('lease-granted', ada.id, before))
  await mesh.close(1, 'crashed')
  const again = await mesh.open(1)
  await mesh.clock.advance(120_000)
  expect(await mesh.wait(ada.place(mesh.nodes[0] as MeshNode, 1))).toBe(2)
  const { leases } = await mesh.wait(again.call('admin.leases', {}))
  expect(leases[0]?.given).toMatchObject({ bytes: 64 * 2 ** 20 })
})

test('where one refuses what it offered the next best are asked', async () => {
  await using mesh = await createMesh(5)
  await mesh.clock.advance(3_000)
  const home = mesh.nodes[0] as MeshNode
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  // Whichever two come first.
  let refusals = 2
  const refuses = (method: string) =>
    method === 'shard/lease' && refusals-- > 0 ? encodeLeases([undefined]) : undefined
  for (const { index } of mesh.nodes) mesh.lie(index, refuses)
  expect(await mesh.wait(ada.place(home, 2))).toBe(3)
  expect(refusals).toBeLessThan(0)
})

test('one who would refuse some records is given no seat', async () => {
  await using mesh = await createMesh(2)
  await mesh.clock.advance(3_000)
  const [home, other] = mesh.nodes as [MeshNode, MeshNode]
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  const node = fromHex(other.id, 32) as Uint8Array
  let largestRecordBytes: number = limits.recordBytesMax - 1
  mesh.lie(1, (method, body) => {
    if (method !== 'shard/lease') return undefined
    const leases = decodeLeaseAsks(body).map(({ owner, shard, bytes, lastsMs, signature }) => {
      const terms = { host: node, owner, shard, home: fromHex(home.id, 32) as Uint8Array }
      const asked = { ...terms, askedBytes: bytes, askedMs: lastsMs }
      const granted = {
        bytes,
        largestRecordBytes,
        bytesPerDay: bytes,
        expiresMs: mesh.clock.nowMs() + 60_000,
      }
      return signLease(mesh.crypto, { ...asked, ...granted }, signature, meshNodeSeed(mesh.crypto, 1))
    })
    return encodeLeases(leases)
  })
  expect(await mesh.wait(ada.place(home, 1))).toBe(1)
  largestRecordBytes++
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
})
