/**
 * A program: says by mDNS to one node, over and over, that peers of its invention are to be had at its own ports, and
 * prints the port whenever somebody comes to one: `node mdns-answers.ts TO FROM=AT:PORT...`, where FROM is the address
 * that the packet comes from and AT the one that it names.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { privateKeyOfSeed } from '../../daemon/net/node-id.ts'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { concatBytes, utf8 } from '../../protocol/bytes.ts'

const service = '_onehop._udp.local'

function name(text: string): Uint8Array {
  return concatBytes(...text.split('.').map(string), Uint8Array.of(0))
}

function string(text: string): Uint8Array {
  return concatBytes(Uint8Array.of(text.length), utf8(text))
}

function record(owner: string, type: number, data: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(10))
  head.setUint16(0, type)
  head.setUint16(2, 1)
  head.setUint32(4, 120)
  head.setUint16(8, data.length)
  return concatBytes(name(owner), new Uint8Array(head.buffer), data)
}

/** An authoritative answer with two records: the service's PTR, and the TXT that names the address. */
function answer(peer: string, address: string): Uint8Array {
  const header = Uint8Array.of(0, 0, 0x84, 0, 0, 0, 0, 2, 0, 0, 0, 0)
  const owner = `${peer.slice(-12)}.${service}`
  return concatBytes(
    header,
    record(service, 12, name(owner)),
    record(owner, 16, string(`dnsaddr=${address}/p2p/${peer}`)),
  )
}

const [to = '', ...claims] = process.argv.slice(2)
for (const [index, claim] of claims.entries()) {
  const [, from = '', at = '', port = ''] = /^(.+)=(.+):(\d+)$/.exec(claim) ?? []
  const server = createServer((socket) => {
    process.stdout.write(`${port}\n`)
    socket.destroy()
  })
  await once(server.listen(Number(port), at), 'listening')
  const key = await privateKeyOfSeed(new Uint8Array(32).fill(index + 1))
  const packet = answer(peerIdFromPrivateKey(key).toString(), `/ip4/${at}/tcp/${port}`)
  const socket = createSocket('udp4')
  await once(socket.bind(0, from), 'listening')
  setInterval(() => socket.send(packet, 5353, to), 500)
}
