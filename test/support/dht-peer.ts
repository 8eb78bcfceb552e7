import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { createLibp2p } from 'libp2p'

/** A message of kad-dht as it was decoded by the peer that got it. */
export interface DhtMessage {
  readonly type: string
  readonly key: Uint8Array
}

export interface DhtPeer extends AsyncDisposable {
  /** For others to begin with. */
  readonly address: string
  /** What it was asked and told in the DHT. */
  readonly messages: readonly DhtMessage[]
  /** All that came to it from anybody, on whatever protocol, as it was before the noise around it. */
  heard(): readonly Uint8Array[]
}

/** A node of libp2p alone that serves our DHT, and keeps what it hears. */
export async function startDhtPeer(host: string): Promise<DhtPeer> {
  const messages: DhtMessage[] = []
  const connections: Uint8Array[][] = []
  const libp2p = await createLibp2p({
    addresses: { listen: [`/ip4/${host}/tcp/0`] },
    transports: [tcp()],
    connectionEncrypters: [listeningNoise(connections)],
    streamMuxers: [yamux()],
    services: {
      identify: identify(),
      ping: ping(),
      dht: kadDHT({
        protocol: '/onehop/kad/1.0.0',
        clientMode: false,
        peerInfoMapper: passthroughMapper,
        initialQuerySelfInterval: 500,
      }),
    },
  })
  const { rpc } = libp2p.services.dht as unknown as {
    readonly rpc: { handleMessage(from: unknown, message: DhtMessage): Promise<unknown> }
  }
  const handle = rpc.handleMessage.bind(rpc)
  rpc.handleMessage = (from, message) => {
    messages.push({ type: message.type, key: message.key?.slice() ?? new Uint8Array(0) })
    return handle(from, message)
  }
  return {
    address: String(libp2p.getMultiaddrs()[0]),
    messages,
    heard: () => connections.map((parts) => Buffer.concat(parts)),
    async [Symbol.asyncDispose]() {
      await libp2p.stop()
    },
  }
}

interface Secured {
  readonly connection: { dispatchEvent(event: Event): boolean }
}

/** Keeps what is decrypted, by connection, before anybody reads it. */
function listeningNoise(connections: Uint8Array[][]): ReturnType<typeof noise> {
  return (components) => {
    const inner = noise()(components)
    return new Proxy(inner, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name)
        if (typeof value !== 'function') return value
        if (name !== 'secureInbound' && name !== 'secureOutbound') return value.bind(target) as unknown
        return async (...args: unknown[]): Promise<Secured> => {
          const secured = await (value.apply(target, args) as Promise<Secured>)
          const { connection } = secured
          const parts: Uint8Array[] = []
          connections.push(parts)
          const dispatch = connection.dispatchEvent.bind(connection)
          connection.dispatchEvent = (event) => {
            const { data } = event as Event & { readonly data?: Uint8Array | { subarray(): Uint8Array } }
            if (event.type === 'message' && data !== undefined) parts.push(data.subarray().slice())
            return dispatch(event)
          }
          return secured
        }
      },
    })
  }
}
