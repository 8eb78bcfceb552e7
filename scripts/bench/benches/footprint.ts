/**
 * A node as people start it, the built command: time from its start until it answers HTTP, resident memory and processor time when
 * idle, resident memory after 10,000 records from clients over HTTP. The limit is a process with the same libp2p set
 * and classic-level and nothing else. Both in turns, each three times.
 */
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { microblog } from '../../../client/microblog.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { Author } from '../author.ts'
import { startBuiltDaemon, usageOf } from '../built-daemon.ts'
import { startChild } from '../child.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median } from '../statistics.ts'

const rounds = 3
const total = 10_000
const batchRecords = 250
/** What the start leaves behind is gone by then. */
const settleMs = 3_000
const idleMs = 6_000

interface Idle {
  readonly rssMb: number
  readonly cpuPercent: number
}

export async function bench({ folder, note }: BenchContext): Promise<BenchResult> {
  const crypto = await loadCrypto()
  const daemon = { startS: [] as number[], idle: [] as Idle[], fullMb: [] as number[] }
  const bare = { startS: [] as number[], idle: [] as Idle[] }
  for (let round = 0; round < rounds; round++) {
    {
      await using child = startChild(resolve(import.meta.dirname, '../bare-child.ts'), [
        join(folder, `bare-${round}`),
      ])
      bare.startS.push(await secondsTo(() => child.next()))
      bare.idle.push(await idle(child.pid))
    }
    await using daemonHere = await startBuiltDaemon(join(folder, `node-${round}`))
    const { pid, call, startS } = daemonHere
    daemon.startS.push(startS)
    daemon.idle.push(await idle(pid))

    const author = new Author(crypto)
    await call('schema.put', { schema: microblog.bytes })
    await call('admin.host.add', { hosts: [{ log: author.log }] })
    for (let at = 0; at < total; at += batchRecords) {
      const { results } = await call('record.put', {
        records: Array.from({ length: batchRecords }, () => author.post()),
      })
      if (results.some(({ outcome }) => outcome !== 'stored')) throw new Error('a record was not stored')
    }
    daemon.fullMb.push((await idle(pid)).rssMb)
    note(
      `round ${round + 1}: start ${daemon.startS.at(-1)?.toFixed(2)} s, idle ${daemon.idle.at(-1)?.rssMb.toFixed(0)} MB`,
    )
  }
  const rssMb = (of: { readonly idle: readonly Idle[] }): number => median(of.idle.map((one) => one.rssMb))
  const cpu = (of: { readonly idle: readonly Idle[] }): number => median(of.idle.map((one) => one.cpuPercent))
  return {
    judged: {
      idleRssMb: { figure: rssMb(daemon), limit: rssMb(bare), atMost: 1.25 },
      fullRssMb: { figure: median(daemon.fullMb), atMost: 170 },
      startS: { figure: median(daemon.startS), limit: median(bare.startS), atMost: 0.7, absolute: true },
      idleCpuPercent: { figure: cpu(daemon), atMost: 1 },
    },
    figures: { records: total },
    limit: { bareIdleCpuPercent: cpu(bare) },
    packages: ['libp2p', 'classic-level'],
  }
}

async function secondsTo(action: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await action()
  return (performance.now() - startMs) / 1000
}

async function idle(pid: number): Promise<Idle> {
  await sleep(settleMs)
  const before = usageOf(pid)
  await sleep(idleMs)
  const after = usageOf(pid)
  return { rssMb: after.rssMb, cpuPercent: ((after.cpuS - before.cpuS) / (idleMs / 1000)) * 100 }
}
