import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, connectAdmin, httpTransport, memoryKeyStore, microblog, pair } from '../../client/index.ts'
import type { App } from '../../client/index.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'

let daemons: Daemons

beforeAll(async () => {
  // Neither offers space, so that a person is on one of them alone.
  daemons = await startDaemons(2, (config) => ({
    ...config,
    hosting: { ...config.hosting, offerTo: 'nobody' },
  }))
})

afterAll(async () => {
  await daemons[Symbol.asyncDispose]()
})

async function personAt(index: number): Promise<App<typeof microblog>> {
  const daemon = daemons.all[index]!
  const keys = memoryKeyStore()
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open({})
  const run = await pair(link!, { keys, label: 'phone', schemas: [microblog], copies: 0 })
  await admin.pair.code(run.digits)
  run.confirm()
  const { transport } = await run.done
  await transport.close()
  return connect({ schema: microblog, keys, node: daemon.local })
}

test('whose shard is elsewhere is read there, asked for at the near node over HTTP', async () => {
  await using ada = await personAt(0)
  const post = await ada.collection('posts').put({ text: 'on the other box' })
  await post.accepted
  const owner = ada.owner!
  const near = daemons.all[1]!.local

  // As the browser's fetch, Node's own sends a request again by itself for some statuses of HTTP.
  const plain = httpTransport({ address: near })
  const keys = [post.local.key]
  await expect(
    plain.call('record.get', { owner, app: microblog.id, collection: 'posts', keys }),
  ).rejects.toMatchObject({ code: 'NOT_HOSTED', retryable: false })
  await plain.close()

  await using stranger = await connect({ schema: microblog, node: near })
  expect((await stranger.collection('posts').list({ owner })).items).toMatchObject([
    { value: { text: 'on the other box' } },
  ])
  await using ben = await personAt(1)
  expect((await ben.collection('posts').list({ owner })).items).toMatchObject([
    { value: { text: 'on the other box' } },
  ])
})
