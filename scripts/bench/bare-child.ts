/** What the daemon stands on and nothing else: the lean libp2p set, started, and an open classic-level. */
import { noise } from '@chainsafe/libp2p-noise'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import '@libp2p/mdns'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { webSockets } from '@libp2p/websockets'
import { yamux } from '@libp2p/yamux'
import { ClassicLevel } from 'classic-level'
import { createLibp2p } from 'libp2p'

const level = new ClassicLevel(process.argv[2] ?? '')
await level.open()
const node = await createLibp2p({
  addresses: { listen: ['/ip4/127.0.0.1/tcp/0', '/ip4/127.0.0.1/tcp/0/ws'] },
  transports: [tcp(), webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({ protocol: '/bench/kad/1.0.0', clientMode: false, peerInfoMapper: passthroughMapper }),
  },
})
process.on('disconnect', () => process.exit())
process.on('message', (message) => {
  if (message === 'usage') process.send?.({ rssBytes: process.memoryUsage.rss(), cpu: process.cpuUsage() })
})
process.send?.({ peer: node.peerId.toString() })
