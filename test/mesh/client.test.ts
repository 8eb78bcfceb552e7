import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  connect,
  connectAdmin,
  findNearest,
  httpTransport,
  makeIdentity,
  memoryKeyStore,
  microblog,
  pair,
  toHex,
  untoldChanges,
} from '../../client/index.ts'
import type { App, KeyStore, Paired, PairingRun } from '../../client/index.ts'
import { systemClock } from '../../client/clock.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

let daemons: Daemons

beforeAll(async () => {
  daemons = await startDaemons(3)
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

/** What the person does: types at the node what the phone shows. */
async function pairWith(index: number, keys: KeyStore): Promise<Paired> {
  const daemon = daemons.all[index]!
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run: PairingRun = await pair(link!, { keys, label: 'phone', schemas: [microblog], copies: 2 })
  expect(run.digits).toMatch(/^\d{6}$/)
  await admin.pair.code(run.digits)
  run.confirm()
  return run.done
}

async function open(index: number): Promise<{ app: App<typeof microblog>; keys: KeyStore }> {
  const keys = memoryKeyStore()
  const paired = await pairWith(index, keys)
  expect(paired.problem).toBeUndefined()
  await paired.transport.close()
  const app = await connect({ schema: microblog, keys, node: daemons.all[index]!.local })
  return { app, keys }
}

test('a phone pairs, writes, and sees each of the three outcomes', { timeout: 90_000 }, async () => {
  const { app } = await open(0)
  await using _ = app
  const write = await app.collection('profile').put({ name: 'Ada', place: '/geo/africa/ng/lagos' })
  expect(write.local.number).toBe(1)
  await write.accepted
  expect(await write.durable).toEqual({ copies: expect.toSatisfy((n: number) => n >= 2) })

  const post = await app.collection('posts').put({ text: 'hello' })
  await post.accepted
  const [item] = await app.collection('posts').latest(10)
  expect(item?.value.text).toBe('hello')
  await (
    await app.collection('posts').update(item!, { text: 'hello again' })
  ).accepted
  expect((await app.collection('posts').get(post.local.key))?.value.text).toBe('hello again')
  expect(await app.collection('posts').count()).toBe(1)
  await (
    await app.collection('posts').delete(item!)
  ).accepted
  expect(await app.collection('posts').get(post.local.key)).toBeUndefined()
})

test('a device restored from a backup goes on after what it wrote since', { timeout: 90_000 }, async () => {
  const { app, keys } = await open(0)
  const put = async (of: typeof app, text: string): Promise<number> => {
    const write = await of.collection('posts').put({ text })
    await write.accepted
    return write.local.number
  }
  expect(await put(app, 'before the backup')).toBe(1)
  const backup = memoryKeyStore()
  const kept = await Promise.all(
    (await keys.list('')).map(async (name) => [name, await keys.get(name)] as const),
  )
  await backup.write(new Map(kept))
  expect([await put(app, 'after it'), await put(app, 'and again')]).toEqual([2, 3])
  await app.close()

  await using restored = await connect({ schema: microblog, keys: backup, node: daemons.all[0]!.local })
  expect(await put(restored, 'after the restore')).toBe(4)
  const texts = (await restored.collection('posts').latest(10)).map(({ value }) => value.text)
  expect(texts).toEqual(['after the restore', 'and again', 'after it', 'before the backup'])
})

test(
  'a clone that wrote before it reached a node gives itself a new key, and loses nothing that waited',
  { timeout: 90_000 },
  async () => {
    const { app: paired, keys } = await open(0)
    await paired.close()
    // All at one node: at another the clone might be first, and the two would be found out later.
    const home = () => ({ transport: httpTransport({ address: daemons.all[0]!.local }) })
    await using app = await connect({ schema: microblog, keys, ...home() })
    const clone = memoryKeyStore()
    const kept = await Promise.all(
      (await keys.list('')).map(async (name) => [name, await keys.get(name)] as const),
    )
    await clone.write(new Map(kept))
    for (const text of ['one', 'two', 'three', 'four'])
      await (
        await app.collection('posts').put({ text })
      ).accepted

    // Without a node: a new item, another that is changed, and a private one.
    const nowhere = () => Promise.reject(new TypeError('there is no network'))
    const node = 'http://127.0.9.9:9'
    await using offline = await connect({ schema: microblog, keys: clone, node, fetch: nowhere })
    const posts = offline.collection('posts')
    await posts.put({ text: 'of the clone' })
    const draft = await posts.put({ text: 'a draft' })
    await posts.delete(draft.local.key)
    await offline.collection('notes').put({ text: 'a sealed note' })
    expect(offline.outbox.size).toBe(4)
    await offline.close()
    // Another tab of the clone, which has read what waits.
    await using tab = await connect({ schema: microblog, keys: clone, node, fetch: nowhere })
    expect(tab.outbox.size).toBe(4)

    const refused = await connect({ schema: microblog, keys: clone, ...home() })
    await expect(refused.renewDevice()).rejects.toMatchObject({ code: 'BAD_REQUEST' })
    await expect(refused.outbox.flush()).rejects.toMatchObject({ code: 'EQUIVOCATION' })
    await expect(refused.collection('posts').put({ text: 'in vain' })).rejects.toMatchObject({
      code: 'EQUIVOCATION',
    })
    expect(await clone.list('outbox/')).toHaveLength(4)
    const before = refused.identity!.device.key
    const renewed = await refused.renewDevice()
    expect(renewed.records).toBe(4)

    await using again = await connect({ schema: microblog, keys: clone, ...home() })
    expect(again.identity!.device.key).toEqual(renewed.device)
    expect(renewed.device).not.toEqual(before)
    await again.outbox.flush()
    expect(await clone.list('outbox/')).toEqual([])
    const texts = (await again.collection('posts').latest(10)).map(({ value }) => value.text)
    expect(texts).toEqual(['of the clone', 'four', 'three', 'two', 'one'])
    expect((await again.collection('notes').latest(10)).map(({ value }) => value.text)).toEqual([
      'a sealed note',
    ])
    expect(await untoldChanges(clone, again.identity!)).toEqual([])
    // The first install goes on too, as it did no wrong that a node saw.
    await (
      await app.collection('posts').put({ text: 'and on' })
    ).accepted
    // What is open elsewhere under the old key does not sign with it: the numbers are those of the new one.
    await expect(tab.collection('posts').put({ text: 'too late' })).rejects.toMatchObject({
      code: 'STALE',
    })
  },
)

test('private notes are sealed, their names blinded, and open here alone', { timeout: 90_000 }, async () => {
  const { app } = await open(0)
  await using _ = app
  const note = await app.collection('notes').put({ text: 'nobody reads this' })
  await note.accepted
  expect(new TextDecoder('latin1').decode(note.local.bytes)).not.toMatch(/notes|nobody/)
  const [item] = await app.collection('notes').latest(1)
  expect(item?.value).toEqual({ text: 'nobody reads this' })
  await (
    await app.collection('notes').update(item!, { text: 'still' })
  ).accepted
  expect((await app.collection('notes').get(item!.key))?.value.text).toBe('still')
  await using stranger = await connect({ schema: microblog, owner: app.owner, node: daemons.all[0]!.local })
  await expect(stranger.collection('notes').list()).rejects.toMatchObject({ code: 'FORBIDDEN' })
})

test('a follower sees a post in one request, and live', { timeout: 90_000 }, async () => {
  const ada = await open(0)
  const ben = await open(1)
  await using _ = ada.app
  await using __ = ben.app
  await (
    await ada.app.collection('profile').put({ name: 'Ada' })
  ).accepted
  await (
    await ben.app.follow(ada.app.owner!)
  ).accepted
  const events = ben.app.live({ feed: 'posts' })
  expect((await events.next()).value).toMatchObject({ type: 'reset' })
  await (
    await ada.app.collection('posts').put({ text: 'for followers' })
  ).accepted
  await until(async () => ((await ben.app.view('home')).feed?.items.length ?? 0) > 0, 15_000)
  const home = await ben.app.view('home')
  expect(home.problems).toEqual([])
  expect(home.requestsBetweenNodes).toBe(0)
  const [item] = home.feed!.items
  expect(item?.value).toMatchObject({ text: 'for followers' })
  expect(item?.author.own.profile?.value.name).toBe('Ada')
  const event = (await events.next()).value
  expect(event).toMatchObject({ type: 'items', problems: [] })
  await events.return(undefined)
})

test('a file comes back as it was, whole and in ranges', { timeout: 90_000 }, async () => {
  const { app } = await open(0)
  await using _ = app
  const bytes = Uint8Array.from({ length: 600_000 }, (__, i) => (i * 7) & 0xff)
  const picture = await app.blobs.put(bytes, 'image/png')
  expect(picture.size).toBe(bytes.length)
  expect(await app.blobs.bytes(picture)).toEqual(bytes)
  expect(await app.blobs.range(picture, 262_000, 1_000)).toEqual(bytes.slice(262_000, 263_000))
  const parts: Uint8Array[] = []
  for await (const part of app.blobs.get(picture)) parts.push(part)
  expect(parts.length).toBe(3)
})

test('from an id alone: the nearest member, and another within a second', { timeout: 90_000 }, async () => {
  const { app } = await open(0)
  await using _ = app
  const write = await app.collection('posts').put({ text: 'kept' })
  await write.durable
  const members = app.nearest!.members
  expect(members.length).toBe(3)

  const slow = new Map(members.map(({ url }, i) => [url, i === 1 ? 0 : 150 * (i + 1)]))
  const dead = new Set<string>()
  const nearest = await findNearest({
    owner: app.owner!,
    bootstrap: [daemons.all[2]!.local],
    dial: (url) =>
      httpTransport({
        address: url,
        async fetch(input, init) {
          if (dead.has(url)) await systemClock.sleep(60_000, init?.signal ?? undefined)
          await systemClock.sleep(slow.get(url) ?? 0, init?.signal ?? undefined)
          return fetch(input, init)
        },
      }),
  })
  expect(nearest.address).toBe(members[1]!.url)
  dead.add(nearest.address)
  const startMs = performance.now()
  const { records } = await nearest.call('record.get', {
    owner: app.owner!,
    app: microblog.id,
    collection: 'posts',
    keys: [write.local.key],
  })
  expect(toHex(records[0]!)).toBe(toHex(write.local.bytes))
  expect(performance.now() - startMs).toBeLessThan(1_500)
  expect(nearest.moves).toBe(1)
  await nearest.close()
})

test(
  'what was written offline is sent when a node answers, also after a restart',
  { timeout: 90_000 },
  async () => {
    const keys = memoryKeyStore()
    const paired = await pairWith(0, keys)
    await paired.transport.close()
    let online = false
    const options = {
      schema: microblog,
      keys,
      node: daemons.all[0]!.local,
      fetch: ((input, init) =>
        online ? fetch(input, init) : Promise.reject(new TypeError('offline'))) as typeof fetch,
    }
    const first = await connect(options)
    const write = await first.collection('posts').put({ text: 'from the train' })
    await expect(first.collection('posts').latest(1)).rejects.toMatchObject({
      code: 'UNREACHABLE',
      retryable: true,
    })
    await first.close()
    await expect(write.accepted).rejects.toMatchObject({ code: 'CLOSED' })

    online = true
    await using second = await connect(options)
    await second.outbox.flush()
    const [item] = await second.collection('posts').latest(1)
    expect(item?.value.text).toBe('from the train')
    const next = await second.collection('posts').put({ text: 'arrived' })
    expect(next.local.number).toBe(2)
  },
)

test(
  'a wrong item, an unknown collection and a stranger are told what to do',
  { timeout: 90_000 },
  async () => {
    await using stranger = await connect({ schema: microblog, node: daemons.all[0]!.local })
    await expect(stranger.collection('posts').put({ text: 'x' })).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    })
    // @ts-expect-error no such collection
    expect(() => stranger.collection('postz')).toThrow(/did you mean posts/)
    const keys = memoryKeyStore()
    await makeIdentity({ keys })
    await expect(makeIdentity({ keys })).rejects.toMatchObject({ code: 'STALE' })
    await using unhosted = await connect({ schema: microblog, keys, node: daemons.all[0]!.local })
    // @ts-expect-error not text
    await expect(unhosted.collection('posts').put({ text: 7 })).rejects.toMatchObject({ code: 'BAD_FIELD' })
    const write = await unhosted.collection('posts').put({ text: 'nobody hosts me' })
    await expect(write.accepted).rejects.toMatchObject({ code: 'NOT_HOSTED' })
  },
)

test(
  'an app key, admitted by the owner, writes what it was granted over libp2p alone',
  { timeout: 90_000 },
  async () => {
    const owner = await open(0)
    await using _ = owner.app
    const identity = owner.app.identity!
    const daemon = daemons.all[0]!
    const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
    const { link } = await admin.pair.open({})
    const run = await pair(link!, { keys: memoryKeyStore(), role: 'app', label: 'tablet' })
    await admin.pair.code(run.digits, identity.id)
    run.confirm()
    const pending = await until(async () => {
      const { pairing } = await admin.pair.show()
      return pairing.pending?.possession ? pairing.pending : undefined
    })
    const capabilities = [
      { app: microblog.id, collection: 'posts', access: 'write' as const, expiresMs: undefined },
    ]
    const { device: key, box: boxKey, possession } = pending!
    await identity.admit({ key, boxKey, role: 'app', possession: possession!, capabilities })
    await admin.pair.admit(identity.log())
    const { devices } = await admin.call('admin.devices', { identity: identity.id })
    expect(devices.map(({ label }) => label)).toEqual(['phone', 'this node', 'tablet'])
    const paired = await run.done
    expect(paired.problem).toBeUndefined()
    expect(paired.identity.role).toBe('app')

    await using tablet = await connect({
      schema: microblog,
      identity: paired.identity,
      transport: paired.transport,
    })
    await owner.app.publish()
    await (
      await tablet.collection('posts').put({ text: 'from the sofa' })
    ).accepted
    const [item] = await owner.app.collection('posts').latest(1)
    expect(item?.value.text).toBe('from the sofa')
    const profile = await tablet.collection('profile').put({ name: 'Mallory' })
    await expect(profile.accepted).rejects.toMatchObject({ code: 'FORBIDDEN' })
    await expect(tablet.collection('notes').put({ text: 'x' })).rejects.toMatchObject({ code: 'FORBIDDEN' })
  },
)

test('a signal that has aborted already is ABORTED, whatever is asked', { timeout: 90_000 }, async () => {
  const { app } = await open(0)
  await using _ = app
  const signal = AbortSignal.abort()
  const posts = app.collection('posts')
  const asked = {
    list: () => posts.list({ signal }),
    latest: () => posts.list({ signal, limit: 1 }),
    get: () => posts.get(new Uint8Array(32), { signal }),
    count: () => posts.count({ signal }),
    view: () => app.view('home', { signal }),
    feed: () => app.feed({ signal }),
    search: () => app.search({ scope: '/geo', text: 'jazz', signal }),
    flush: () => app.outbox.flush(signal),
    place: () => app.place({ signal }),
    publish: () => app.publish({ signal }),
  }
  for (const [name, call] of Object.entries(asked))
    await expect(call(), name).rejects.toMatchObject({ code: 'ABORTED' })
})

test('a wrong code burns the pairing, and the phone is told', { timeout: 90_000 }, async () => {
  const daemon = daemons.all[2]!
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run = await pair(link!, { keys: memoryKeyStore() })
  const wrong = run.digits === '000000' ? '000001' : '000000'
  await admin.pair.code(wrong).catch(() => undefined)
  run.confirm()
  await expect(run.done).rejects.toMatchObject({ code: 'PAIRING_BURNT' })
})
