/** Peers that ask one node for everything at once, for as long as there is input. */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { apiProtocol } from '../../daemon/api/stream.ts'
import { fromHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { NodeMethod } from '../../protocol/methods.ts'
import { encodePush } from '../../protocol/replication/messages.ts'
import { startNetNode } from '../support/net-node.ts'

/**
 * Of the first peer and how many; the victim and one of its addresses; a record of its with a wrong signature; how many
 * streams each holds at once.
 */
const [first = '', count = '', victim = '', address = '', forged = '', streams = ''] = process.argv.slice(2)
const record = fromHex(forged) as Uint8Array
const id = record.slice(0, 32)
const hoarded = Number(streams)
const requests: readonly (readonly [NodeMethod, Uint8Array])[] = [
  // Each of these is a signature to verify.
  ['shard/push', encodePush(Array.from({ length: 256 }, () => record))],
  ['shard/locate', encode(Array.from({ length: 128 }, () => id))],
  ['shard/compare', encode([1n, [[id, null, id.slice(0, 16)]]])],
  ['shard/lease', encode([[id, id, 1_000_000]])],
  ['shard/blob-chunk', encode([id, 0])],
  ['search/query', new Uint8Array(100_000)],
]
const said = { sent: 0, cut: 0, held: 0 }
let isOver = false
createInterface({ input: process.stdin }).on('close', () => {
  isOver = true
})

async function flood(number: number): Promise<void> {
  const net = await startNetNode({ number })
  await net.routing.learn({ node: victim, addresses: [address] })
  const { signal } = new AbortController()
  const ask = async (turn: number): Promise<void> => {
    for (let i = turn; !isOver; i++) {
      const [method, body] = requests[i % requests.length] as (typeof requests)[number]
      said.sent++
      await net.rpc.request(victim, method, body, { signal }).catch(() => sleep(1)) // refused: the next one
    }
  }
  const stream = async (): Promise<void> => {
    while (!isOver) {
      try {
        const open = await net.openStream(victim, apiProtocol, signal)
        for (let i = 0; i < 20 && !isOver; i++) await open.send(new Uint8Array(10_000).fill(0xff))
        open.close()
      } catch {
        await sleep(1)
      }
    }
  }
  /** Holds more streams of one family than a peer may, and says nothing on any. */
  let held = 0
  const hoard = async (): Promise<void> => {
    while (!isOver) {
      const open = await net.openStream(victim, '/onehop/stream/1', signal).catch(() => undefined)
      if (open === undefined) await sleep(100)
      else {
        said.held = Math.max(said.held, ++held)
        for await (const _ of open.source) continue
        held--
        said.cut++
      }
    }
  }
  const noise = Array.from({ length: 4 }, stream)
  for (let i = 0; i < hoarded; i++) void hoard()
  await Promise.all([...Array.from({ length: 64 }, (_, i) => ask(i)), ...noise])
  await net[Symbol.asyncDispose]()
}

for (let i = 0; i < Number(count); i++) void flood(Number(first) + i)
while (!isOver) {
  process.stdout.write(`${JSON.stringify(said)}\n`)
  await sleep(100)
}
process.exit(0)
