/** Ada lives in Lagos and is in Berlin for two weeks. */
import { expect, test } from 'vitest'
import { beGuest, guestHosts, nearestHost, type GuestParts } from '../../client/guest.ts'
import type { Identity } from '../../client/identity/identity.ts'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000

/** Half of the round trip between data centres of these towns, in ms; within a town a few. */
const lagosToBerlinMs = 55
const lagosToAccraMs = 15

async function abroad(posts = 200) {
  // 0 Lagos, her home; 1 Abuja and 2 Accra hold copies; 3 Berlin and 4 Hamburg are strangers who offer space.
  const mesh = await createMesh(5, {
    config: () => ({
      hosting: {
        // Of a month's lease and a stay of two weeks a thirtieth: days of heartbeats would take minutes.
        ...{ copies: 2, leaseMs: dayMs, heartbeatMs: 600_000, suspectAfterMs: hourMs },
        ...{ replaceAfterMs: 3 * dayMs, reconcileEveryMs: dayMs },
      },
    }),
  })
  for (const [a, one] of mesh.nodes.entries())
    for (const [b, other] of mesh.nodes.entries()) {
      if (a >= b) continue
      const delayMs = a > 2 ? 4 : b > 2 ? lagosToBerlinMs : lagosToAccraMs
      mesh.network.setLink(one.id, other.id, { delayMs })
    }
  await mesh.clock.advance(30_000)
  const home = at(mesh, 0)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ada.place(home, 2, [at(mesh, 3).id, at(mesh, 4).id]))
  await mesh.wait(ada.put(home, 'profile', { name: 'Ada' }))
  for (let i = 0; i < posts; i++) await mesh.wait(ada.put(home, 'posts', { text: `post ${i} from Lagos` }))
  await mesh.clock.advance(60_000)
  return { mesh, home, ada }
}

const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

/** By her phone at home, as the administrator's calls go. */
function partsOf(mesh: Mesh, home: MeshNode, ada: Resident): GuestParts {
  const identity = { id: ada.id, role: 'owner', device: ada.person.device, state: ada.person.state }
  return {
    call: (operation, request) => home.call(operation, request),
    identity: identity as Partial<Identity> as Identity,
    crypto: mesh.crypto,
  }
}

/** As her phone does it: asks her home who would take her, and measures. */
async function goTo(mesh: Mesh, home: MeshNode, ada: Resident, days: number): Promise<MeshNode> {
  const parts = partsOf(mesh, home, ada)
  const hosts = await mesh.wait(guestHosts(parts))
  const distance = new Map([
    [at(mesh, 3).id, 9],
    [at(mesh, 4).id, 22],
  ])
  const nearest = await nearestHost(hosts, async ({ node }) => distance.get(toHex(node)))
  expect(toHex(nearest?.host.node as Uint8Array)).toBe(at(mesh, 3).id)
  await mesh.wait(beGuest(parts, nearest?.host.node as Uint8Array, { days }))
  return at(mesh, 3)
}

test('within a minute of asking, pages come from Berlin alone; when she is back, the copy goes and nothing with it', async () => {
  const { mesh, home, ada } = await abroad()
  await using _ = mesh
  const askedMs = mesh.clock.nowMs()
  const berlin = await goTo(mesh, home, ada, 14 / 30)
  const ready = async (): Promise<boolean> => {
    const { hosted } = await berlin.call('admin.status', {})
    const [mine] = hosted
    const others = mine?.replicas.filter(({ state }) => state === 'current').length ?? 0
    return mine !== undefined && mine.records === 201 && mine.copies > others
  }
  await mesh.until(ready, 60_000)
  expect(mesh.clock.nowMs() - askedMs).toBeLessThan(60_000)
  // It holds the set as a guest, beside the copies that there are to be.
  const { hosted } = await mesh.wait(home.call('admin.status', {}))
  expect(hosted[0]).toMatchObject({ copiesWanted: 3 })
  expect(hosted[0]?.replicas.length).toBe(3)
  const before = mesh.clock.nowMs()
  const { records } = await mesh.wait(
    berlin.call('record.list', { owner: ada.id, app: microblog.id, collection: 'posts', limit: 50 }),
  )
  expect([records.length, mesh.clock.nowMs() - before]).toEqual([50, 0])

  // It is not renewed, and other holders chosen meanwhile leave it where it is.
  await mesh.clock.advance((10 / 30) * dayMs)
  expect(await mesh.wait(ada.place(home, 2))).toBe(4)
  await mesh.clock.advance((3.9 / 30) * dayMs)
  await mesh.wait(ada.put(berlin, 'posts', { text: 'last post from Berlin' }))
  await mesh.until(() => berlin.store.shards.get(ada.id) === undefined, dayMs / 4)
  expect(home.store.shards.get(ada.id)?.records).toBe(202)
  expect(await mesh.wait(ada.place(home, 2))).toBe(3)
})

test('what was written at the guest alone stays there until another holder has it', async () => {
  const { mesh, home, ada } = await abroad(20)
  await using _ = mesh
  const berlin = await goTo(mesh, home, ada, 1 / 30)
  await mesh.until(() => berlin.store.shards.get(ada.id)?.records === 21, 60_000)
  await mesh.clock.advance(2_000) // and the schema
  const away = [0, 1, 2].map((index) => at(mesh, index).id)
  mesh.holdBack(
    (from, to) => (from === berlin.id && away.includes(to)) || (to === berlin.id && away.includes(from)),
  )
  await mesh.wait(ada.put(berlin, 'posts', { text: 'on a train without a line' }))
  await mesh.clock.advance(dayMs / 10)
  expect(berlin.store.shards.get(ada.id)?.records).toBe(22)
  mesh.holdBack(undefined)
  await mesh.until(() => home.store.shards.get(ada.id)?.records === 22, dayMs)
  await mesh.until(() => berlin.store.shards.get(ada.id) === undefined, dayMs / 4)
})

test('who is not known, or takes no guests, is told apart, and nothing is signed', async () => {
  const { mesh, home, ada } = await abroad(1)
  await using _ = mesh
  const parts = partsOf(mesh, home, ada)
  const berlin = fromHex(at(mesh, 3).id, 32) as Uint8Array
  await expect(mesh.wait(beGuest(parts, mesh.crypto.random(32), { days: 1 }))).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
  const setNow = async () => (await mesh.wait(home.call('replica-set.get', { owner: ada.id }))).replicaSet
  const before = await setNow()
  await mesh.close(3)
  await expect(mesh.wait(beGuest(parts, berlin, { days: 1 }))).rejects.toMatchObject({ code: 'NO_QUOTA' })
  expect(await setNow()).toEqual(before)
})
