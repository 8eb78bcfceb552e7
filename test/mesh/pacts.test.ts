/** Neighbours who keep copies for each other: invitations, what is kept free for whom, leases that are renewed and end. */
import { describe, expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { parseInvitation } from '../../protocol/placement/invitation.ts'
import { signLeaseAsk } from '../../protocol/placement/lease.ts'
import { decodeLeases, encodeLeaseAsks } from '../../protocol/placement/messages.ts'
import { createMesh, type Mesh, type MeshConfig, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const mb = 1_000_000
const dayMs = 86_400_000

const keepsNothing: Partial<MeshConfig['hosting']> = {
  offerTo: 'nobody',
  leaseBytes: mb,
  offerBytes: 10 * mb,
  heartbeatMs: 60_000,
  suspectAfterMs: 300_000,
  replaceAfterMs: 30 * dayMs,
  reconcileEveryMs: dayMs,
}

async function openHouses(count: number, hosting: Partial<MeshConfig['hosting']> = {}) {
  const mesh = await createMesh(count, {
    config: (index) => ({ name: `box ${index}`, hosting: { ...keepsNothing, ...hosting } }),
  })
  await mesh.clock.advance(3_000)
  return mesh
}

const at = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode
const keyOf = ({ id }: MeshNode): Uint8Array => fromHex(id, 32) as Uint8Array

async function befriend(
  mesh: Mesh,
  inviter: number,
  invited: number,
  [givesBytes, getsBytes] = [5 * mb, 3 * mb],
) {
  const { link } = await mesh.wait(
    at(mesh, inviter).call('admin.invite', { givesBytes, getsBytes, label: 'Ben' }),
  )
  const made = await mesh.wait(at(mesh, invited).call('admin.invite.accept', { link }))
  await mesh.clock.advance(601_000)
  return { link, made }
}

async function row(mesh: Mesh, index: number, other: number) {
  const { neighbours } = await mesh.wait(at(mesh, index).call('admin.neighbours', {}))
  const found = neighbours.find(({ node }) => toHex(node) === at(mesh, other).id)
  if (found === undefined) throw new Error('not a neighbour')
  return found
}

describe('an invitation', () => {
  test('makes a pact of two who offer nothing to strangers: each holds copies of the other', async () => {
    await using mesh = await openHouses(2)
    const ada = new Resident(mesh, microblog)
    const ben = new Resident(mesh, microblog)
    await mesh.wait(ada.moveIn(at(mesh, 0)))
    await mesh.wait(ben.moveIn(at(mesh, 1)))
    expect(await mesh.wait(ada.place(at(mesh, 0), 1))).toBe(1)

    const { made } = await befriend(mesh, 0, 1)
    expect(made).toMatchObject({ label: 'box 0', givesBytes: 3 * mb, getsBytes: 5 * mb })
    expect(await row(mesh, 0, 1)).toMatchObject({
      label: 'Ben',
      pact: { givesBytes: 5 * mb, getsBytes: 3 * mb },
      offersBytes: 3 * mb,
    })
    expect(await mesh.wait(ada.place(at(mesh, 0), 1))).toBe(2)
    expect(await mesh.wait(ben.place(at(mesh, 1), 1))).toBe(2)
    await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: 'hello' }))
    await mesh.until(() => at(mesh, 1).store.shards.get(ada.id)?.records === 1, 600_000)
    await mesh.clock.advance(61_000)
    const [mine, theirs] = [await row(mesh, 0, 1), await row(mesh, 1, 0)]
    expect(mine).toMatchObject({
      keeps: { shards: 1, reservedBytes: mb, behind: 0 },
      kept: { shards: 1, bytes: 0, reservedBytes: mb },
      offersBytes: 2 * mb,
    })
    expect(mine.keeps.bytes).toBeGreaterThan(100)
    expect(theirs.kept).toMatchObject({ shards: 1, bytes: mine.keeps.bytes, reservedBytes: mb })
  })

  test('counts at once: each hears what the other keeps free for it, not at the next heartbeat', async () => {
    await using mesh = await openHouses(2)
    await mesh.clock.advance(5_000)
    const terms = { givesBytes: 5 * mb, getsBytes: 3 * mb, label: 'Ben' }
    const { link } = await mesh.wait(at(mesh, 0).call('admin.invite', terms))
    await mesh.wait(at(mesh, 1).call('admin.invite.accept', { link }))
    await mesh.clock.advance(1_000)
    expect([(await row(mesh, 0, 1)).offersBytes, (await row(mesh, 1, 0)).offersBytes]).toEqual([
      3 * mb,
      5 * mb,
    ])
  })

  test('is good once; who did not hear the answer comes again with it; it lies nowhere on the disk', async () => {
    await using mesh = await openHouses(3)
    const { link } = await befriend(mesh, 0, 1)
    const { secret } = parseInvitation(link)
    const lies = (await mesh.onDisk(0)).some((bytes) => Buffer.from(bytes).includes(Buffer.from(secret)))
    expect(lies).toBe(false)
    await expect(mesh.wait(at(mesh, 2).call('admin.invite.accept', { link }))).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    expect(await mesh.wait(at(mesh, 1).call('admin.invite.accept', { link }))).toMatchObject({
      givesBytes: 3 * mb,
    })
    await expect(mesh.wait(at(mesh, 0).call('admin.invite.accept', { link }))).rejects.toMatchObject({
      code: 'BAD_REQUEST',
    })
  })

  test.for([
    ['ran out', async (mesh: Mesh) => mesh.clock.advance(61_000)],
    [
      'ran out while the node was down',
      async (mesh: Mesh) => {
        await mesh.close(0)
        await mesh.clock.advance(61_000)
        await mesh.open(0)
      },
    ],
    ['was taken back', async (mesh: Mesh) => mesh.wait(at(mesh, 0).call('admin.invite.cancel', {}))],
  ] as const)('that %s is refused, and leaves nothing', async ([, end]) => {
    await using mesh = await openHouses(2)
    const wanted = { givesBytes: mb, getsBytes: mb, lifetimeS: 60 }
    const { link } = await mesh.wait(at(mesh, 0).call('admin.invite', wanted))
    await end(mesh)
    await expect(mesh.wait(at(mesh, 1).call('admin.invite.accept', { link }))).rejects.toMatchObject({
      code: 'FORBIDDEN',
    })
    for (const index of [0, 1]) {
      expect((await at(mesh, index).store.documents.list('pact')).length).toBe(0)
      expect((await mesh.wait(at(mesh, index).call('admin.neighbours', {}))).invitations).toBe(0)
    }
  })

  test('promises no more than there is to give, by either', async () => {
    await using mesh = await openHouses(3)
    const give = (index: number, givesBytes: number, getsBytes: number) =>
      mesh.wait(at(mesh, index).call('admin.invite', { givesBytes, getsBytes }))
    await expect(give(0, 11 * mb, 0)).rejects.toMatchObject({ code: 'NO_QUOTA' })
    await befriend(mesh, 0, 1, [6 * mb, 0])
    await expect(give(0, 5 * mb, 0)).rejects.toMatchObject({ code: 'NO_QUOTA' })
    const { link } = await give(2, 0, 11 * mb)
    await expect(mesh.wait(at(mesh, 1).call('admin.invite.accept', { link }))).rejects.toMatchObject({
      code: 'NO_QUOTA',
    })
  })

  test('is kept over a restart of both, and so is what is kept for whom', async () => {
    await using mesh = await openHouses(2)
    const ada = new Resident(mesh, microblog)
    await mesh.wait(ada.moveIn(at(mesh, 0)))
    await befriend(mesh, 0, 1)
    await mesh.wait(ada.place(at(mesh, 0), 1))
    await mesh.until(() => at(mesh, 1).store.shards.get(ada.id) !== undefined)
    for (const index of [0, 1]) {
      await mesh.close(index)
      await mesh.open(index)
    }
    await mesh.clock.advance(121_000)
    expect((await row(mesh, 1, 0)).kept).toMatchObject({ shards: 1, reservedBytes: mb })
    expect((await row(mesh, 0, 1)).keeps).toMatchObject({ shards: 1, reservedBytes: mb })
    expect((await row(mesh, 0, 1)).offersBytes).toBe(2 * mb)
  })
})

test('what a pact promises is kept free, whoever else asks; of offers the closest counts', async () => {
  await using mesh = await openHouses(4, { offerTo: 'anyone' })
  const offered = async (to: number): Promise<number> => {
    await mesh.clock.advance(121_000)
    return (await row(mesh, to, 0)).offersBytes
  }
  expect([await offered(1), await offered(2)]).toEqual([10 * mb, 10 * mb])
  await befriend(mesh, 0, 1, [6 * mb, 0])
  expect([await offered(1), await offered(2)]).toEqual([6 * mb, 4 * mb])
  const offer = (to: string, bytes: number) => mesh.wait(at(mesh, 0).call('admin.offer.set', { to, bytes }))
  // Node 3 says that it stands in Berlin; the others are in Africa.
  await offer('/geo/europe', 2 * mb)
  expect([await offered(2), await offered(3)]).toEqual([4 * mb, 2 * mb])
  await offer(at(mesh, 3).id, 3 * mb)
  expect(await offered(3)).toBe(3 * mb)
  await mesh.close(0)
  await mesh.open(0)
  expect(await offered(3)).toBe(3 * mb)
  await offer(at(mesh, 3).id, 0)
  await offer('/geo/europe', 0)
  expect(await offered(3)).toBe(4 * mb)
  await expect(offer('Berlin', mb)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  await expect(offer('anyone', 11 * mb)).rejects.toMatchObject({ code: 'NO_QUOTA' })
})

describe('a lease', () => {
  async function leased(hosting: Partial<MeshConfig['hosting']> = {}) {
    const mesh = await openHouses(2, {
      leaseMs: dayMs,
      heartbeatMs: 600_000,
      suspectAfterMs: 3_600_000,
      ...hosting,
    })
    const ada = new Resident(mesh, microblog)
    await mesh.wait(ada.moveIn(at(mesh, 0)))
    await befriend(mesh, 0, 1)
    await mesh.wait(ada.place(at(mesh, 0), 1))
    await mesh.until(() => at(mesh, 1).store.shards.get(ada.id) !== undefined)
    const given = async () => {
      const { leases } = await mesh.wait(at(mesh, 1).call('admin.leases', {}))
      const [lease] = leases
      if (lease?.given === null || lease === undefined) throw new Error('no lease')
      return lease.given
    }
    const taken = async () => (await mesh.wait(at(mesh, 0).call('admin.leases', {}))).leases[0]?.taken[0]
    return { mesh, ada, given, taken }
  }

  test('is renewed by the home before it ends, and names its terms', async () => {
    const { mesh, given, taken } = await leased()
    await using _ = mesh
    const first = await given()
    expect(first).toMatchObject({
      home: keyOf(at(mesh, 0)),
      bytes: mb,
      bytesPerDay: 256 * 2 ** 20,
      notice: false,
    })
    await mesh.clock.advance(dayMs / 3)
    expect((await given()).expiresMs).toBe(first.expiresMs)
    await mesh.clock.advance(dayMs / 4)
    const next = await given()
    expect(next.expiresMs).toBeGreaterThan(first.expiresMs + dayMs / 3)
    expect(await taken()).toMatchObject({ expiresMs: next.expiresMs, refused: false })
  }, 120_000)

  test('is not renewed after notice: the copy is there until it ends, and the home is told', async () => {
    const { mesh, ada, given, taken } = await leased()
    await using _ = mesh
    const { ended, shards } = await mesh.wait(
      at(mesh, 1).call('admin.pact.end', { node: keyOf(at(mesh, 0)) }),
    )
    expect([ended, shards]).toEqual([true, 1])
    const { expiresMs } = await given()
    await mesh.clock.advance(0.6 * dayMs)
    expect(await given()).toMatchObject({ expiresMs, notice: true })
    expect(await taken()).toMatchObject({ expiresMs, refused: true })
    const { problems } = await mesh.wait(at(mesh, 0).call('admin.status', {}))
    expect(problems.map(({ code }) => code)).toContain('LEASE_ENDS')
    await mesh.wait(ada.put(at(mesh, 0), 'posts', { text: 'kept till then' }))
    await mesh.until(() => at(mesh, 1).store.shards.get(ada.id)?.records === 1, 600_000)
  }, 120_000)
})

describe('who may change what was promised', () => {
  async function kept() {
    const hosting = { leaseMs: dayMs, heartbeatMs: 600_000, suspectAfterMs: 3_600_000 }
    const mesh = await openHouses(3, hosting)
    const ada = new Resident(mesh, microblog)
    await mesh.wait(ada.moveIn(at(mesh, 0)))
    await befriend(mesh, 0, 1)
    await mesh.wait(ada.place(at(mesh, 0), 1))
    await mesh.until(() => at(mesh, 1).store.shards.get(ada.id) !== undefined)
    const given = async () =>
      (await mesh.wait(at(mesh, 1).call('admin.leases', {}))).leases.find((one) => one.given !== null)?.given
    /** As a node that nobody knows, and that may be where she lives next. */
    const ask = async (lastsMs: number) => {
      const seed = mesh.crypto.random(32)
      const stranger = mesh.network.join(toHex(mesh.crypto.signingPublicKey(seed)))
      const home = mesh.crypto.signingPublicKey(seed)
      const terms = { host: keyOf(at(mesh, 1)), owner: ada.id, shard: ada.id, home }
      const asked = { ...terms, askedBytes: 1, askedMs: lastsMs }
      const signature = signLeaseAsk(mesh.crypto, asked, seed)
      const body = encodeLeaseAsks([{ owner: ada.id, shard: ada.id, bytes: 1, lastsMs, signature }])
      const { signal } = new AbortController()
      const answer = await mesh.wait(stranger.rpc.request(at(mesh, 1).id, 'shard/lease', body, { signal }))
      return decodeLeases(answer)[0] !== undefined
    }
    return { mesh, ada, given, ask }
  }

  test('a stranger gets a lease of a shard that is held, and makes it end neither sooner nor later', async () => {
    const { mesh, given, ask } = await kept()
    await using _ = mesh
    const before = await given()
    await mesh.clock.advance(dayMs / 10)
    for (const lastsMs of [1, 0, 0]) {
      expect(await ask(lastsMs)).toBe(true)
      expect((await given())?.expiresMs).toBe(before?.expiresMs)
    }
    const { kept: ledger } = await row(mesh, 1, 0)
    expect(ledger).toMatchObject({ shards: 1, reservedBytes: mb })
  })

  test('after notice the next home still gets what was promised, and the home no more', async () => {
    const { mesh, ada, given, ask } = await kept()
    await using _ = mesh
    await mesh.wait(at(mesh, 1).call('admin.lease.end', { owners: [ada.id] }))
    const before = await given()
    expect([await ask(0), (await given())?.expiresMs]).toEqual([true, before?.expiresMs])
    // Her home finds nobody else, and nobody who promises anew.
    expect(await mesh.wait(ada.place(at(mesh, 0), 1))).toBe(1)
  })

  test('friends again, what is kept for them is renewed as before', async () => {
    const { mesh, given } = await kept()
    await using _ = mesh
    await mesh.wait(at(mesh, 1).call('admin.pact.end', { node: keyOf(at(mesh, 0)) }))
    expect((await given())?.notice).toBe(true)
    await befriend(mesh, 0, 1)
    expect((await given())?.notice).toBe(false)
  })
})

test('of two who come at once with one invitation one is taken', async () => {
  await using mesh = await openHouses(3)
  const { link } = await mesh.wait(at(mesh, 0).call('admin.invite', { givesBytes: mb, getsBytes: mb }))
  const both = [1, 2].map((index) => at(mesh, index).call('admin.invite.accept', { link }))
  const results = await mesh.wait(Promise.allSettled(both))
  expect(results.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
  expect((await at(mesh, 0).store.documents.list('pact')).length).toBe(1)
})
