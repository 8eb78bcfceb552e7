import { describe, expect, test } from 'vitest'
import { connect, memoryKeyStore, microblog } from '../../client/index.ts'
import type { ConnectOptions } from '../../client/index.ts'
import { Identity } from '../../client/identity/identity.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { append } from '../../protocol/identity/log.ts'
import {
  addDevice,
  deviceFromSeed,
  ownerAdmission,
  provePossession,
  revokeDevice,
} from '../../protocol/identity/make.ts'
import { encodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { circle } from '../support/circle.ts'
import { createFakeNode, type Handlers } from '../support/fake-transport.ts'
import { createPerson, recordBy, seededCrypto, type Person } from '../support/people.ts'
import { toHex } from '../../protocol/bytes.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = seededCrypto(21)
const [ada, ben] = [createPerson(crypto), createPerson(crypto)]

function write(
  person: Person,
  collection: string,
  value: ItemValue,
  changes: Partial<RecordDraft> = {},
): Uint8Array {
  const sections = planSections(microblog, collection, value).map(({ audience, heights, fields }) => ({
    audience,
    heights,
    fields,
  }))
  const merge = collection === 'posts' ? 'append' : 'register'
  const draft = {
    app: microblog.id,
    collection,
    merge,
    key: new Uint8Array(0),
    schema: microblog.hash,
    sections,
  }
  return encodeRecord(recordBy(crypto, person, { ...draft, ...changes } as Partial<RecordDraft>))
}

/** An app that reads Ada's data from a node that answers what it likes, with a log of hers of which it has heard. */
async function readerOf(handlers: Handlers, known = ada.state) {
  const clock = createVirtualClock()
  const logs = new Map([known, ben.state].map(({ id, entries }) => [toHex(id), encodeLog(entries)]))
  const node = createFakeNode('n', clock, 0, {
    'node.info': () => ({
      node: new Uint8Array(32),
      version: '1',
      clockMs: clock.nowMs(),
      addresses: [],
      roles: [],
      region: null,
    }),
    'identity.get': ({ identity }) => ({ log: logs.get(toHex(identity))!, people: [] }),
    ...handlers,
  })
  const open = async <S extends Schema>(schema: S, whose: Pick<ConnectOptions<S>, 'owner' | 'identity'>) => {
    const opened = connect({ schema, transport: node.transport, clock, crypto, ...whose })
    await clock.advance(10)
    return opened
  }
  const app = await open(microblog, { owner: ada.state.id })
  const wait = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined)
    await clock.advance(100)
    return promise
  }
  return { app, wait, node, open }
}

const listing = (...records: Uint8Array[]): Handlers => ({
  'record.list': () => ({ records, asOf: 0n, more: null }),
})

test('a list is opened and typed', async () => {
  const { app, wait } = await readerOf(listing(write(ada, 'posts', { text: 'mine' })))
  const { items } = await wait(app.collection('posts').list())
  expect(items.map(({ value }) => value)).toEqual([{ text: 'mine' }])
})

test.for([
  [
    'a changed byte',
    () =>
      write(ada, 'posts', { text: 'mine' }).map((byte, i, all) => (i === all.length - 3 ? byte ^ 1 : byte)),
  ],
  ["somebody else's post", () => write(ben, 'posts', { text: 'his' })],
  ['a forged owner', () => write({ ...ben, state: ada.state }, 'posts', { text: 'not hers' })],
  ['another collection', () => write(ada, 'profile', { name: 'Ada' })],
  ['nonsense', () => Uint8Array.of(0x83, 1, 2, 3)],
] as const)('a node that slips in %s is caught', async ([_, forge]) => {
  const { app, wait } = await readerOf(listing(forge()))
  await expect(wait(app.collection('posts').list())).rejects.toThrow(/does not verify/)
})

test('another item than the one asked for is caught', async () => {
  const { app, wait } = await readerOf({
    'record.get': () => ({ records: [write(ada, 'posts', { text: 'other' })] }),
  })
  await expect(wait(app.collection('posts').get(new Uint8Array(32)))).rejects.toMatchObject({
    code: 'BAD_MESSAGE',
  })
})

test('what is deleted or expired is not shown', async () => {
  const gone = write(ada, 'posts', {}, { operation: 'delete', key: new Uint8Array(32).fill(1), sections: [] })
  const expired = write(ada, 'posts', { text: 'old' }, { expiresMs: 1 })
  const { app, wait } = await readerOf(listing(gone, expired))
  expect((await wait(app.collection('posts').list())).items).toEqual([])
})

test('reads present what was seen before, so that they never go back', async () => {
  const asked: unknown[] = []
  const record = write(ada, 'posts', { text: 'mine' }, { number: 7, clock: clockOf(1_700_000_000_000) })
  const { app, wait } = await readerOf({
    'record.list': ({ seen }) => {
      asked.push(seen)
      return { records: [record], asOf: 0n, more: null }
    },
  })
  await wait(app.collection('posts').list())
  await wait(app.collection('posts').list())
  expect(asked).toEqual([undefined, [{ device: ada.device.key, intervals: [{ first: 7, last: 7 }] }]])
})

test('in a feed one false item is left out and named', async () => {
  const view = encodeViewAnswer({
    askedNodes: 0,
    asOf: 0n,
    own: [{ collection: 'profile', record: write(ada, 'profile', { name: 'Ada' }) }],
    latest: [],
    feed: {
      authors: [{ id: ben.state.id, records: [write(ben, 'profile', { name: 'Ben' })] }],
      items: [
        { author: 0, record: write(ben, 'posts', { text: 'his' }) },
        { author: 0, record: write(ada, 'posts', { text: 'put into his mouth' }) },
      ],
      more: undefined,
    },
    counts: { posts: 2 },
  })
  const { app, wait } = await readerOf({ 'view.get': () => ({ view, requestsBetweenNodes: 0 }) })
  const home = await wait(app.view('home'))
  expect(home.own.profile?.value).toEqual({ name: 'Ada' })
  expect(home.feed?.items.map((item) => [item.author.own.profile?.value.name, item.value])).toEqual([
    ['Ben', { text: 'his' }],
  ])
  expect(home.problems).toEqual([expect.stringContaining('item 2')])
})

describe('what a device signed after it was revoked, while the node has not heard', () => {
  const keys = deviceFromSeed(crypto, crypto.random(32))
  const admission = ownerAdmission(keys, false)
  const grown = append(crypto, ada.state, [
    addDevice(crypto, ada.state, ada.device, admission, provePossession(crypto, ada.state.id, keys)),
  ])
  const numbers = { owner: ada.state.id, lastNumber: 1, listHash: new Uint8Array(32), lastEntry: undefined }
  const { entry } = revokeDevice(crypto, grown, ada.device, keys.key, [numbers])
  const revoked = append(crypto, grown, [entry])
  const thief: Person = { state: grown, device: keys }
  const key = new Uint8Array(32).fill(9)
  const before = write(thief, 'posts', { text: 'before' }, { number: 1 })
  const since = write(thief, 'posts', { text: 'since' }, { number: 2, key })
  const hers = write(ada, 'posts', { text: 'hers' })
  const texts = (items: readonly { readonly value: object }[]): unknown[] =>
    items.map(({ value }) => ('text' in value ? value.text : value))
  const viewOf = (...records: Uint8Array[]): Handlers => ({
    'view.get': () => ({
      requestsBetweenNodes: 0,
      view: encodeViewAnswer({
        askedNodes: 0,
        asOf: 0n,
        own: [{ collection: 'profile', record: write(thief, 'profile', { name: 'Eve' }, { number: 3 }) }],
        latest: [{ collection: 'posts', records, more: undefined }],
        feed: undefined,
        counts: {},
      }),
    }),
  })

  test('is left out of a list', async () => {
    const { app, wait } = await readerOf(listing(before, since, hers), revoked)
    const { items, leftOut } = await wait(app.collection('posts').list())
    expect([texts(items), leftOut]).toEqual([['before', 'hers'], 1])
  })

  test('is left out of a page, and named', async () => {
    const { app, wait } = await readerOf(viewOf(before, since, hers), revoked)
    const person = await wait(app.view('person'))
    expect(texts(person.latest.posts?.items ?? [])).toEqual(['before', 'hers'])
    expect(person.latest.posts?.leftOut).toBe(1)
    expect(person.own.profile).toBeUndefined()
    expect(person.problems).toEqual([
      expect.stringMatching(/^profile 1: .*revoked/),
      expect.stringMatching(/^posts 2: .*revoked/),
    ])
  })

  test('is left out of many by key, and is no answer to a question for one', async () => {
    const { app, wait } = await readerOf({ 'record.get': () => ({ records: [since, null] }) }, revoked)
    const posts = app.collection('posts')
    expect(await wait(posts.getMany([key, new Uint8Array(32)]))).toEqual([undefined, undefined])
    await expect(wait(posts.get(key))).rejects.toMatchObject({ code: 'LAGGING' })
    await expect(wait(posts.update(key, { text: 'mended' }))).rejects.toMatchObject({ code: 'LAGGING' })
  })

  test('is not taken for a page without readers: whom one approved would be written over', async () => {
    const named = { app: circle.id, schema: circle.hash, collection: '@readers', number: 2 }
    const page = encodeRecord(recordBy(crypto, thief, { ...named, key: Uint8Array.of(0) }))
    const answer: Handlers = {
      'record.list': ({ collection }) => ({
        ...{ records: collection === '@readers' ? [page] : [], asOf: 0n, more: null },
      }),
    }
    const { wait, open } = await readerOf(answer, revoked)
    const identity = new Identity({ keys: memoryKeyStore(), crypto }, ada.device, revoked)
    const app = await open(circle, { identity })
    await expect(wait(app.readers.list())).rejects.toMatchObject({ code: 'LAGGING' })
  })

  test('is refused aloud where the device did not sign it, in a list and in a page', async () => {
    const forged = since.map((byte, i, all) => (i === all.length - 3 ? byte ^ 1 : byte))
    const listed = await readerOf(listing(before, forged), revoked)
    await expect(listed.wait(listed.app.collection('posts').list())).rejects.toThrow(/does not verify/)
    const paged = await readerOf(viewOf(forged), revoked)
    await expect(paged.wait(paged.app.view('person'))).rejects.toThrow(/does not verify/)
  })

  test('is shown where the revocation lost meanwhile: the log is asked for before anything is left out', async () => {
    const [phone, tablet] = [keys, deviceFromSeed(crypto, crypto.random(32))]
    const admit = (state: typeof grown, device: typeof keys) => {
      const possession = provePossession(crypto, ada.state.id, device)
      return addDevice(crypto, state, ada.device, ownerAdmission(device, false), possession)
    }
    const both = append(crypto, grown, [admit(grown, tablet)])
    const lost = append(crypto, both, [revokeDevice(crypto, both, phone, tablet.key, []).entry])
    const later = append(crypto, lost, [admit(both, deviceFromSeed(crypto, crypto.random(32)))])
    const logs = [lost, later].map(({ entries }) => ({ log: encodeLog(entries), people: [] }))
    const post = write({ state: both, device: tablet }, 'posts', { text: 'from the tablet' })
    const { app, wait } = await readerOf({
      ...listing(post),
      'identity.get': () => (logs.length > 1 ? logs.shift()! : logs[0]!),
    })
    expect(texts((await wait(app.collection('posts').list())).items)).toEqual(['from the tablet'])
  })
})
