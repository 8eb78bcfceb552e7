/**
 * A shard's copies at two nodes that cannot dial each other, and what the relay between them can read: all bytes that it
 * passed on, decrypted as far as it can (protocol/README.md, What each party sees).
 */
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { adminCall } from '../../cli/daemon.ts'
import { connect, connectAdmin, makeIdentity, memoryKeyStore, microblog, toHex } from '../../client/index.ts'
import { peerIdOf } from '../../daemon/net/node-id.ts'
import type { Daemon } from '../../daemon/start.ts'
import { startDaemons, type Daemons } from '../support/daemons.ts'
import { until } from '../support/until.ts'

/** What came over each stream, and who is at its end: who asks first, then whom it asks for. */
const passed: { readonly peer: PeerId; readonly bytes: Uint8Array[] }[] = []

vi.mock(import('@libp2p/circuit-relay-v2'), async (original) => {
  const real = await original()
  const listenIn = (stream: Stream, peer: PeerId): void => {
    const bytes: Uint8Array[] = []
    passed.push({ peer, bytes })
    stream.addEventListener('message', ({ data }) => void bytes.push(data.subarray().slice()))
  }
  return {
    ...real,
    circuitRelayServer: (init) => {
      const create = real.circuitRelayServer(init)
      return (components) => {
        const server = create(components)
        const { onHop, stopHop } = server as unknown as Server
        return Object.assign(server, {
          onHop: (stream: Stream, connection: Connection) => {
            listenIn(stream, connection.remotePeer)
            return onHop.call(server, stream, connection)
          },
          stopHop: async (asked: Asked, ...rest: unknown[]) => {
            const stream = await stopHop.call(server, asked, ...rest)
            if (stream !== undefined) listenIn(stream, asked.connection.remotePeer)
            return stream
          },
        })
      }
    },
  }
})
interface Asked {
  readonly connection: Connection
}
interface Server {
  onHop(stream: Stream, connection: Connection): Promise<void>
  stopHop(asked: Asked, ...rest: unknown[]): Promise<Stream | undefined>
}

const publicWords = 'planted for everybody, and copied through a relay'
const filling = 'as much as fills many a packet. '.repeat(300)
const collections = ['profile', 'posts']
let daemons: Daemons

beforeAll(async () => {
  daemons = await startDaemons(3, (config, index) => ({
    ...config,
    network:
      index === 0
        ? { ...config.network, relay: true }
        : { ...config.network, allowDial: ['127.0.1.1'], relays: config.network.bootstrap },
    hosting: { ...config.hosting, offerTo: index === 0 ? 'nobody' : 'anyone' },
  }))
})

afterAll(() => daemons[Symbol.asyncDispose]())

function holds(what: string | Uint8Array): boolean {
  return passed.some(({ bytes }) => Buffer.concat(bytes).includes(Buffer.from(what)))
}

test('a shard is copied through a relay, which reads nothing of it', { timeout: 90_000 }, async () => {
  const [, home, copy] = daemons.all as [Daemon, Daemon, Daemon]
  const admin = ({ local, adminToken }: Daemon) => connectAdmin({ address: local, token: adminToken })
  const isKnown = async (): Promise<boolean> =>
    (await admin(home).status()).peers.some(
      ({ node, latencyMs }) => latencyMs !== null && toHex(node) === copy.node.id,
    )
  await until(isKnown, 30_000)
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys })
  await adminCall(home.local, home.adminToken)('admin.host.add', {
    hosts: [{ log: identity.log(), quotaBytes: 2 ** 20 }],
  })
  await using app = await connect({ schema: microblog, keys, identity, node: home.local })
  const { members } = await app.place({ copies: 1 })
  expect(members.map(toHex)).toEqual([home.node.id, copy.node.id])
  const profile = await app.collection('profile').put({ name: 'Ada', place: '/geo/africa/ng/lagos' })
  const post = await app.collection('posts').put({ title: publicWords, text: filling })
  for (const write of [profile, post]) expect(await write.durable).toMatchObject({ copies: 2 })

  // The relay holds nothing of it itself: it was passed on, from one to the other.
  expect(await admin(daemons.all[0]!).status()).toMatchObject({ hostedTotal: 0, roles: ['relay'] })
  expect((await admin(copy).status()).hosted.map((one) => toHex(one.identity))).toEqual([toHex(identity.id)])
  const ends = [home, copy].map(({ node }) => peerIdOf(node.id))
  for (const end of ends) expect(passed.some(({ peer }) => peer.equals(end))).toBe(true)
  expect(ends.some((end) => holds(end.toMultihash().bytes))).toBe(true)
  const bytes = passed.flatMap((one) => one.bytes).reduce((sum, { length }) => sum + length, 0)
  expect(bytes).toBeGreaterThan(filling.length)

  const words = [publicWords, filling.slice(0, 64), microblog.id, ...collections]
  const ids = [identity.id, identity.device.key, profile.local.id, post.local.id, post.local.key]
  for (const secret of [...words, ...ids, post.local.bytes.subarray(-64)])
    expect(holds(secret), typeof secret === 'string' ? secret : toHex(secret)).toBe(false)
})
