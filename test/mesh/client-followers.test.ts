import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  connect,
  defaultCrypto,
  httpTransport,
  makeIdentity,
  memoryKeyStore,
  OnehopError,
  toHex,
} from '../../client/index.ts'
import type { LiveEvent, Transport } from '../../client/index.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { revokeDevice } from '../../protocol/identity/make.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import type { Daemon } from '../../daemon/start.ts'
import { circle, newDeviceOf, personAt, shownOf, type Circle } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

const crypto = defaultCrypto()
/** Of the first epoch, as item keys of integers are. */
const firstKey = Uint8Array.of(0x80, 0, 0, 0, 0, 1, 0, 0)
let daemons: Daemons
const states: string[] = []

beforeAll(async () => {
  // Neither offers space: everybody lives on one of them alone, and is read from there or from what is carried.
  daemons = await startDaemons(2, (config) => {
    states.push(config.state)
    return { ...config, store: 'level', hosting: { ...config.hosting, offerTo: 'nobody' } }
  })
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

const home = () => daemons.all[0]!
const elsewhere = () => daemons.all[1]!

async function post(app: Circle, title: string, text: string): Promise<void> {
  const write = await app.collection('posts').put({ title, text })
  await write.accepted
}

async function settled(change: Promise<{ readonly accepted: Promise<unknown> }>): Promise<void> {
  await (
    await change
  ).accepted
}

async function page(app: Circle) {
  const { feed } = await app.view('home')
  return (feed?.items ?? []).map(({ value, withheld, author }) => ({
    ...(value as { title?: string; text?: string }),
    withheld,
    phone: author.own.profile?.value.phone,
  }))
}

describe('what is kept for followers', () => {
  test('is read by an approved one, on a page and live; who follows without that sees that there is something', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(elsewhere())
    await using eve = await personAt(elsewhere())
    await settled(ada.collection('profile').put({ name: 'Ada', phone: '0170' }))
    await post(ada, 'before', 'for my circle')
    for (const app of [ben, eve]) await settled(app.follow(ada.owner!))
    await settled(ada.readers.approve(ben.owner!))

    await until(async () => (await page(ben))[0]?.text !== undefined, 20_000)
    expect(await page(ben)).toEqual([{ title: 'before', text: 'for my circle', withheld: 0, phone: '0170' }])
    await until(async () => (await page(eve)).length > 0, 20_000)
    expect(await page(eve)).toEqual([{ title: 'before', withheld: 1, phone: undefined }])

    // Whom she approved asks no more; who follows on her own node does as those elsewhere.
    await using cleo = await personAt(home())
    await settled(cleo.follow(ada.owner!))
    const asking = async () => {
      const { items, isWhole } = await ada.readers.requests()
      expect(isWhole).toBe(true)
      return items.map(({ identity }) => toHex(identity)).toSorted()
    }
    await until(async () => (await asking()).length === 2, 20_000)
    expect(await asking()).toEqual([eve, cleo].map(({ owner }) => toHex(owner!)).toSorted())
    expect((await eve.readers.requests()).items).toEqual([])
    await settled(cleo.unfollow(ada.owner!))
    await until(async () => (await asking()).length === 1, 20_000)

    const leaving = new AbortController()
    const events: LiveEvent<{ title?: string; text?: string }>[] = []
    const reading = (async () => {
      for await (const event of ben.live({ feed: 'posts' }, { signal: leaving.signal }))
        events.push(event as LiveEvent<{ title?: string; text?: string }>)
    })()
    await until(() => events.length > 0)
    await post(ada, 'now', 'as it happens')
    const live = () => events.flatMap((event) => (event.type === 'items' ? event.items : []))
    await until(() => live().length > 0, 20_000)
    expect(live().map(({ value, withheld }) => ({ ...value, withheld }))).toEqual([
      { title: 'now', text: 'as it happens', withheld: 0 },
    ])
    leaving.abort()
    await reading

    expect(await shownOf(eve, ada.owner!)).toEqual([
      { title: 'now', withheld: 1 },
      { title: 'before', withheld: 1 },
    ])
    expect((await ada.readers.list()).map(({ identity }) => toHex(identity))).toEqual([toHex(ben.owner!)])
  })

  test('opens on a page that is open while its reader is approved', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(elsewhere())
    await post(ada, 'before', 'for my circle')
    await settled(ben.follow(ada.owner!))
    await until(async () => (await page(ben)).length === 1, 20_000)
    const leaving = new AbortController()
    const shown: (string | undefined)[] = []
    const reading = (async () => {
      // Reads when told to, and never otherwise.
      for await (const _ of ben.live({ view: 'home' }, { signal: leaving.signal }))
        shown.push((await page(ben))[0]?.text)
    })()
    await until(() => shown.length > 0)
    await settled(ada.readers.approve(ben.owner!))
    await until(() => shown.at(-1) !== undefined, 20_000)
    expect([shown[0], shown.at(-1)]).toEqual([undefined, 'for my circle'])
    leaving.abort()
    await reading
  })

  test('is closed to who was put out, from then on; what they could read they read, on a new phone too', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(elsewhere())
    await using cleo = await personAt(home())
    await settled(ben.follow(ada.owner!))
    for (const reader of [ben, cleo]) await settled(ada.readers.approve(reader.owner!))
    await post(ada, 'one', 'for both')
    expect(await shownOf(ben, ada.owner!)).toEqual([{ title: 'one', text: 'for both', withheld: 0 }])

    await settled(ada.readers.remove(ben.owner!, { urgent: true }))
    await post(ada, 'two', 'for cleo alone')
    const bens = [
      { title: 'two', withheld: 1 },
      { title: 'one', text: 'for both', withheld: 0 },
    ]
    expect(await shownOf(ben, ada.owner!)).toEqual(bens)
    await using again = await newDeviceOf(ben, elsewhere())
    expect(await shownOf(again, ada.owner!)).toEqual(bens)

    const all = [
      { title: 'two', text: 'for cleo alone', withheld: 0 },
      { title: 'one', text: 'for both', withheld: 0 },
    ]
    expect(await shownOf(cleo, ada.owner!)).toEqual(all)
    // New devices: of a reader, and of the author, who goes on.
    await using cleos = await newDeviceOf(cleo, home())
    expect(await shownOf(cleos, ada.owner!)).toEqual(all)
    await using adas = await newDeviceOf(ada, home())
    expect(await shownOf(adas, ada.owner!)).toEqual(all)
    expect((await adas.readers.list()).map(({ identity }) => toHex(identity))).toEqual([toHex(cleo.owner!)])
    await settled(adas.readers.approve(ben.owner!))
    await post(adas, 'three', 'welcome back')
    await until(async () => {
      const shown = await page(ben)
      return shown.length === 3 && shown.every(({ withheld }) => withheld === 0)
    }, 20_000)
    expect((await shownOf(cleo, ada.owner!))[0]).toEqual({
      ...{ title: 'three', text: 'welcome back', withheld: 0 },
    })
  })

  test('those who are put out on one day share an epoch, unless it is urgent', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(elsewhere())
    await using cleo = await personAt(elsewhere())
    await using dan = await personAt(elsewhere())
    const readers = [ben, cleo, dan]
    for (const reader of readers) await settled(ada.readers.approve(reader.owner!))
    for (const reader of [ben, cleo]) await settled(ada.readers.remove(reader.owner!))
    await post(ada, 'today', 'they still read it')
    expect(await shownOf(ben, ada.owner!)).toEqual([
      { title: 'today', text: 'they still read it', withheld: 0 },
    ])
    const listed = await ada.readers.list()
    expect(listed.filter(({ isLeaving }) => isLeaving)).toHaveLength(2)
    expect(listed).toHaveLength(3)

    await settled(ada.readers.remove(dan.owner!, { urgent: true }))
    expect(await ada.readers.list()).toEqual([])
    await post(ada, 'then', 'nobody reads it')
    for (const reader of readers) {
      const [newest] = await shownOf(reader, ada.owner!)
      expect(newest).toEqual({ title: 'then', withheld: 1 })
    }
    const { items } = await ada.collection('posts').list()
    expect(items.map(({ withheld }) => withheld)).toEqual([0, 0])
    await expect(ada.readers.remove(dan.owner!)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(ada.readers.approve(ada.owner!)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  test('opens whatever comes first, the post or what opens it', async () => {
    const held: Uint8Array[] = []
    let isHolding = false
    /** Says that it has the records, and keeps them back. */
    const holding = (to: Transport): Transport => ({
      ...to,
      live: () => to.live(),
      call: (async (operation, request, options) => {
        if (operation !== 'record.put' || !isHolding) return to.call(operation, request, options)
        const { records } = request as { records: readonly Uint8Array[] }
        held.push(...records)
        const results = records.map(() => ({ outcome: 'stored', id: null, code: null, message: null }))
        return { results, clockMs: Date.now() }
      }) as Transport['call'],
    })
    const direct = httpTransport({ address: home().local })
    await using ada = await personAt(home(), { transport: holding(httpTransport({ address: home().local })) })
    await using ben = await personAt(elsewhere())
    isHolding = true
    await settled(ada.readers.approve(ben.owner!))
    await post(ada, 'first', 'comes before its key')
    // An epoch, a page, and the post.
    expect(held).toHaveLength(3)
    for (const [i, record] of held.toReversed().entries()) {
      const { results } = await direct.call('record.put', { records: [record] })
      expect(results[0]?.outcome).toBe('stored')
      if (i === 0) expect(await shownOf(ben, ada.owner!)).toEqual([{ title: 'first', withheld: 1 }])
    }
    await until(async () => (await shownOf(ben, ada.owner!))[0]?.withheld === 0, 20_000)
    expect(await shownOf(ben, ada.owner!)).toEqual([
      { title: 'first', text: 'comes before its key', withheld: 0 },
    ])
    await direct.close()
  })

  test('is asked for by nobody whom a node makes up', async () => {
    await using eve = await personAt(home())
    await using ben = await personAt(home())
    const follow = await eve.follow(ben.owner!)
    await follow.accepted
    const records = [follow.local.bytes, Uint8Array.of(1, 2, 3)]
    const lying = (to: Transport): Transport => ({
      ...to,
      live: () => to.live(),
      call: (async (operation, request, options) =>
        operation === 'follower.list'
          ? { records, more: false, silent: 0 }
          : to.call(operation, request, options)) as Transport['call'],
    })
    const transport = () => lying(httpTransport({ address: home().local }))
    await using ada = await personAt(home(), { transport: transport() })
    expect(await ada.readers.requests()).toEqual({ items: [], isWhole: true })
    records.pop()
    const followAda = await eve.follow(ada.owner!)
    await followAda.accepted
    records.push(followAda.local.bytes)
    const { items } = await ada.readers.requests()
    expect(items).toEqual([{ identity: eve.owner, sinceMs: expect.any(Number), wasRemoved: false }])
  })

  test('lies on no disk in the clear: neither at home nor where followers are served', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(elsewhere())
    await settled(ben.follow(ada.owner!))
    await settled(ada.readers.approve(ben.owner!))
    const [open, sealed] = ['Zq7-planted-for-all', 'Xw9-planted-for-readers']
    await post(ada, open, sealed)
    await until(async () => (await page(ben))[0]?.text === sealed, 20_000)
    const onDisk = async (state: string, words: string): Promise<boolean> => {
      const files = await readdir(state, { recursive: true, withFileTypes: true })
      const contents = files
        .filter((file) => file.isFile())
        .map((file) => readFile(join(file.parentPath, file.name)))
      return (await Promise.all(contents)).some((bytes) => bytes.includes(words))
    }
    expect(states).toHaveLength(2)
    for (const state of states) {
      expect(await onDisk(state, open)).toBe(true)
      expect(await onDisk(state, sealed)).toBe(false)
    }
  })

  test('is sealed anew for the readers who stay when a device of the author is revoked; newcomers read all of it', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(home())
    await using cleo = await personAt(home())
    await settled(ada.readers.approve(ben.owner!))
    await post(ada, 'one', 'at first')
    for (let i = 2; i < 4; i++) {
      await settled(ada.readers.approve(cleo.owner!))
      await settled(ada.readers.remove(cleo.owner!, { urgent: true }))
    }
    await post(ada, 'two', 'two epochs on')
    await using lost = await newDeviceOf(ada, home())
    const identity = ada.identity!
    const { entry } = revokeDevice(crypto, identity.state, identity.device, lost.identity!.device.key, [])
    await identity.learn(encodeLog([entry]))
    await ada.publish()
    const write = await ada.collection('posts').put({ title: 'three', text: 'without the lost one' })
    await write.accepted
    const { sections } = decodeRecord(crypto, write.local.bytes).header
    expect(sections.map(({ audience, epoch }) => [audience, epoch])).toEqual([
      ['public', 0],
      ['followers', 2 * 65_536],
    ])
    const all = ['without the lost one', 'two epochs on', 'at first']
    const texts = async (app: Circle) => (await shownOf(app, ada.owner!)).map(({ text }) => text)
    expect(await texts(ben)).toEqual(all)
    expect(await texts(cleo)).toEqual([undefined, undefined, 'at first'])
    await settled(ada.readers.approve(cleo.owner!))
    await until(async () => !(await texts(cleo)).includes(undefined), 20_000)
    expect(await texts(cleo)).toEqual(all)
    await using dan = await personAt(elsewhere())
    await settled(ada.readers.approve(dan.owner!))
    expect(await texts(dan)).toEqual(all)
  })

  test('is written offline once this device knows the epoch, and before that waits for a node', async () => {
    const keys = memoryKeyStore()
    const fresh = memoryKeyStore()
    const away = (): Transport => {
      const gone = () => Promise.reject(new OnehopError('UNREACHABLE', 'no node'))
      return { address: 'nowhere', binds: false, call: gone, open: gone, live: gone, close: async () => {} }
    }
    await using knows = await personAt(home(), { keys })
    await post(knows, 'online', 'with a node')
    await using offline = await connect({ schema: circle, keys, transport: away() })
    const write = await offline.collection('posts').put({ title: 'offline', text: 'in the hills' })
    expect(decodeRecord(crypto, write.local.bytes).header.sections.map(({ epoch }) => epoch)).toEqual([
      0, 65_536,
    ])
    await makeIdentity({ keys: fresh })
    await using knowsNot = await connect({ schema: circle, keys: fresh, transport: away() })
    await expect(knowsNot.collection('posts').put({ title: 'a', text: 'b' })).rejects.toMatchObject({
      code: 'UNREACHABLE',
    })
    // What is for everybody needs no key.
    expect((await knowsNot.collection('posts').put({ title: 'a' })).local.number).toBe(1)
  })

  test('is approved and sealed by devices as far as they were given leave', async () => {
    await using ada = await personAt(home())
    await using ben = await personAt(home())
    const leave = (collection: string | undefined) => ({
      role: 'app' as const,
      capabilities: [{ app: circle.id, collection, access: 'write' as const, expiresMs: undefined }],
    })
    await using blind = await newDeviceOf(ada, home(), leave(undefined))
    const forbidden = { code: 'FORBIDDEN' }
    const both = { title: 'a', text: 'b' }
    await expect(blind.collection('posts').put(both)).rejects.toMatchObject(forbidden)
    await expect(blind.readers.approve(ben.owner!)).rejects.toMatchObject(forbidden)
    await using narrow = await newDeviceOf(ada, home(), { ...leave('posts'), readsPrivate: true })
    await expect(narrow.collection('posts').put(both)).rejects.toMatchObject(forbidden)
    await expect(narrow.readers.approve(ben.owner!)).rejects.toMatchObject(forbidden)
    await using whole = await newDeviceOf(ada, home(), { ...leave(undefined), readsPrivate: true })
    await settled(whole.readers.approve(ben.owner!))
    await post(whole, 'by an app', 'with leave for all of it')
    // Now that there is an epoch, it seals under that.
    await using again = await newDeviceOf(ada, home(), { ...leave('posts'), readsPrivate: true })
    await post(again, 'by another', 'with leave for posts')
    expect((await shownOf(ben, ada.owner!)).map(({ text }) => text)).toEqual([
      'with leave for posts',
      'with leave for all of it',
    ])
  })
})

test('a page opens from the node that serves the follower, with nobody asked, when the author’s home is gone', async () => {
  await using two = await startDaemons(2, (config) => ({
    ...config,
    hosting: { ...config.hosting, offerTo: 'nobody' },
  }))
  const [authors, bens] = two.all as [Daemon, Daemon]
  const keys = memoryKeyStore()
  await using ada = await personAt(authors)
  await using ben = await personAt(bens, { keys })
  await settled(ben.follow(ada.owner!))
  await settled(ada.readers.approve(ben.owner!))
  await post(ada, 'one', 'carried along')
  await until(async () => (await page(ben))[0]?.text !== undefined, 20_000)
  // A later epoch and its wraps come with what is sealed under it.
  await using cleo = await personAt(authors)
  await settled(ada.readers.approve(cleo.owner!))
  await settled(ada.readers.remove(cleo.owner!, { urgent: true }))
  await post(ada, 'two', 'a day later')
  await until(async () => (await page(ben)).length === 2, 20_000)
  await two.stop(0)
  // Whom people there follow is not for everybody to find out.
  const stranger = httpTransport({ address: bens.local })
  const asked = { owner: ada.owner!, app: circle.id, collection: '@epochs', keys: [firstKey] }
  await expect(stranger.call('record.get', asked)).rejects.toMatchObject({ code: 'NOT_HOSTED' })
  await stranger.close()
  await using again = await connect({ schema: circle, keys, node: bens.local })
  const { requestsBetweenNodes } = await again.view('home')
  expect([requestsBetweenNodes, await page(again)]).toEqual([
    0,
    [
      { title: 'two', text: 'a day later', withheld: 0, phone: undefined },
      { title: 'one', text: 'carried along', withheld: 0, phone: undefined },
    ],
  ])
})
