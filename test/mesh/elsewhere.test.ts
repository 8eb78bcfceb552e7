import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  connect,
  connectAdmin,
  httpTransport,
  memoryKeyStore,
  microblog,
  pair,
  toHex,
} from '../../client/index.ts'
import type { App } from '../../client/index.ts'
import type { Config } from '../../daemon/config.ts'
import { startDaemon, type Daemon } from '../../daemon/start.ts'
import { bootstrapOf, startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

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

async function personAt(daemon: Daemon, keys = memoryKeyStore()): Promise<App<typeof microblog>> {
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
  await using ada = await personAt(daemons.all[0]!)
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
  await using ben = await personAt(daemons.all[1]!)
  expect((await ben.collection('posts').list({ owner })).items).toMatchObject([
    { value: { text: 'on the other box' } },
  ])
})

test('a group whose home has another address since is found where the near node hears it', async () => {
  const near = daemons.all[1]!
  const state = mkdtempSync(join(tmpdir(), 'onehop-moving-'))
  const config: Config = {
    ...daemons.configs[0]!,
    ...{ state, store: 'level', operator: 'somebody' },
    network: { ...daemons.configs[0]!.network, bootstrap: bootstrapOf(near) },
  }
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  const start = (): Promise<Daemon> => startDaemon({ config, version: 'test', log })
  let home = await start()
  try {
    const [adas, bens] = [memoryKeyStore(), memoryKeyStore()]
    const ada = await personAt(home, adas)
    const ben = await personAt(near, bens)
    const reading = { identity: ben.owner!, role: 'writer' as const }
    const admin = connectAdmin({ address: near.local, token: near.adminToken })
    const isHeard = async (): Promise<boolean> =>
      (await admin.status()).peers.some(({ node, connected }) => toHex(node) === home.node.id && connected)
    await until(isHeard, 20_000)
    const { id } = await ada.groups.create({ members: [reading] })
    const post = await ada.collection('posts').put({ text: 'before' }, { owner: id })
    await post.accepted
    expect((await ben.collection('posts').list({ owner: id })).items).toHaveLength(1)
    await Promise.all([ada.close(), ben.close()])

    const before = home.local
    await home[Symbol.asyncDispose]()
    home = await start()
    expect(home.local).not.toBe(before)
    // With what it remembers of who holds the group, as an app that is opened again.
    await using again = await connect({ schema: microblog, keys: bens, node: near.local })
    const posts = again.collection('posts')
    await until(async () => (await posts.list({ owner: id }).catch(() => undefined)) !== undefined, 20_000)
    await (
      await posts.put({ text: 'after' }, { owner: id })
    ).accepted
    expect((await posts.list({ owner: id })).items).toHaveLength(2)
  } finally {
    await home[Symbol.asyncDispose]()
    rmSync(state, { recursive: true, force: true })
  }
})
