import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { encodeLeases } from '../../protocol/placement/messages.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  type Seat,
} from '../../protocol/placement/replica-set.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { createInitiator, respond } from '../../protocol/reconcile/machine.ts'
import type { ReconcileSet } from '../../protocol/reconcile/set.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import {
  decodeCompared,
  decodeFetched,
  encodeCompared,
  encodeComparison,
  encodeFetch,
  encodeReconcile,
} from '../../protocol/replication/messages.ts'
import type { MemoryNode } from '../../daemon/net/rpc-memory.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { turnRanges } from '../../daemon/replication/by-turns.ts'
import { Digests } from '../../daemon/replication/digests.ts'
import { shardKey } from '../../daemon/placement/find.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import { manyRanges } from '../support/many-ranges.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const node = (mesh: Mesh, index: number): MeshNode => mesh.nodes[index] as MeshNode

async function settled(mesh: Mesh): Promise<void> {
  await mesh.clock.advance(3_000) // everybody has greeted everybody
}

async function recordsOn(meshNode: MeshNode, owner: Uint8Array): Promise<string[]> {
  return (await meshNode.store.records.refs(owner)).map((ref) => toHex(ref.id)).toSorted()
}

/** What it holds, as another implementation would compare it. */
async function setOn({ store }: MeshNode, owner: Uint8Array): Promise<ReconcileSet> {
  return reconcileVector(await store.records.refs(owner), (await loadCrypto()).sha256)
}

async function holders(mesh: Mesh, at: MeshNode, owner: Uint8Array): Promise<string[]> {
  const { replicaSet } = await mesh.wait(at.call('replica-set.get', { owner }))
  return unpackChain(mesh.crypto, replicaSet).newest.members.map((member) => toHex(member.node))
}

/** What a holder says of itself and the others: how many of them have all that it has. */
async function copiesAt(mesh: Mesh, holder: MeshNode, owner: Uint8Array): Promise<number | undefined> {
  const { hosted } = await mesh.wait(holder.call('admin.status', {}))
  return hosted.find(({ identity }) => toHex(identity) === toHex(owner))?.copies
}

/** A person at home on node 0 with three copies elsewhere and some posts. */
async function story(options: Parameters<typeof createMesh>[1] = {}) {
  const mesh = await createMesh(6, options)
  await settled(mesh)
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(node(mesh, 0)))
  expect(await mesh.wait(ada.place(node(mesh, 0)))).toBe(4)
  const posts: string[] = []
  for (let i = 0; i < 5; i++)
    posts.push(await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: `post ${i}` })))
  return { mesh, ada, posts: posts.toSorted() }
}

test('what is accepted by one node is soon on every holder', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  const members = await holders(mesh, node(mesh, 0), ada.id)
  expect(members[0]).toBe(node(mesh, 0).id)
  for (const id of members) {
    const holder = mesh.nodes.find((one) => one.id === id) as MeshNode
    await mesh.until(async () => (await recordsOn(holder, ada.id)).length === posts.length, 5_000)
    const [people, copies] = await Promise.all(
      (['people', 'copies'] as const).map((only) => mesh.wait(holder.call('admin.status', { only }))),
    )
    const livesHere = id === members[0]
    expect([people?.people, people?.hosted.length, copies?.hosted.length]).toEqual(
      livesHere ? [1, 1, 0] : [0, 0, 1],
    )
    expect(await recordsOn(holder, ada.id)).toEqual(posts)
  }
  const ids = posts.map((post) => fromHex(post) as Uint8Array)
  const { copies } = await mesh.wait(
    node(mesh, 0).call('record.status', { owner: ada.id, ids, copies: 4, waitMs: 5_000 }),
  )
  expect(copies).toEqual([4, 4, 4, 4, 4])
})

test('a stranger who asks for copies makes nobody go through a shard, and is told of what came lately', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  const [first] = posts.map((post) => fromHex(post) as Uint8Array) as [Uint8Array]
  // Where a record stands is in memory as long as the node runs.
  await mesh.close(0)
  const home = await mesh.open(0)
  const { records } = home.store
  let scans = 0
  const refs = records.refs.bind(records)
  records.refs = (...asked) => {
    scans++
    return refs(...asked)
  }
  const ids = [first, mesh.crypto.random(32)]
  const ask = (kind: 'anyone' | 'admin') =>
    mesh.wait(home.call('record.status', { owner: ada.id, ids }, { kind }))
  const { copies } = await ask('anyone')
  expect([copies.map((count) => count > 0), scans]).toEqual([[true, false], 0])
  expect((await ask('admin')).copies.map((count) => count > 0)).toEqual([true, false])
  expect(scans).toBeGreaterThan(0)
})

test('a member that asks for records that are not there makes nobody go through a shard, and gets what was listed to it', async () => {
  const places = new Map<number, MemoryNode>()
  const { mesh, ada, posts } = await story({ onJoin: (place, index) => void places.set(index, place) })
  await using _ = mesh
  const members = await holders(mesh, node(mesh, 0), ada.id)
  const member = mesh.nodes.find(({ id }) => id === members[1]) as MeshNode
  // Where a record stands is in memory as long as the node runs.
  await mesh.close(0)
  const home = await mesh.open(0)
  const { records } = home.store
  let looks = 0
  const refs = records.refs.bind(records)
  records.refs = (...asked) => {
    looks++
    return refs(...asked)
  }
  const request = (method: 'shard/fetch' | 'shard/reconcile', body: Uint8Array) => {
    const signal = new AbortController().signal
    return mesh.wait((places.get(member.index) as MemoryNode).rpc.request(home.id, method, body, { signal }))
  }
  const ids = posts.map((post) => fromHex(post) as Uint8Array)
  const fetch = async (wanted: readonly Uint8Array[]): Promise<boolean[]> => {
    const before = looks
    const fetched = await request('shard/fetch', encodeFetch({ owner: ada.id, ids: [...wanted] }))
    expect(looks).toBe(before)
    return decodeFetched(fetched).map((record) => record !== undefined)
  }
  const unknown = Array.from({ length: 200 }, () => mesh.crypto.random(32))
  expect(await fetch(unknown)).toEqual(unknown.map(() => false))
  expect(await fetch(ids)).toEqual(ids.map(() => false))
  const message = createInitiator().initiate(reconcileVector([], mesh.crypto.sha256))
  await request('shard/reconcile', encodeReconcile({ owner: ada.id, until: 2n ** 63n, message }))
  expect(await fetch([...ids, ...unknown])).toEqual([...ids.map(() => true), ...unknown.map(() => false)])
})

test('messages of tens of thousands of ranges are taken up by turns, whoever sends them, and others go on', async () => {
  const places = new Map<number, MemoryNode>()
  const looks: number[] = []
  const total = (): number => looks.reduce((sum, looked) => sum + looked, 0)
  const looksAfter: number[] = []
  const { mesh, ada } = await story({
    onJoin: (place, index) => {
      places.set(index, place)
      const handle = place.rpc.handle.bind(place.rpc)
      place.rpc.handle = (method, handler) =>
        handle(method, async (request) => {
          const reply = await handler(request)
          if (index === 0 && method === 'shard/reconcile') looksAfter.push(total())
          return reply
        })
    },
  })
  await using _ = mesh
  const home = node(mesh, 0)
  const members = await holders(mesh, home, ada.id)
  const member = mesh.nodes.find(({ id }) => id === members[1]) as MeshNode
  const { records } = home.store
  let put: Promise<number> | undefined
  const inOrder = records.inOrder.bind(records)
  records.inOrder = (shard, read) =>
    inOrder(shard, (order, logHead) => {
      let looked = 0
      const lowerBound = (bound: Parameters<typeof order.lowerBound>[0]): number => {
        looked++
        return order.lowerBound(bound)
      }
      const { size } = order
      const counted = { size, lowerBound, at: order.at.bind(order), sum: order.sum.bind(order) }
      const answer = read(counted, logHead)
      looks.push(looked)
      // While it is at it somebody writes.
      if (looked > 100) put ??= ada.put(home, 'posts', { text: 'meanwhile' }).then(total)
      return answer
    })
  const most = turnRanges + 2
  const message = manyRanges(55_000)

  const body = encodeReconcile({ owner: ada.id, until: 2n ** 63n, message })
  const { rpc } = places.get(member.index) as MemoryNode
  const ask = async (): Promise<void> => {
    const reply = await rpc.request(home.id, 'shard/reconcile', body, {
      signal: new AbortController().signal,
      timeoutMs: 60_000,
    })
    expect(toHex(reply)).toBe(toHex(respond(await setOn(home, ada.id), message)))
  }
  looksAfter.length = 0
  const asked = Promise.all([ask(), ask()])
  await mesh.wait(asked)
  // The second of one node waits for the first, and nobody else for either.
  expect(looksAfter[0]).toBeLessThan(56_000)
  expect(looksAfter[1]).toBeGreaterThan(110_000)
  expect(await put).toBeLessThan(55_000)
  expect(Math.max(...looks)).toBeLessThanOrEqual(most)

  // The same where it is what a liar answers.
  looks.length = 0
  let lies = 0
  mesh.lie(member.index, (method) => {
    if (method === 'shard/compare') return encodeCompared([{ records: 'differs', sameSet: true }])
    if (method !== 'shard/reconcile') return undefined
    return lies++ === 0 ? message : Uint8Array.of(0x61)
  })
  await mesh.until(() => lies > 0 && total() > 50_000, 60_000)
  expect(Math.max(...looks)).toBeLessThanOrEqual(most)
}, 60_000)

test('a record that is dated ahead waits at the others, and is not sent round and round meanwhile', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const home = node(mesh, 0)
  const members = await holders(mesh, home, ada.id)
  ada.aheadMs = 6.5 * 60_000 // a minute and a half more than others take
  mesh.skew(0, ada.aheadMs)
  const written = await mesh.wait(ada.put(home, 'posts', { text: 'from tomorrow' }))
  mesh.skew(0, 0)
  const sent = new Map<string, number>()
  mesh.holdBack((from, to, method) => {
    if (from === home.id && /shard\/(push|take)/.test(method)) {
      const name = `${method} ${to}`
      sent.set(name, (sent.get(name) ?? 0) + 1)
    }
    return false
  })
  await mesh.clock.advance(60_000)
  expect(await recordsOn(home, ada.id)).toContain(written)
  expect([...sent.values()].every((times) => times < 10)).toBe(true)
  const others = mesh.nodes.filter(({ id }) => members.includes(id) && id !== home.id)
  expect(others).toHaveLength(3)
  for (const other of others) expect(await recordsOn(other, ada.id)).not.toContain(written)
  await mesh.clock.advance(60_000)
  for (const other of others) expect(await recordsOn(other, ada.id)).toContain(written)
})

test('to one whose clock is years behind nobody is equal: below its bound lies nothing', async () => {
  const places = new Map<number, MemoryNode>()
  const { mesh, ada, posts } = await story({ onJoin: (place, index) => void places.set(index, place) })
  await using _ = mesh
  const home = node(mesh, 0)
  const members = await holders(mesh, home, ada.id)
  const member = mesh.nodes.find(({ id }) => id === members[1]) as MeshNode
  await mesh.until(async () => (await recordsOn(member, ada.id)).length === posts.length, 5_000)
  const { fingerprint } = await new Digests(member.store, mesh.crypto).of(ada.id, 1n)
  const ask = async (nowMs: number, of: Uint8Array): Promise<string | undefined> => {
    const set = unpackChain(mesh.crypto, member.store.documents.get('replica-set', ada.id) as Uint8Array)
      .newest.hash
    const body = encodeComparison({
      until: clockOf(nowMs),
      shards: [{ owner: ada.id, set, fingerprint: of }],
    })
    const rpc = (places.get(member.index) as MemoryNode).rpc
    const reply = await mesh.wait(
      rpc.request(home.id, 'shard/compare', body, { signal: new AbortController().signal }),
    )
    return decodeCompared(reply)[0]?.records
  }
  const nowMs = mesh.clock.nowMs()
  expect(await ask(nowMs - 3 * 365 * 86_400_000, fingerprint)).toBe('coming')
  const all = await new Digests(home.store, mesh.crypto).of(ada.id, clockOf(nowMs + 60_000))
  expect(await ask(nowMs + 60_000, all.fingerprint)).toBe('equal')
})

test('any holder takes a write; a node that holds nothing of it says who to ask', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  const members = await holders(mesh, node(mesh, 0), ada.id)
  const replica = mesh.nodes.find((one) => one.id === members[2]) as MeshNode
  const stranger = mesh.nodes.find((one) => !members.includes(one.id)) as MeshNode
  await mesh.until(() => replica.store.shards.get(ada.id)?.records === posts.length, 5_000)
  await mesh.until(
    async () =>
      (await replica.call('schema.get', { schema: microblog.hash }).catch(() => undefined)) !== undefined,
    5_000,
  )
  const written = await mesh.wait(ada.put(replica, 'posts', { text: 'from elsewhere' }))
  await mesh.until(async () => (await recordsOn(node(mesh, 0), ada.id)).includes(written), 5_000)
  await expect(ada.put(stranger, 'posts', { text: 'to a stranger' })).rejects.toThrow('NOT_HOSTED')
  expect(await holders(mesh, stranger, ada.id)).toEqual(members)
})

test('what came by another holder is found to be everywhere once it is quiet, by one comparison with each', async () => {
  const owners = 3
  const mesh = await createMesh(6, { config: () => ({ hosting: { reconcileEveryMs: 24 * 3_600_000 } }) })
  await using _ = mesh
  await settled(mesh)
  const people = Array.from({ length: owners }, () => new Resident(mesh, microblog))
  for (const one of people) {
    await mesh.wait(one.moveIn(node(mesh, 0)))
    expect(await mesh.wait(one.place(node(mesh, 0)))).toBe(4)
  }
  const all = await Promise.all(
    people.map(async ({ id }) => {
      const members = await holders(mesh, node(mesh, 0), id)
      return { id, at: mesh.nodes.filter((one) => members.includes(one.id)) }
    }),
  )
  const areCurrent = async (): Promise<boolean> => {
    for (const { id, at } of all)
      for (const one of at) if ((await copiesAt(mesh, one, id)) !== 4) return false
    return true
  }
  await mesh.until(areCurrent, 60_000)
  const compared = new Map<string, number>()
  mesh.holdBack((from, to, method) => {
    const pair = `${from} ${to}`
    if (method === 'shard/compare') compared.set(pair, (compared.get(pair) ?? 0) + 1)
    return false
  })
  for (const one of people) await mesh.wait(one.put(node(mesh, 0), 'posts', { text: 'by one holder' }))
  await mesh.until(areCurrent, 15_000)
  // Nobody asks again while nothing moves, and many shards are one question.
  await mesh.clock.advance(60_000)
  expect(Math.max(...compared.values())).toBe(1)
})

test('a holder that was away gets what it missed, and brings what only it has', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const members = await holders(mesh, node(mesh, 0), ada.id)
  const replica = mesh.nodes.find((one) => one.id === members[1]) as MeshNode
  await mesh.until(() => replica.store.shards.get(ada.id)?.records === 5, 5_000)
  await mesh.until(
    async () =>
      (await replica.call('schema.get', { schema: microblog.hash }).catch(() => undefined)) !== undefined,
    5_000,
  )
  mesh.network.partition([mesh.nodes.map((one) => one.id).filter((id) => id !== replica.id), [replica.id]])
  await mesh.clock.advance(500)
  const here = await mesh.wait(ada.put(node(mesh, 0), 'posts', { text: 'on this side' }))
  const there = await mesh.wait(ada.put(replica, 'posts', { text: 'on that side' }))
  await mesh.clock.advance(3_000)
  expect(await recordsOn(replica, ada.id)).not.toContain(here)
  mesh.network.heal()
  for (const id of members) {
    const holder = mesh.nodes.find((one) => one.id === id) as MeshNode
    await mesh.until(async () => {
      const held = await recordsOn(holder, ada.id)
      return held.includes(here) && held.includes(there)
    }, 60_000)
  }
})

test('a standby takes the seat of a holder that stays away, and everything it held', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  const members = await holders(mesh, node(mesh, 0), ada.id)
  const lost = mesh.nodes.find((one) => one.id === members[2]) as MeshNode
  await mesh.until(() => lost.store.shards.get(ada.id)?.records === posts.length, 5_000)
  await mesh.close(lost.index)
  await mesh.until(async () => {
    const now = await holders(mesh, node(mesh, 0), ada.id)
    return now.length === 4 && !now.includes(lost.id)
  }, 60_000)
  for (const id of await holders(mesh, node(mesh, 0), ada.id)) {
    const holder = mesh.nodes.find((one) => one.id === id) as MeshNode
    await mesh.until(async () => (await recordsOn(holder, ada.id)).length === posts.length, 30_000)
  }
})

test('where the standby that comes first promises nothing another takes the seat', async () => {
  const { mesh, ada } = await story()
  await using _ = mesh
  const members = await holders(mesh, node(mesh, 0), ada.id)
  let first: number | undefined
  for (const { index } of mesh.nodes)
    mesh.lie(index, (method) => {
      if (method !== 'shard/lease') return undefined
      first ??= index
      return index === first ? encodeLeases([undefined]) : undefined
    })
  const lost = mesh.nodes.find((one) => one.id === members[2]) as MeshNode
  await mesh.close(lost.index)
  await mesh.until(async () => {
    const now = await holders(mesh, node(mesh, 0), ada.id)
    return now.length === 4 && !now.includes(lost.id)
  }, 60_000)
  expect(first).toBeDefined()
})

test('the home itself is lost: the others go on and make the copies good again', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  const before = await holders(mesh, node(mesh, 0), ada.id)
  const replica = mesh.nodes.find((one) => one.id === before[1]) as MeshNode
  await mesh.until(() => replica.store.shards.get(ada.id)?.records === posts.length, 5_000)
  await mesh.close(0)
  await mesh.until(async () => {
    const now = await holders(mesh, replica, ada.id)
    return now.length === 4 && !now.includes(before[0] as string)
  }, 60_000)
  for (const id of await holders(mesh, replica, ada.id)) {
    const holder = mesh.nodes.find((one) => one.id === id) as MeshNode
    await mesh.until(async () => (await recordsOn(holder, ada.id)).length === posts.length, 30_000)
    // The newcomer among them was compared with the one who leads now, and counts itself.
    await mesh.until(async () => (await copiesAt(mesh, holder, ada.id)) === 4, 30_000)
  }
})

test('whoever joined counts itself once it has everything, and the others once they were compared', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  for (const id of (await holders(mesh, node(mesh, 0), ada.id)).slice(1)) {
    const holder = mesh.nodes.find((one) => one.id === id) as MeshNode
    // The leader and itself: whom else the leader filled, it has not heard.
    await mesh.until(async () => ((await copiesAt(mesh, holder, ada.id)) ?? 0) >= 2, 10_000)
    expect(holder.store.shards.get(ada.id)?.records).toBe(posts.length)
    await mesh.until(async () => (await copiesAt(mesh, holder, ada.id)) === 4, 30_000)
  }
})

test('what no push knows of is found by comparing', async () => {
  const { mesh, ada, posts } = await story()
  await using _ = mesh
  const [, id] = await holders(mesh, node(mesh, 0), ada.id)
  const replica = mesh.nodes.find((one) => one.id === id) as MeshNode
  await mesh.until(() => replica.store.shards.get(ada.id)?.records === posts.length, 5_000)
  // Straight onto the disk, as after a crash between a write and its outbox.
  const bytes = ada.sign('posts', { text: 'on one disk alone' })
  const record = decodeStored({ ref: { clock: 0n, id: new Uint8Array(32) }, bytes })
  await mesh.wait(replica.store.records.put([{ record, bytes }], { hosted: true }))
  await mesh.until(async () => (await recordsOn(node(mesh, 0), ada.id)).includes(toHex(record.id)), 60_000)
})

test('a joiner is in the DHT once it has everything and not before, though it was given the first seat', async () => {
  const mesh = await createMesh(2)
  await using _ = mesh
  await settled(mesh)
  const [home, joiner] = [node(mesh, 0), node(mesh, 1)]
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  for (let i = 0; i < 5; i++) await mesh.wait(ada.put(home, 'posts', { text: `post ${i}` }))
  // Placing goes on; records do not get there.
  mesh.holdBack((from, to, method) => {
    const isOfJoiner = from === joiner.id || to === joiner.id
    return isOfJoiner && /^shard\/(push|compare|reconcile|fetch)$/.test(method)
  })
  expect(await mesh.wait(ada.place(home, 1))).toBe(2)
  const chainAt = async (one: MeshNode) => {
    const { replicaSet } = await mesh.wait(one.call('replica-set.get', { owner: ada.id }))
    return unpackChain(mesh.crypto, replicaSet)
  }
  const hosts = async (one: MeshNode): Promise<boolean> =>
    (await one.call('admin.status', {})).hosted.some(({ identity }) => toHex(identity) === ada.name)
  await mesh.until(() => hosts(joiner))

  // The person moves: the joiner is the home from now on.
  const { newest } = await chainAt(home)
  const [first, second] = newest.members as [Seat, Seat]
  const unsigned = encodeReplicaSet({
    ...newest,
    epoch: newest.epoch + 1,
    step: 0,
    previous: newest.hash,
    members: [
      { ...second, role: 'home' },
      { ...first, role: 'replica' },
    ],
  })
  const signature = signReplicaSet(mesh.crypto, unsigned, ada.person.device.seed)
  const packed = packReplicaSet(unsigned, [signature])
  await mesh.wait(home.call('placement.commit', { replicaSets: [packed] }))
  await mesh.until(async () => (await chainAt(joiner)).newest.epoch === newest.epoch + 1)

  const bystander = mesh.network.join('f'.repeat(64))
  const provides = async (one: MeshNode): Promise<boolean> => {
    const { signal } = new AbortController()
    for await (const found of bystander.routing.findProviders(shardKey(mesh.crypto, ada.id), signal))
      if (found.node === one.id) return true
    return false
  }
  await mesh.clock.advance(10_000)
  expect(await recordsOn(joiner, ada.id)).toEqual([])
  expect(await provides(home)).toBe(true)
  expect(await provides(joiner)).toBe(false)

  mesh.holdBack(undefined)
  await mesh.until(() => provides(joiner))
  expect(await recordsOn(joiner, ada.id)).toEqual(await recordsOn(home, ada.id))
  await bystander[Symbol.asyncDispose]()
})

test('closing leaves no timer', async () => {
  const { mesh } = await story()
  await mesh[Symbol.asyncDispose]()
  await mesh.clock.advance(100) // what was on the wire arrives nowhere
  expect(mesh.clock.pending()).toBe(0)
})
