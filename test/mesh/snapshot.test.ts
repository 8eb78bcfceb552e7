/** A holder that has nothing of a large shard fetches it from its beginning: what matters first, over a cut, and whoever lies. */
import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { decodeSnapshotPage, encodeSnapshotPage } from '../../protocol/replication/snapshot.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const posts = 2_300
/** Of a page, as the protocol has it. */
const pageRecords = 1_024

type Alter = (page: Uint8Array, asked: number) => Uint8Array | undefined

/** A person with a long past at home on node 0; `alter` stands between node 0 and who fetches. */
async function story(alter: Alter = () => undefined) {
  const pages: number[] = []
  const mesh = await createMesh(2, {
    onJoin: (place, index) => {
      const handle = place.rpc.handle.bind(place.rpc)
      place.rpc.handle = (method, handler) =>
        handle(method, async (request) => {
          const reply = await handler(request)
          if (index !== 0 || method !== 'shard/snapshot') return reply
          const told = alter(reply, pages.length) ?? reply
          pages.push(decodeSnapshotPage(told).records.length)
          return told
        })
    },
  })
  await mesh.clock.advance(3_000)
  const [home, other] = mesh.nodes as [MeshNode, MeshNode]
  const ada = new Resident(mesh, microblog)
  await mesh.wait(ada.moveIn(home))
  await mesh.wait(ada.put(home, 'profile', { name: 'Ada, once' }))
  await mesh.wait(ada.put(home, 'follows', { user: new Uint8Array(32).fill(7) }))
  for (let i = 0; i < posts; i += 100)
    await mesh.wait(
      home.call('record.put', {
        records: Array.from({ length: 100 }, (_, j) => ada.sign('posts', { text: `post ${i + j}` })),
      }),
    )
  await mesh.wait(ada.remove(home, 'follows', { user: new Uint8Array(32).fill(7) }))
  await mesh.wait(ada.put(home, 'profile', { name: 'Ada' }))
  const isAll = (): boolean => other.store.shards.get(ada.id)?.records === posts + 4
  return { mesh, home, other, ada, pages, isAll }
}

/** Collections in the order in which their records came, with how many of each in a row. */
async function arrived(node: MeshNode, owner: Uint8Array): Promise<(readonly [string, number])[]> {
  const runs: [string, number][] = []
  const entries = await node.store.records.log(owner, 0, 10_000)
  for (const { ref } of entries) {
    const { bytes } = node.store.records.get(owner, ref) as { bytes: Uint8Array }
    const { header } = decodeStored({ ref, bytes })
    const what = `${header.collection} ${header.operation}`
    const last = runs.at(-1)
    if (last?.[0] === what) last[1]++
    else runs.push([what, 1])
  }
  return runs
}

async function isWhole({ mesh, other }: { mesh: Mesh; other: MeshNode }, owner: Uint8Array) {
  const { hosted } = await mesh.wait(other.call('admin.status', {}))
  return hosted.find(({ identity }) => toHex(identity) === toHex(owner))?.copies === 2
}

test('the profile comes first, posts the newest first, and last what no list shows', async () => {
  const { mesh, home, other, ada, pages, isAll } = await story()
  await using _ = mesh
  await mesh.wait(ada.place(home, 1))
  await mesh.until(isAll, 20_000)
  const runs = await arrived(other, ada.id)
  expect(runs).toEqual([
    ['profile put', 1],
    ['posts put', posts],
    // Superseded: the first profile and the follow; the tombstone.
    ['profile put', 1],
    ['follows put', 1],
    ['follows delete', 1],
  ])
  const [, first, second] = await other.store.records.log(ada.id, 0, 3)
  expect((first?.ref.clock ?? 0n) > (second?.ref.clock ?? 0n)).toBe(true)
  expect(pages.reduce((sum, count) => sum + count, 0)).toBe(posts + 4)
  expect(pages[0]).toBe(pageRecords)
  await mesh.until(() => isWhole({ mesh, other }, ada.id), 20_000)
}, 60_000)

test('cut after a page and restarted it goes on there; what is written meanwhile comes too', async () => {
  const { mesh, home, other, ada, pages } = await story()
  await using _ = mesh
  mesh.holdBack((from, __, method) => from === other.id && method === 'shard/snapshot' && pages.length > 0)
  await mesh.wait(ada.place(home, 1))
  await mesh.until(() => other.store.shards.get(ada.id)?.records === pageRecords, 20_000)
  await mesh.close(1, 'crashed')
  await mesh.wait(ada.put(home, 'posts', { text: 'meanwhile' }))
  mesh.holdBack(() => false)
  const again = await mesh.open(1)
  await mesh.until(() => again.store.shards.get(ada.id)?.records === posts + 5, 30_000)
  // What came before the cut is not sent again, and nothing is left over.
  expect(pages.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(posts + 5)
  expect(again.store.documents.get('snapshot', ada.id)).toBeUndefined()
  await mesh.until(() => isWhole({ mesh, other: again }, ada.id), 20_000)
}, 60_000)

test('while it is being filled it shows none of it, and all once it is whole', async () => {
  const { mesh, home, other, ada, pages, isAll } = await story()
  await using _ = mesh
  mesh.holdBack((from, __, method) => from === other.id && method === 'shard/snapshot' && pages.length > 0)
  await mesh.wait(ada.place(home, 1))
  await mesh.until(() => other.store.shards.get(ada.id)?.records === pageRecords, 20_000)
  const place = { owner: ada.id, app: microblog.id }
  const follows = { ...place, collection: 'follows' }
  const reads: readonly (() => Promise<unknown>)[] = [
    () => other.call('record.get', { ...follows, keys: [new Uint8Array(32).fill(8)] }),
    () => other.call('record.list', follows),
    () => other.call('view.get', { ...place, view: 'person' }),
  ]
  for (const read of reads) await expect(mesh.wait(read())).rejects.toMatchObject({ code: 'LAGGING' })
  mesh.holdBack(undefined)
  await mesh.until(async () => isAll() && (await isWhole({ mesh, other }, ada.id)), 30_000)
  for (const read of reads) await mesh.wait(read())
}, 60_000)

test('nobody looks on live at a holder that is being filled, but where nobody else is left', async () => {
  const { mesh, home, other, ada, pages, isAll } = await story()
  await using _ = mesh
  mesh.holdBack((from, __, method) => from === other.id && method === 'shard/snapshot' && pages.length > 0)
  await mesh.wait(ada.place(home, 1))
  await mesh.until(() => other.store.shards.get(ada.id)?.records === pageRecords, 20_000)
  const place = { owner: ada.id, app: microblog.id }
  const queries = [
    { ...place, of: 'list', name: 'posts' },
    { ...place, of: 'view', name: 'person' },
  ]
  const open = async (at: MeshNode, query: unknown): Promise<void> => {
    const leaving = new AbortController()
    const caller = { kind: 'admin' } as const
    const call = { caller, signal: leaving.signal, token: undefined, bind: () => {} }
    try {
      await mesh.wait(at.node.dispatch.call('live.open', query, 'cbor', call))
    } finally {
      leaving.abort()
    }
  }
  for (const query of queries) {
    await expect(open(other, query)).rejects.toMatchObject({ code: 'LAGGING' })
    // Where all of it is, it is looked on at once.
    await open(home, query)
  }
  await mesh.close(home.index)
  await mesh.clock.advance(15_000)
  for (const query of queries) await open(other, query)
  const again = await mesh.open(home.index)
  mesh.holdBack(undefined)
  await mesh.until(async () => isAll() && (await isWhole({ mesh, other }, ada.id)), 30_000)
  for (const query of queries) for (const at of [other, again]) await open(at, query)
}, 60_000)

test('what it has is shown where nobody else is left', async () => {
  const { mesh, home, other, ada, pages } = await story()
  await using _ = mesh
  mesh.holdBack((from, __, method) => from === other.id && method === 'shard/snapshot' && pages.length > 0)
  await mesh.wait(other.call('schema.put', { schema: microblog.bytes }))
  await mesh.wait(ada.place(home, 1))
  await mesh.until(() => other.store.shards.get(ada.id)?.records === pageRecords, 20_000)
  const read = () => other.call('view.get', { owner: ada.id, app: microblog.id, view: 'person' })
  await expect(mesh.wait(read())).rejects.toMatchObject({ code: 'LAGGING' })
  await mesh.close(home.index)
  await mesh.clock.advance(15_000)
  await mesh.wait(read())
}, 60_000)

test('an answerer that repeats itself for ever, leaves out or forges is found out, and the copy is whole none the less', async () => {
  const lies: Alter[] = [
    // The same page again and again.
    (() => {
      let first: Uint8Array | undefined
      return (page: Uint8Array) => {
        const { records } = decodeSnapshotPage((first ??= page))
        return encodeSnapshotPage({ records, next: Uint8Array.of(1) })
      }
    })(),
    // Half of each page.
    (page) => {
      const { records, next } = decodeSnapshotPage(page)
      return encodeSnapshotPage({ records: records.filter((__, i) => i % 2 === 0), next })
    },
    // A byte of each record.
    (page) => {
      const { records, next } = decodeSnapshotPage(page)
      for (const record of records) record[record.length - 1] = (record.at(-1) as number) ^ 1
      return encodeSnapshotPage({ records, next })
    },
  ]
  for (const lie of lies) {
    const { mesh, home, other, ada, pages, isAll } = await story(lie)
    await using _ = mesh
    await mesh.wait(ada.place(home, 1))
    await mesh.until(isAll, 30_000)
    expect(pages.length).toBeLessThan(8)
    await mesh.until(() => isWhole({ mesh, other }, ada.id), 20_000)
  }
}, 120_000)

test('where the note of where to go on is not written, the copy is whole none the less', async () => {
  const { mesh, home, other, ada, isAll } = await story()
  await using _ = mesh
  const { documents } = other.store
  const put = documents.put.bind(documents)
  let failed = 0
  documents.put = (kind, key, bytes) => {
    if (kind !== 'snapshot' || failed++ > 0) return put(kind, key, bytes)
    return Promise.reject(new OnehopError('STORE_FULL', 'the disk is full'))
  }
  await mesh.wait(ada.place(home, 1))
  await mesh.until(isAll, 30_000)
  expect(failed).toBeGreaterThan(0)
  await mesh.until(() => isWhole({ mesh, other }, ada.id), 20_000)
}, 60_000)
