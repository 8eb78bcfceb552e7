/**
 * libp2p in the page: WebSocket, noise, yamux and nothing else. Loaded by whoever calls dialNode, so that an app that
 * speaks HTTP alone does not carry it. What it gives that HTTP on a LAN does not: the other end has proven its key.
 */
import { noise } from '@chainsafe/libp2p-noise'
import { publicKeyFromRaw } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import type { Connection, Stream } from '@libp2p/interface'
import { messageStreamToDuplex } from '@libp2p/utils'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import * as lengthPrefixed from 'it-length-prefixed'
import { createLibp2p } from 'libp2p'
import { equalBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { systemClock } from './clock.ts'
import { withDeadline } from './deadline.ts'
import type { FrameLink } from './frame-link.ts'
import type { DialNodeOptions, SecureNode } from './identity/secure-node.ts'

/** A stream that the node does not end in time is reset. */
const hangUpMs = 1_000

export async function dialOverLibp2p(options: DialNodeOptions): Promise<SecureNode> {
  const key = publicKeyFromRaw(options.node)
  if (key.type !== 'Ed25519') throw new OnehopError('BAD_REQUEST', 'a node is named by an Ed25519 key')
  const peer = peerIdFromPublicKey(key)
  const addresses = options.addresses.filter((address) => /\/wss?(\/|$)/.test(address))
  if (addresses.length === 0) {
    throw new OnehopError('UNREACHABLE', 'the node gave no WebSocket address', {
      help: 'Show a new QR at the node; it must listen for WebSockets.',
    })
  }
  const libp2p = await createLibp2p({
    transports: [webSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    // Browsers' default denies private addresses, and a home node has no others.
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
  })
  const stop = async (): Promise<void> => {
    await libp2p.stop()
  }
  try {
    const targets = addresses.map((address) =>
      multiaddr(`${address.replace(/\/p2p\/[^/]+$/, '')}/p2p/${peer}`),
    )
    const connection = await libp2p.dial(
      targets,
      options.signal === undefined ? {} : { signal: options.signal },
    )
    const remote = connection.remotePeer.publicKey?.raw
    // noise proved this key; libp2p refuses another than the one in the address, and so do we.
    if (remote === undefined || !equalBytes(remote, options.node))
      throw new OnehopError('FORBIDDEN', 'another node answered at this address')
    const local = libp2p.peerId.publicKey?.raw
    if (local === undefined) throw new OnehopError('INTERNAL', 'this connection has no key of its own')
    return {
      node: options.node,
      local,
      openStream: async (protocol) => streamLink(await newStream(connection, protocol, options.signal)),
      close: stop,
    }
  } catch (cause) {
    await stop()
    if (cause instanceof OnehopError) throw cause
    if (options.signal?.aborted === true)
      throw new OnehopError('ABORTED', 'the dial was cancelled', { cause })
    throw new OnehopError('UNREACHABLE', `no connection to the node: ${messageOf(cause)}`, { cause })
  }
}

async function newStream(
  connection: Connection,
  protocol: string,
  signal: AbortSignal | undefined,
): Promise<Stream> {
  try {
    return await connection.newStream(protocol, signal === undefined ? {} : { signal })
  } catch (cause) {
    throw new OnehopError('UNREACHABLE', `the node opens no ${protocol}: ${messageOf(cause)}`, { cause })
  }
}

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

/** Length-prefixed frames, both ways at once. */
function streamLink(stream: Stream): FrameLink {
  const duplex = messageStreamToDuplex(stream)
  const outgoing: { readonly frame: Uint8Array; readonly taken: () => void }[] = []
  let wake = (): void => {}
  let ended = false
  const closed = Promise.withResolvers<void>()

  async function* sendable(): AsyncGenerator<Uint8Array> {
    while (true) {
      const next = outgoing.shift()
      if (next !== undefined) {
        yield lengthPrefixed.encode.single(next.frame, { maxDataLength: limits.frameBytesMax }).subarray()
        // Asked for more, so the stream has taken it.
        next.taken()
      } else if (ended) return
      else {
        await new Promise<void>((resolve) => {
          wake = resolve
        })
      }
    }
  }

  const end = (): void => {
    ended = true
    wake()
    closed.resolve()
  }
  const sinking = Promise.resolve(duplex.sink(sendable())).then(() =>
    withDeadline(systemClock, hangUpMs, undefined, (signal) => stream.close({ signal })),
  )
  sinking
    .catch((error: unknown) => stream.abort(error instanceof Error ? error : new Error(String(error))))
    .finally(end)
  stream.addEventListener('close', end, { once: true })

  async function* read(): AsyncGenerator<Uint8Array> {
    try {
      const options = { maxDataLength: limits.frameBytesMax, maxLengthLength: 4 }
      for await (const frame of lengthPrefixed.decode(duplex.source, options)) yield frame.slice()
    } finally {
      end()
    }
  }

  return {
    source: read(),
    async send(frame) {
      if (ended) throw new OnehopError('UNREACHABLE', 'the stream to the node is closed')
      const taken = new Promise<void>((resolve) => {
        outgoing.push({ frame, taken: resolve })
      })
      wake()
      await Promise.race([taken, closed.promise])
    },
    close: end,
  }
}
