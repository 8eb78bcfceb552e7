/** A DHT peer that answers every question with peers that live in other people's networks; ends with its input. */
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import type { Stream } from '@libp2p/interface'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { lpStream } from '@libp2p/utils'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { peerIdOf, privateKeyOfSeed } from '../../daemon/net/node-id.ts'
import { concatBytes, toHex } from '../../protocol/bytes.ts'
import { testCrypto } from '../support/api-node.ts'

const dht = '/onehop/kad/1.0.0'
const [address = ''] = process.argv.slice(2)
const key = await privateKeyOfSeed(new Uint8Array(32).fill(77))
let told = 0

const inner = ['10', '192.168', '169.254.169', '100.64', '172.16'] as const

/** Addresses inside, and names that lead there. */
function inside(): string {
  const random = (): number => randomBytes(1)[0] ?? 0
  const head = inner[random() % inner.length] as string
  const parts = head.split('.')
  while (parts.length < 4) parts.push(String(1 + (random() % 250)))
  // The LAN's own range is the operator's word in this story; a stranger's is not.
  const ip = parts.join('.').replace(/^192\.168\.77\./, '192.168.78.')
  const hex = `0x${ip
    .split('.')
    .map((part) => Number(part).toString(16).padStart(2, '0'))
    .join('')}`
  told++
  return [`/ip4/${ip}/tcp/4181`, `/ip4/${ip}/tcp/80/ws`, `/dns4/${hex}/tcp/4181`, `/dns/${hex}/tcp/80/ws`][
    random() % 4
  ] as string
}

// Protocol buffers of the DHT, as far as a liar needs them.
function varint(value: number): Uint8Array {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    bytes.push(rest < 128 ? rest : (rest & 127) | 128)
    if (rest < 128) return Uint8Array.from(bytes)
  }
}
const field = (number: number, bytes: Uint8Array): Uint8Array =>
  concatBytes(varint((number << 3) | 2), varint(bytes.length), bytes)
const peer = (id: Uint8Array, addresses: number): Uint8Array =>
  concatBytes(
    field(1, id),
    ...Array.from({ length: addresses }, () => field(2, multiaddr(inside()).bytes)),
    Uint8Array.of(0x18, 1), // connected
  )
const someone = (): Uint8Array =>
  peerIdOf(toHex(testCrypto.signingPublicKey(randomBytes(32)))).toMultihash().bytes
const message = (type: number, ...parts: Uint8Array[]): Uint8Array =>
  concatBytes(Uint8Array.of(0x08, type), ...parts)

const libp2p = await createLibp2p({
  privateKey: key,
  addresses: { listen: [`/ip4/${address}/tcp/0`] },
  transports: [tcp()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: { identify: identify(), ping: ping() },
})

async function answer(stream: Stream): Promise<void> {
  const frames = lpStream(stream)
  while (true) {
    const asked = (await frames.read()).subarray()
    const type = asked[1] ?? 0
    // 2 is ADD_PROVIDER, which nobody answers; 5 is PING.
    if (type === 2) continue
    const peers =
      type === 5 ? [] : [8, 9].flatMap((at) => [0, 0, 0, 0].map(() => field(at, peer(someone(), 25))))
    await frames.write(message(type, ...peers))
  }
}
await libp2p.handle(dht, (stream) => {
  answer(stream).catch(() => stream.abort(new Error('gone')))
})

const listening = libp2p.getMultiaddrs()[0]?.toString() ?? ''
process.stdout.write(`${JSON.stringify({ address: listening })}\n`)
createInterface({ input: process.stdin }).on('close', () => process.exit(0))

// And says of itself, unasked, that it lives there and provides everything.
setInterval(() => {
  for (const connection of libp2p.getConnections()) {
    const tell = async (): Promise<void> => {
      const stream = await connection.newStream(dht)
      const frames = lpStream(stream)
      const cid = concatBytes(Uint8Array.of(0x12, 32), randomBytes(32))
      const provider = peer(libp2p.peerId.toMultihash().bytes, 50)
      await frames.write(message(2, field(2, cid), field(9, provider)))
      await stream.close()
    }
    tell().catch(() => {})
  }
  process.stdout.write(`${JSON.stringify({ told })}\n`)
}, 100)
