import { noise } from '@chainsafe/libp2p-noise'
import type { Stream } from '@libp2p/interface'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { describe, expect, test } from 'vitest'
import type { Libp2pNetwork } from '../../daemon/net/libp2p.ts'
import { netLimits } from '../../daemon/net/net-limits.ts'
import { concatBytes, utf8 } from '../../protocol/bytes.ts'
import { limits } from '../../protocol/limits.ts'
import { bootstrapOf, startNetNode } from '../support/net-node.ts'
import { until } from '../support/until.ts'
import { requestFrame, rpcLimitsContract } from './rpc-limits.ts'
import { rpcContract, type RpcWorld } from './rpc.ts'

const createWorld = async (): Promise<RpcWorld> => {
  const nodes = new Map<number, Libp2pNetwork>()
  return {
    async start(index, options) {
      const node = await startNetNode({ number: index + 1, ...options })
      nodes.set(index, node)
      // Each knows where the others are, as a replica set would tell it.
      for (const [number, other] of nodes) {
        if (number === index) continue
        await other.routing.learn({ node: node.rpc.self, addresses: node.addresses() })
        await node.routing.learn({ node: other.rpc.self, addresses: other.addresses() })
      }
      return node
    },
    async [Symbol.asyncDispose]() {
      for (const node of nodes.values()) await node[Symbol.asyncDispose]()
    },
  }
}

rpcContract('libp2p', createWorld)
rpcLimitsContract('libp2p', createWorld)

describe('bytes on the wire of a request stream', () => {
  const never = new AbortController().signal
  const body = utf8('hello')

  /** A peer that is no node of ours, and a stream to ours on which it says what it likes. */
  async function stranger(node: Libp2pNetwork): Promise<AsyncDisposable & { open(): Promise<Stream> }> {
    const peer = await createLibp2p({
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
    })
    const address = multiaddr(bootstrapOf(node))
    return {
      open: () => peer.dialProtocol(address, '/onehop/test/1'),
      [Symbol.asyncDispose]: async () => peer.stop(),
    }
  }

  const prefixOf = (length: number): Uint8Array => {
    const bytes: number[] = []
    for (let rest = length; ; rest = Math.floor(rest / 128)) {
      if (rest < 128) return Uint8Array.of(...bytes, rest)
      bytes.push((rest % 128) | 128)
    }
  }

  test.each([
    ['a length of 1 MiB and a byte', prefixOf(limits.frameBytesMax + 1)],
    ['a length of 2^40', prefixOf(2 ** 40)],
    ['a length of five bytes', Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x01)],
  ])('%s resets the stream before any of the frame has come', async (_, prefix) => {
    await using node = await startNetNode({ number: 1 })
    node.rpc.handle('test/echo', async ({ body: asked }) => asked)
    await using peer = await stranger(node)
    const frame = requestFrame(1, 'test/echo')
    const good = await peer.open()
    const answers: Uint8Array[] = []
    good.addEventListener('message', ({ data }) => answers.push(data.subarray()))
    const bad = await peer.open()
    bad.send(prefix)
    await until(() => bad.status === 'reset')
    good.send(concatBytes(prefixOf(frame.length), frame))
    await until(() => answers.length > 0)
    expect(good.status).toBe('open')
  })

  test('from a peer that does not take its replies nothing more is read', async () => {
    await using a = await startNetNode({ number: 1 })
    await using b = await startNetNode({ number: 2 })
    await a.routing.learn({ node: b.rpc.self, addresses: b.addresses() })
    let answered = 0
    b.rpc.handle('test/big', async () => {
      answered++
      return new Uint8Array(netLimits.bodyBytesMax)
    })
    b.rpc.handle('other/echo', async ({ body: asked }) => asked)
    const stream = await a.openStream(b.rpc.self, '/onehop/test/1', never)
    /** Whether the request is handled, while a hundred later ones of another stream are. */
    const isHandled = async (wanted: number): Promise<boolean> => {
      for (let i = 0; i < 100 && answered < wanted; i++)
        await a.rpc.request(b.rpc.self, 'other/echo', body, { signal: never })
      return answered === wanted
    }
    let sent = 0
    do await stream.send(requestFrame(++sent, 'test/big'))
    while (sent < 64 && (await isHandled(sent)))
    // What both sides hold: 4 MiB and the reply that filled them, as queues here and there; windows between them.
    expect(answered).toBe(sent - 1)
    expect(answered).toBeGreaterThanOrEqual(netLimits.replyBytesWaitingMax / limits.frameBytesMax)
    expect(answered).toBeLessThan(32)
    let taken = 0
    for await (const _ of stream.source) if (++taken === sent) break
    expect(answered).toBe(sent)
  })
})
