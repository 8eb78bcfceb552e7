import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { setTimeout as sleep } from 'node:timers/promises'
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
    // Of what was sent but not read as little as can be is at the peers themselves.
    streamMuxers: [yamux({ streamOptions: { maxStreamWindowSize: mebibyte / 4 } })],
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

  let [sent, arrived, most] = [0, 0, 0]
  const chunk = new Uint8Array(64 * 1024).fill(7)
  const total = 100 * mebibyte
  const pump = async (): Promise<void> => {
    while (sent < total) {
      sent += chunk.length
      most = Math.max(most, sent - arrived)
      if (!from.send(chunk))
        await new Promise((resolve) => from.addEventListener('drain', resolve, { once: true }))
    }
  }
  let read: (() => void) | undefined
  to.addEventListener('message', ({ data }) => {
    arrived += data.byteLength
    read?.()
  })
  const pumping = pump()
  // It stands still, then takes a little now and again.
  await sleep(1_000)
  for (let i = 0; i < 60; i++) {
    const reading = new Promise<void>((resolve) => (read = resolve))
    to.resume()
    await reading
    to.pause()
    await sleep(20)
  }
  expect(sent).toBeLessThan(total)
  to.resume()
  await Promise.all([pumping, until(() => arrived === total, 20_000)])
  expect(most).toBeLessThan(12 * mebibyte)
})
