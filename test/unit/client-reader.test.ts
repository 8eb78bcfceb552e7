import { expect, test } from 'vitest'
import { connect, microblog } from '../../client/index.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { encodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'
import { clockOf } from '../../protocol/record/clock.ts'
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

/** An app that reads Ada's data from a node that answers what it likes. */
async function readerOf(handlers: Handlers) {
  const clock = createVirtualClock()
  const logs = new Map([ada, ben].map(({ state }) => [toHex(state.id), encodeLog(state.entries)]))
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
  const opened = connect({ schema: microblog, transport: node.transport, owner: ada.state.id, clock, crypto })
  await clock.advance(10)
  const app = await opened
  const wait = async <T>(promise: Promise<T>): Promise<T> => {
    promise.catch(() => undefined)
    await clock.advance(100)
    return promise
  }
  return { app, wait, node }
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
