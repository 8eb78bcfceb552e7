/**
 * 100 posts a second written at one process, each timed from the call of `record.put` until it was verified, on disk
 * and read back in the other process. The limit is a bare TCP echo between this process and another, half a round
 * trip, at the same pace: what the machine takes to wake two processes.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { resolve } from 'node:path'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { Author } from '../author.ts'
import { startChild } from '../child.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { percentile } from '../statistics.ts'
import { startTwoPeers } from '../two-peers.ts'

const perSecond = 100
const warmUp = 300
const counted = 1_500

export async function bench({ folder, note }: BenchContext): Promise<BenchResult> {
  const crypto = await loadCrypto()
  const author = new Author(crypto)
  await using peers = await startTwoPeers(folder, crypto, author)
  const { home, other } = peers
  const everyMs = 1000 / perSecond

  const write = async (
    count: number,
    heldBefore: number,
  ): Promise<{ replicatedMs: number[]; acceptedMs: number[] }> => {
    const written = await home.ask({
      ask: 'write',
      records: Array.from({ length: count }, () => author.post()),
      everyMs,
    })
    const held = await other.ask({ ask: 'held', owner: author.id, records: heldBefore + count })
    const atNs = new Map(held.map((one) => [one.id, one.atNs]))
    return {
      replicatedMs: written.map(({ id, startNs }) => Number((atNs.get(id) ?? 0n) - startNs) / 1e6),
      acceptedMs: written.map(({ startNs, endNs }) => Number(endNs - startNs) / 1e6),
    }
  }

  await peers.place()
  await write(warmUp, 0)
  note('warmed up')
  const echoBefore = await echoMs()
  const { replicatedMs, acceptedMs } = await write(counted, warmUp)
  const echo = [...echoBefore, ...(await echoMs())]
  return {
    judged: {
      p50Ms: {
        figure: percentile(replicatedMs, 0.5),
        limit: percentile(echo, 0.5),
        atMost: 1.5,
        absolute: true,
      },
      p99Ms: {
        figure: percentile(replicatedMs, 0.99),
        limit: percentile(echo, 0.99),
        atMost: 10,
        absolute: true,
      },
    },
    figures: {
      writes: counted,
      perSecond,
      acceptedP50Ms: percentile(acceptedMs, 0.5),
      acceptedP99Ms: percentile(acceptedMs, 0.99),
    },
    packages: ['libp2p', 'classic-level', 'sodium-native'],
  }
}

async function echoMs(): Promise<number[]> {
  await using child = startChild(resolve(import.meta.dirname, '../echo-child.ts'))
  const port = (await child.next()) as number
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  const times: number[] = []
  for (let i = 0; i < 300; i++) {
    await sleep(1000 / perSecond)
    const startMs = performance.now()
    socket.write(Buffer.alloc(600))
    await once(socket, 'data')
    times.push((performance.now() - startMs) / 2)
  }
  socket.destroy()
  return times
}
