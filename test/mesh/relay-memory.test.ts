import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { expect, test } from 'vitest'
import { bootstrapOf, startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'

const [hop, stop] = ['hop', 'stop'].map((name) => `/libp2p/circuit/relay/0.2.0/${name}`) as [string, string]
const mebibyte = 2 ** 20

const createPeer = () =>
  createLibp2p({
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify() },
  })

test('a relay holds no more of what one side sends than the other side takes, and loses none of it', async () => {
  await using relay = await startNetNode({ number: 1, relay: true })
  const [sender, reader] = [await createPeer(), await createPeer()]
  await using stack = new AsyncDisposableStack()
  for (const peer of [sender, reader]) stack.defer(() => peer.stop())
  const joined = Promise.withResolvers<Stream>()
  await reader.handle(stop, async (stream) => {
    const framed = lpStream(stream)
    await framed.read()
    // STATUS, OK.
    await framed.write(Uint8Array.of(8, 1, 32, 100))
    stream.pause()
    joined.resolve(framed.unwrap())
  })
  const address = multiaddr(bootstrapOf(relay))
  const place = lpStream(await reader.dialProtocol(address, hop))
  await place.write(Uint8Array.of(8, 0))
  await place.read()

  const asked = lpStream(await sender.dialProtocol(address, hop))
  const id = reader.peerId.toMultihash().bytes
  await asked.write(Uint8Array.of(8, 1, 18, id.length + 2, 10, id.length, ...id))
  expect([...(await asked.read()).subarray()]).toEqual([8, 2, 40, 100])
  const [from, to] = [asked.unwrap(), await joined.promise]

  let sent = 0
  const chunk = new Uint8Array(64 * 1024).fill(7)
  const pump = async (): Promise<'all' | 'held'> => {
    while (sent < 100 * mebibyte) {
      sent += chunk.length
      if (from.send(chunk)) continue
      const isDrained = new Promise<boolean>((resolve) => {
        from.addEventListener('drain', () => resolve(true), { once: true })
        setTimeout(resolve, 2_000, false)
      })
      if (!(await isDrained)) return 'held'
    }
    return 'all'
  }
  expect(await pump()).toBe('held')
  expect(sent).toBeLessThan(16 * mebibyte)

  let arrived = 0
  to.addEventListener('message', ({ data }) => {
    arrived += data.byteLength
  })
  to.resume()
  await until(() => arrived === sent)
})
