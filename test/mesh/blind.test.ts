/**
 * Every node is blind: keys of what is sealed are given to no node. An app that keeps nothing in the open works on such
 * nodes all the same, as its devices open what they are given: all of it here, with what lies on the disks afterwards.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, connectAdmin, defineSchema, memoryKeyStore, pair, toHex } from '../../client/index.ts'
import type { App, BlobReference } from '../../client/index.ts'
import { statePaths } from '../../daemon/state-folder.ts'
import { systemClock } from '../../daemon/clock.ts'
import { searchFiles, searchStore, Words } from '../../scripts/trial/model/words-on-disk.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { newDeviceOf } from '../support/circle.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

const closed = defineSchema({
  onehop: 1,
  id: 'example.closed',
  version: 1,
  collections: {
    people: {
      key: { field: 'name' },
      private: true,
      fields: { name: { type: 'text', max: 100, required: true }, phone: { type: 'text' } },
    },
    letters: { key: 'none', private: true, fields: { page: { type: 'blob', required: true } } },
    posts: { key: 'none', stream: true, fields: { text: { type: 'text', audience: 'followers' } } },
    follows: {
      key: { field: 'user' },
      follows: { field: 'user', streams: ['posts'] },
      fields: { user: { type: 'user', required: true } },
    },
  },
  views: {
    home: { feed: { of: 'posts', latest: 20 } },
  },
})
type Closed = App<typeof closed>

const planted = [
  'Wilhelmina Oyelaran',
  '+234 801 555 0199',
  'a letter to nobody at all',
  'supper is at seven',
]
let daemons: Daemons
const states: string[] = []

beforeAll(async () => {
  daemons = await startDaemons(3, (config, index) => {
    states.push(config.state)
    return {
      ...config,
      store: 'level',
      hosting: { ...config.hosting, offerTo: index === 2 ? 'nobody' : 'anyone' },
    }
  })
})

afterAll(() => daemons[Symbol.asyncDispose]())

async function personAt(index: number, copies: number): Promise<Closed> {
  const daemon = daemons.all[index]!
  const keys = memoryKeyStore()
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run = await pair(link!, { keys, label: 'phone', schemas: [closed], copies })
  await admin.pair.code(run.digits)
  run.confirm()
  const { transport, problem } = await run.done
  expect(problem).toBeUndefined()
  await transport.close()
  return connect({ schema: closed, keys, node: daemon.local })
}

const names = async (app: Closed, owner = app.owner!): Promise<string[]> =>
  (await app.collection('people').latest(10, { owner })).map(({ value }) => value.name as string)

test('an app with nothing in the open does all that another does, and no disk shows a word of it', async () => {
  const [name = '', phone = '', letter = '', supper = ''] = planted
  await using ada = await personAt(0, 1)
  await using ben = await personAt(2, 0)

  // Written, found by key, listed, counted, changed, deleted; seen live and on a page, in one request.
  const people = ada.collection('people')
  const live = ada.live({ list: 'people' })
  expect((await live.next()).value).toMatchObject({ type: 'reset' })
  for (const one of [name, 'somebody else']) await (await people.put({ name: one })).durable
  expect((await live.next()).value).toMatchObject({ type: 'items', problems: [] })
  await live.return(undefined)
  const [, first] = await people.latest(10)
  expect(first?.value).toEqual({ name })
  await (
    await people.update(first!, { name, phone })
  ).accepted
  expect((await people.get(name))?.value).toEqual({ name, phone })
  await (
    await people.delete((await people.get('somebody else'))!)
  ).accepted
  expect([await people.count(), await names(ada)]).toEqual([1, [name]])

  // A file, whole and in part.
  const bytes = new TextEncoder().encode(letter.repeat(20_000))
  const kept: BlobReference = await ada.blobs.put(bytes, 'text/plain', { sealed: true })
  await (
    await ada.collection('letters').put({ page: kept })
  ).durable
  const [opened] = await ada.collection('letters').latest(1)
  expect(await ada.blobs.bytes(opened!.value.page)).toEqual(bytes)
  expect(await ada.blobs.range(opened!.value.page, 300_000, 50)).toEqual(bytes.slice(300_000, 300_050))

  // For readers, on a node that serves them.
  await (
    await ben.follow(ada.owner!)
  ).accepted
  await (
    await ada.readers.approve(ben.owner!)
  ).accepted
  await (
    await ada.collection('posts').put({ text: supper })
  ).durable
  const shown = async () => (await ben.view('home')).feed?.items.map(({ value }) => value) ?? []
  await until(async () => JSON.stringify(await shown()) === JSON.stringify([{ text: supper }]), 20_000)
  expect((await ben.view('home')).requestsBetweenNodes).toBe(0)

  // A new phone reads what was there before it; and all goes on where a copy is when the home is gone.
  await using tablet = await newDeviceOf(ada, daemons.all[0]!)
  expect(await names(tablet)).toEqual([name])
  expect(ada.nearest!.members.length).toBe(2)
  await daemons.stop(0)
  expect(await names(ada)).toEqual([name])
  await (
    await people.put({ name: 'after the home was gone' })
  ).accepted
  expect(await people.count()).toBe(2)

  for (const index of [1, 2]) await daemons.stop(index)
  for (const state of states) {
    const words = new Words([...planted, 'example.closed'])
    await searchFiles(state, words)
    const kv = await openLevelKv(statePaths(state).store, { clock: systemClock })
    await searchStore(kv, words)
    await kv.close()
    // The name of the app stands in headers: the search sees what is there.
    expect([state, ...words.found]).toEqual([state, 'example.closed'])
  }
  expect(toHex(ada.owner!)).toHaveLength(64)
}, 120_000)
