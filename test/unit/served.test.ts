import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import type { Schemas } from '../../daemon/schemas.ts'
import { FeedWriter } from '../../daemon/streams/feed-writer.ts'
import { Follows } from '../../daemon/streams/follows.ts'
import { Served } from '../../daemon/streams/served.ts'
import { WantedAuthors } from '../../daemon/streams/wanted.ts'
import { toHex } from '../../protocol/bytes.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import type { RecordDraft } from '../../protocol/record/types.ts'
import { verifyRecord } from '../../protocol/record/verify.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { silentLog } from '../support/api-node.ts'
import { createPerson, recordBy, seededCrypto, type Person } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = seededCrypto(5)
const app = microblog.id

/** Ada follows Ben, both held here. */
async function house() {
  const clock = createVirtualClock()
  const store = await openStore(new MemoryKv(), { clock })
  const [ada, ben] = [createPerson(crypto), createPerson(crypto)] as [Person, Person]
  const wanted = new WantedAuthors()
  const feeds = new FeedWriter(store, wanted)
  const follows = new Follows()
  let number = 0
  const write = async (by: Person, collection: string, changes: Partial<RecordDraft>): Promise<void> => {
    const draft = {
      app,
      collection,
      schema: microblog.hash,
      number: ++number,
      clock: clockOf(clock.nowMs(), number),
    }
    const signed = recordBy(crypto, by, { ...draft, ...changes })
    const verdict = verifyRecord(crypto, signed, by.state, by.state)
    if (!verdict.ok) throw new Error(verdict.message)
    await store.records.put([{ record: verdict.record, bytes: encodeRecord(signed) }], { hosted: true })
  }
  const served = new Served({
    clock,
    log: silentLog,
    store,
    crypto,
    schemas: {
      apps: async () => [app],
      newest: async () => microblog,
      get: () => microblog,
    } as unknown as Schemas,
    feeds,
    follows,
    onEdge(owner, item, edge) {
      const before = follows.set(owner, item, edge)
      if (edge === undefined) {
        if (before !== undefined) wanted.get(app, before.name)?.followers.delete(owner)
        return undefined
      }
      const one = wanted.get(app, edge.name) ?? wanted.add(app, edge.author)
      one.followers.set(owner, new Set(edge.streams))
      return { wanted: one, owner }
    },
    onSchema: () => undefined,
  })
  const stop = new AbortController()
  const running = served.run(stop.signal)
  const fields = { audience: 'public' as const, heights: {} }
  await write(ada, 'follows', {
    key: ben.state.id,
    sections: [{ ...fields, fields: { user: ben.state.id } }],
  })
  const post = (title: string): Promise<void> =>
    write(ben, 'posts', {
      key: new Uint8Array(0),
      merge: 'append',
      sections: [{ ...fields, fields: { title } }],
    })
  return {
    ...{ clock, store, served, ada, ben, post, wanted },
    feed: async () => (await store.feeds.latest(ada.state.id, app, 10)).length,
    async [Symbol.asyncDispose]() {
      stop.abort()
      await running
      await store.close()
    },
  }
}

test('who is released and taken up again at once has the whole feed, though the disk still knows the old place', async () => {
  await using at = await house()
  const { served, ada, post } = at
  await post('one')
  await served.serveNow(ada.state.id)
  await at.clock.settle()
  expect(await at.feed()).toBe(1)

  served.release(ada.state.id, true)
  // Nobody here is told of this one: Ada is not served now.
  await post('two')
  served.serve(ada.state.id)
  await served.serveNow(ada.state.id)
  await at.clock.settle()
  expect(await at.feed()).toBe(2)
})

test('an order to delete the place that fails changes nothing of it', async () => {
  await using at = await house()
  const { served, store, ada, post } = at
  await served.serveNow(ada.state.id)
  await at.clock.settle()
  const original = store.cursors.delete.bind(store.cursors)
  store.cursors.delete = async () => Promise.reject(new Error('the disk is full'))
  served.release(ada.state.id, true)
  await at.clock.settle()
  store.cursors.delete = original
  await post('one')
  await served.serveNow(ada.state.id)
  await at.clock.settle()
  expect(await at.feed()).toBe(1)
})

test('of the people of a house those are taken up whose feeds were kept, and nobody else', async () => {
  await using at = await house()
  const { served, store, ada, ben, wanted } = at
  await served.restore([ada.state.id, ben.state.id])
  expect(served.size).toBe(0)
  await store.cursors.set(
    { kind: 'follows', peer: new Uint8Array(0), shard: ada.state.id },
    { epoch: 0, position: 1 },
  )
  await served.restore([ada.state.id, ben.state.id])
  expect(served.size).toBe(1)
  expect(wanted.get(app, toHex(ben.state.id))?.followers.size).toBe(1)
})
