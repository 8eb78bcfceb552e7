/**
 * What a DHT peer sees (protocol/README.md, What each party sees): real daemons with the DHT between them, and a peer of it
 * that keeps all that it hears, while people pair, write, follow, search and come back by their recovery words.
 */
import { expect, test } from 'vitest'
import {
  connect,
  connectAdmin,
  defaultCrypto,
  findRecoverable,
  httpTransport,
  makeIdentity,
  makeRecovery,
  memoryKeyStore,
  microblog,
  pair,
} from '../../client/index.ts'
import type { Daemon } from '../../daemon/start.ts'
import { shardKey } from '../../daemon/placement/find.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { recoveryLookupKey } from '../../protocol/identity/recovery.ts'
import { aggregatorKey } from '../../protocol/search/log.ts'
import { startDaemons } from '../support/daemons.ts'
import { startDhtPeer } from '../support/dht-peer.ts'
import { until } from '../support/until.ts'

const crypto = defaultCrypto()
const town = '/geo/africa/ng/lagos'

async function moveIn(daemon: Daemon) {
  const keys = memoryKeyStore()
  const recovery = makeRecovery(crypto)
  const identity = await makeIdentity({ keys, crypto, recovery: recovery.keys })
  const admin = connectAdmin({ address: daemon.local, token: daemon.adminToken })
  const { link } = await admin.pair.open()
  const run = await pair(link!, { keys, label: 'planted label', schemas: [microblog], copies: 1 })
  await admin.pair.code(run.digits)
  run.confirm()
  const { transport } = await run.done
  await Promise.all([transport.close(), admin.close()])
  const app = await connect({ schema: microblog, keys, transport: httpTransport({ address: daemon.local }) })
  return { app, identity, recovery }
}

test('a DHT peer: hashes, and who provides them; no id, no name of an app or a collection, no words', async () => {
  await using peer = await startDhtPeer('127.0.9.1')
  await using daemons = await startDaemons(3, (config, index) => ({
    ...config,
    region: town,
    network: { ...config.network, bootstrap: [peer.address], providesPerS: 100 },
    ...(index === 2 ? { aggregate: [{ app: '*', scope: '/geo' }] } : {}),
  }))
  const [home, bens, aggregator] = daemons.all as [Daemon, Daemon, Daemon]
  const ada = await moveIn(home)
  const ben = await moveIn(bens)
  await using app = ada.app
  await using other = ben.app
  const put = async (write: Promise<{ readonly accepted: Promise<unknown> }>): Promise<void> => {
    await (
      await write
    ).accepted
  }
  await put(app.collection('profile').put({ name: 'Planted Name', place: town }))
  await put(app.collection('posts').put({ title: 'planted for everybody' }))
  await put(app.collection('notes').put({ text: 'planted for myself' }))
  await put(app.follow(ben.identity.id))
  await put(other.collection('posts').put({ title: 'planted by another' }))
  await app.blobs.put(utf8('planted in a sealed file'), 'text/plain', { sealed: true })
  await until(async () => (await app.view('home')).feed?.items.length === 1, 20_000)
  await app.search({ collection: 'posts', text: 'planted question', scope: '/geo' }).catch(() => undefined)
  const stranger = crypto.random(32)
  const asked = httpTransport({ address: aggregator.local })
  await asked.call('replica-set.get', { owner: stranger }).catch(() => undefined)
  await findRecoverable({ words: ada.recovery.words.join(' '), transport: asked, crypto })
  await asked.close()

  // Hashes of what is public where it is known, and of nothing else.
  const people = [ada, ben]
  const { sha256 } = crypto
  const shards = [...people.map(({ identity }) => identity.id), stranger].map((id) => shardKey(crypto, id))
  const recoveries = people.map(({ recovery }) => recoveryLookupKey(crypto, recovery.keys.key))
  const scopes = ['/geo', '/geo/africa', '/geo/africa/ng', town]
  const aggregates = scopes.flatMap((scope) =>
    ['*', microblog.id].map((name) => aggregatorKey(sha256, name, scope)),
  )
  const keysOf = (type: string): string[] =>
    peer.messages.filter((one) => one.type === type).map(({ key }) => toHex(key))
  const [shard, others, unknown] = shards.map(named) as [string, string, string]
  // What is looked for is looked for where it would be: what such a peer is told and asked came to this one.
  const told = [shard, others, ...[...recoveries, aggregates[0]!].map(named)]
  await until(() => told.every((key) => keysOf('ADD_PROVIDER').includes(key)), 20_000)
  await until(() => [unknown, named(recoveries[0]!)].every((key) => keysOf('GET_PROVIDERS').includes(key)))
  const heard = Buffer.concat(peer.heard())
  const holds = (what: string | Uint8Array): boolean => heard.includes(Buffer.from(what as string))
  for (const key of [...shards, ...recoveries, aggregates[0]!]) expect(holds(key)).toBe(true)

  const hashes = new Set([...shards, ...recoveries, ...aggregates].map(named))
  const nodes = new Set(daemons.all.map(({ node }) => node.id))
  for (const { type, key } of peer.messages) {
    if (type === 'PING') continue
    // libp2p's own look-ups name a node by its key; the first byte says that this is no hash.
    if (type === 'FIND_NODE' && key[0] === 0) expect(nodes).toContain(toHex(key.slice(-32)))
    else expect(hashes, type).toContain(toHex(key))
  }
  const ids = people.flatMap(({ identity, recovery }) => [
    identity.id,
    identity.device.key,
    identity.device.boxKey,
    recovery.keys.key,
  ])
  const words = ['planted', 'Planted', ...Object.keys(microblog.document.collections), town, 'lagos', '/geo']
  const hidden = [...ids, stranger, ...[...ids, stranger].map(toHex), microblog.id, ...words]
  for (const what of hidden) expect(holds(what), String(what)).toBe(false)
})

/** As kad-dht names a SHA-256. */
function named(hash: Uint8Array): string {
  return `1220${toHex(hash)}`
}
