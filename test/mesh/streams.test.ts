import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Call, Caller } from '../../daemon/api/operations.ts'
import { microblog } from '../../client/microblog.ts'
import { RpcEndpoint } from '../../daemon/net/rpc-endpoint.ts'
import type { EventOf, RequestOf } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode } from '../../protocol/codec.ts'
import { readEvent, readReply } from '../../protocol/api/operations.ts'
import { decodeViewAnswer, type ViewAnswer } from '../../protocol/query/view-answer.ts'
import { decodePush, encodeFollow, encodePushed, encodeStop } from '../../protocol/stream/wire.ts'
import { openSection } from '../../protocol/record/section.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import { createMesh, type Mesh, type MeshNode } from '../support/mesh.ts'
import { Resident } from '../support/resident.ts'

const app = microblog.id

async function settle(mesh: Mesh, node: MeshNode, name: string, copies = 0): Promise<Resident> {
  const resident = new Resident(mesh, microblog)
  await mesh.wait(resident.moveIn(node))
  await mesh.wait(resident.place(node, copies))
  await mesh.wait(resident.put(node, 'profile', { name }))
  return resident
}

async function view(mesh: Mesh, node: MeshNode, owner: Resident, caller?: Caller): Promise<ViewAnswer> {
  const reply = await mesh.wait(node.call('view.get', { owner: owner.id, app, view: 'home' }, caller))
  expect(reply.requestsBetweenNodes).toBe(0)
  const answer = decodeViewAnswer(reply.view)
  expect(answer.askedNodes).toBe(0)
  return answer
}

function text(mesh: Mesh, bytes: Uint8Array, field: string): unknown {
  const record = decodeRecord(mesh.crypto, bytes)
  for (let i = 0; i < record.sections.length; i++) {
    const value = openSection(mesh.crypto, record, i)?.[field]
    if (value !== undefined) return value
  }
  return undefined
}

const titles = (mesh: Mesh, answer: ViewAnswer): unknown[] =>
  (answer.feed?.items ?? []).map(({ record }) => text(mesh, record, 'title'))

async function shows(mesh: Mesh, node: MeshNode, owner: Resident, wanted: readonly string[]): Promise<void> {
  await mesh.until(async () => titles(mesh, await view(mesh, node, owner)).join() === wanted.join(), 60_000)
}

/** Requests that nodes make of this one from now on, by method. */
function watchRequests({ id }: MeshNode): Map<string, number> {
  const counts = new Map<string, number>()
  const original = RpcEndpoint.prototype.request
  vi.spyOn(RpcEndpoint.prototype, 'request').mockImplementation(
    function (this: RpcEndpoint, to, method, ...rest) {
      if (to === id) counts.set(method, (counts.get(method) ?? 0) + 1)
      return original.call(this, to, method, ...rest)
    },
  )
  return counts
}

afterEach(() => vi.restoreAllMocks())

describe('streams', () => {
  test('a post shows on the page of a follower at another node, with its author once', async () => {
    await using mesh = await createMesh(2)
    const [a, b] = mesh.nodes as [MeshNode, MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    const ben = await settle(mesh, b, 'Ben')
    await mesh.wait(ben.put(b, 'posts', { title: 'before' }))
    await mesh.wait(ada.put(a, 'follows', { user: ben.id }))
    await shows(mesh, a, ada, ['before'])
    await mesh.wait(ben.put(b, 'posts', { title: 'after' }))
    await shows(mesh, a, ada, ['after', 'before'])

    const answer = await view(mesh, a, ada)
    expect(answer.feed?.authors).toHaveLength(1)
    expect(text(mesh, answer.feed?.authors[0]?.records[0] as Uint8Array, 'name')).toBe('Ben')
    expect(text(mesh, answer.own[0]?.record as Uint8Array, 'name')).toBe('Ada')
    expect(answer.counts).toEqual({ posts: 0, following: 1 })

    await mesh.wait(ben.put(b, 'profile', { name: 'Benjamin' }))
    await mesh.until(async () => {
      const { feed } = await view(mesh, a, ada)
      return text(mesh, feed?.authors[0]?.records[0] as Uint8Array, 'name') === 'Benjamin'
    })
    expect((await view(mesh, a, ada, { kind: 'anyone' })).feed).toBeUndefined()
  })

  test('each serving node gets a post once, however many follow there, and none when nobody does', async () => {
    await using mesh = await createMesh(2)
    const [a, b] = mesh.nodes as [MeshNode, MeshNode]
    const ben = await settle(mesh, b, 'Ben')
    const readers: Resident[] = []
    for (const name of ['Ada', 'Cleo', 'Dan']) readers.push(await settle(mesh, a, name))
    for (const reader of readers) await mesh.wait(reader.put(a, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(b, 'posts', { title: 'one' }))
    for (const reader of readers) await shows(mesh, a, reader, ['one'])
    const pushes = watchRequests(a)
    await mesh.wait(ben.put(b, 'posts', { title: 'two' }))
    for (const reader of readers) await shows(mesh, a, reader, ['two', 'one'])
    expect(pushes.get('stream/push')).toBe(1)

    for (const reader of readers) await mesh.wait(reader.remove(a, 'follows', { user: ben.id }))
    for (const reader of readers) await shows(mesh, a, reader, [])
    await mesh.clock.advance(1_000)
    await mesh.wait(ben.put(b, 'posts', { title: 'three' }))
    await mesh.clock.advance(5_000)
    expect(pushes.get('stream/push')).toBe(1)
    for (const reader of readers) await shows(mesh, a, reader, [])
  })

  test('a serving node that was down gets the rest by its cursor', async () => {
    await using mesh = await createMesh(2)
    const [a, b] = mesh.nodes as [MeshNode, MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    const ben = await settle(mesh, b, 'Ben')
    await mesh.wait(ada.put(a, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(b, 'posts', { title: '0' }))
    await shows(mesh, a, ada, ['0'])
    await mesh.close(0)
    for (let i = 1; i <= 60; i++) await mesh.wait(ben.put(b, 'posts', { title: `${i}` }))
    await mesh.clock.advance(10_000)
    const again = await mesh.open(0)
    const asked = watchRequests(b)
    const newest = Array.from({ length: 50 }, (_, i) => `${60 - i}`)
    await shows(mesh, again, ada, newest)
    // More than a list would bring, so it was the cursor.
    expect(asked.get('stream/list') ?? 0).toBe(0)
    expect(again.store.records.count(ben.id, app, 'posts')).toBe(61)
  })

  test('a copy takes over when the node of an author dies', async () => {
    await using mesh = await createMesh(3)
    const [a, b, c] = mesh.nodes as [MeshNode, MeshNode, MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    await mesh.clock.advance(3_000)
    const ben = await settle(mesh, b, 'Ben', 2)
    await mesh.wait(ada.put(a, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(b, 'posts', { title: 'alive' }))
    await shows(mesh, a, ada, ['alive'])
    await mesh.until(() => c.store.records.count(ben.id, app, 'posts') === 1)
    await mesh.close(1)
    await mesh.clock.advance(10_000)
    await mesh.wait(c.call('schema.put', { schema: microblog.bytes }))
    await mesh.wait(ben.put(c, 'posts', { title: 'goes on' }))
    await shows(mesh, a, ada, ['goes on', 'alive'])
  })

  test('the first page after a restart is whole', async () => {
    await using mesh = await createMesh(2)
    const [a, b] = mesh.nodes as [MeshNode, MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    const ben = await settle(mesh, b, 'Ben')
    await mesh.wait(ada.put(a, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(b, 'posts', { title: 'one' }))
    await shows(mesh, a, ada, ['one'])
    await mesh.close(0)
    const again = await mesh.open(0)
    expect(titles(mesh, await view(mesh, again, ada))).toEqual(['one'])
  })

  test('who follows in the same breath as it stops goes on following', async () => {
    await using mesh = await createMesh(1)
    const [home] = mesh.nodes as [MeshNode]
    const ben = await settle(mesh, home, 'Ben')
    await using peer = mesh.network.join('ab'.repeat(32))
    let pushes = 0
    peer.rpc.handle('stream/push', async ({ body }) => {
      pushes++
      const { batches } = decodePush(body)
      return encodePushed({
        authors: batches.map(({ author, epoch, through }) => ({
          author,
          receipt: { state: 'has', epoch, position: through },
        })),
      })
    })
    const asked = { app, collections: ['posts'] }
    const signal = new AbortController().signal
    const ask = (method: `stream/${string}`, body: Uint8Array) =>
      peer.rpc.request(home.id, method, body, { signal, timeoutMs: 5_000 })
    const follow = encodeFollow({ ...asked, mode: 'push', authors: [{ author: ben.id, cursor: undefined }] })
    await mesh.wait(ask('stream/follow', follow))
    // A disk that takes its time, as real ones do.
    const write = home.store.write.bind(home.store)
    const slow = vi.spyOn(home.store, 'write').mockImplementation(async (prepare) => {
      await mesh.clock.sleep(5)
      return write(prepare)
    })
    const stop = encodeStop({ ...asked, authors: [ben.id] })
    await mesh.wait(Promise.all([ask('stream/stop', stop), ask('stream/follow', follow)]))
    slow.mockRestore()
    await mesh.wait(ben.put(home, 'posts', { title: 'one' }))
    await mesh.until(() => pushes === 1, 5_000)
  })

  test('a node that holds an author no more says so, and another brings the rest', async () => {
    await using mesh = await createMesh(3)
    const [first, home, third] = mesh.nodes as [MeshNode, MeshNode, MeshNode]
    await mesh.clock.advance(3_000)
    const ben = await settle(mesh, home, 'Ben', 1)
    const holds = ({ store }: MeshNode): boolean => store.records.count(ben.id, app, 'profile') > 0
    await mesh.until(() => holds(first) || holds(third))
    const [copy, reader] = holds(first) ? [first, third] : [third, first]
    const ada = await settle(mesh, reader, 'Ada')
    await mesh.wait(ada.put(reader, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(home, 'posts', { title: 'one' }))
    await shows(mesh, reader, ada, ['one'])
    await mesh.until(() => copy.store.records.count(ben.id, app, 'posts') === 1)
    await mesh.wait(home.call('admin.host.remove', { identities: [ben.id] }))
    await mesh.wait(copy.call('schema.put', { schema: microblog.bytes }))
    await mesh.wait(ben.put(copy, 'posts', { title: 'two' }))
    await shows(mesh, reader, ada, ['two', 'one'])
  })

  test('a node that lost its seat reads what is new from those who have it', async () => {
    await using mesh = await createMesh(3)
    const [a, b, c] = mesh.nodes as [MeshNode, MeshNode, MeshNode]
    await mesh.clock.advance(3_000)
    const ben = await settle(mesh, b, 'Ben', 1)
    const cleo = await settle(mesh, b, 'Cleo')
    const ada = await settle(mesh, a, 'Ada')
    await mesh.wait(cleo.put(b, 'follows', { user: ben.id }))
    await mesh.wait(ada.put(a, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(b, 'posts', { title: 'one' }))
    await shows(mesh, b, cleo, ['one'])
    await shows(mesh, a, ada, ['one'])

    // Ben moves to c, and b gets no seat.
    await mesh.wait(ben.moveIn(c))
    await mesh.wait(ben.place(c, 1, [b.id]))
    await mesh.until(() => c.store.records.count(ben.id, app, 'posts') === 1)
    await mesh.wait(ben.put(c, 'posts', { title: 'two' }))
    await shows(mesh, a, ada, ['two', 'one'])
    await shows(mesh, b, cleo, ['two', 'one'])
  })

  test('feeds equal a plain model over a random graph', async () => {
    await using mesh = await createMesh(3, { seed: 7 })
    const people: { resident: Resident; home: MeshNode; follows: Set<number> }[] = []
    for (let i = 0; i < 9; i++) {
      const home = mesh.nodes[i % 3] as MeshNode
      people.push({ resident: await settle(mesh, home, `p${i}`), home, follows: new Set() })
    }
    const posts: { by: number; title: string }[] = []
    const pick = (): number => Math.floor(mesh.random.next() * people.length)
    for (let step = 0; step < 120; step++) {
      const by = pick()
      const { resident, home, follows } = people[by] as (typeof people)[number]
      const draw = mesh.random.next()
      if (draw < 0.5) {
        const title = `post ${step}`
        await mesh.wait(resident.put(home, 'posts', { title }))
        posts.push({ by, title })
      } else {
        const whom = pick()
        const user = (people[whom] as (typeof people)[number]).resident.id
        if (draw < 0.85) {
          follows.add(whom)
          await mesh.wait(resident.put(home, 'follows', { user }))
        } else if (follows.delete(whom)) await mesh.wait(resident.remove(home, 'follows', { user }))
      }
      await mesh.clock.advance(50)
    }
    for (const { resident, home, follows } of people) {
      const model = posts.filter(({ by }) => follows.has(by)).map(({ title }) => title)
      await shows(mesh, home, resident, model.toReversed().slice(0, 50))
      expect((await view(mesh, home, resident)).counts['following']).toBe(follows.size)
    }
  })
})

describe('live queries', () => {
  type Event = EventOf<'live.open'>

  async function open(mesh: Mesh, node: MeshNode, request: RequestOf<'live.open'>) {
    const ended = new AbortController()
    const call: Call = { caller: { kind: 'admin' }, signal: ended.signal, token: undefined, bind: () => {} }
    const { reply, events } = await mesh.wait(node.node.dispatch.call('live.open', request, 'cbor', call))
    const source = (events as AsyncIterable<{ bytes: Uint8Array }>)[Symbol.asyncIterator]()
    const next = async (): Promise<Event> => {
      const { value } = await mesh.wait(source.next())
      return readEvent('live.open', decode(value.bytes), 'cbor')
    }
    const end = async (): Promise<void> => {
      ended.abort()
      expect((await mesh.wait(source.next())).done).toBe(true)
    }
    return { position: readReply('live.open', decode(reply.bytes), 'cbor').position, next, end }
  }

  test('a list brings what arrives, and what arrived while nobody listened', async () => {
    await using mesh = await createMesh(1)
    const [a] = mesh.nodes as [MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    const list = { of: 'list', owner: ada.id, app, name: 'posts' } as const
    const first = await open(mesh, a, list)
    await mesh.wait(ada.put(a, 'posts', { title: 'one' }))
    const event = await first.next()
    expect(event.type).toBe('records')
    expect(text(mesh, event.records[0] as Uint8Array, 'title')).toBe('one')
    await first.end()

    await mesh.wait(ada.put(a, 'posts', { title: 'two' }))
    await mesh.wait(ada.put(a, 'posts', { title: 'three' }))
    const second = await open(mesh, a, { ...list, from: event.position })
    const rest = await second.next()
    expect(rest.records.map((bytes) => text(mesh, bytes, 'title'))).toEqual(['two', 'three'])
    await second.end()

    const lost = await open(mesh, a, { ...list, from: { ...rest.position, epoch: 9 } })
    expect((await lost.next()).type).toBe('reset')
    await lost.end()
  })

  test('whoever reads too slowly is told to read again, and hears what comes after', async () => {
    await using mesh = await createMesh(1)
    const [a] = mesh.nodes as [MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    const slow = await open(mesh, a, { of: 'list', owner: ada.id, app, name: 'posts' })
    for (let i = 0; i <= 256; i++) await mesh.wait(ada.put(a, 'posts', { title: `post ${i}` }))
    const event = await slow.next()
    expect(event).toMatchObject({ type: 'reset', records: [] })
    expect(event.position.position).toBe(a.store.records.logHead(ada.id))
    await mesh.wait(ada.put(a, 'posts', { title: 'after' }))
    const rest = await slow.next()
    expect(rest.records.map((bytes) => text(mesh, bytes, 'title'))).toEqual(['after'])
    await slow.end()
  })

  test('feeds and views tell of a post at another node, and resume', async () => {
    await using mesh = await createMesh(2)
    const [a, b] = mesh.nodes as [MeshNode, MeshNode]
    const ada = await settle(mesh, a, 'Ada')
    const ben = await settle(mesh, b, 'Ben')
    await mesh.wait(ada.put(a, 'follows', { user: ben.id }))
    await mesh.wait(ben.put(b, 'posts', { title: 'one' }))
    await shows(mesh, a, ada, ['one'])
    const request = { owner: ada.id, app } as const
    const feed = await open(mesh, a, { ...request, of: 'feed', name: 'posts' })
    const page = await open(mesh, a, { ...request, of: 'view', name: 'home' })
    await mesh.wait(ben.put(b, 'posts', { title: 'two' }))
    const event = await feed.next()
    expect(text(mesh, event.records[0] as Uint8Array, 'title')).toBe('two')
    expect((await page.next()).type).toBe('changed')
    expect(titles(mesh, await view(mesh, a, ada))).toEqual(['two', 'one'])
    await feed.end()
    await page.end()

    await mesh.wait(ben.put(b, 'posts', { title: 'three' }))
    await shows(mesh, a, ada, ['three', 'two', 'one'])
    const resumed = await open(mesh, a, { ...request, of: 'feed', name: 'posts', from: event.position })
    const rest = await resumed.next()
    expect(rest.records.map((bytes) => text(mesh, bytes, 'title'))).toEqual(['three'])
    await resumed.end()
    expect(toHex(rest.position.source)).toBe(a.id)
  })
})
