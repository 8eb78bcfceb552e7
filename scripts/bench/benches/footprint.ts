/**
 * A daemon process as people start it: time from fork until it answers HTTP, resident memory and processor time when
 * idle, resident memory after 10,000 records from clients over HTTP. The limit is a process with the same libp2p set
 * and classic-level and nothing else. Both in turns, each three times.
 */
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminCall } from '../../../cli/daemon.ts'
import { microblog } from '../../../client/microblog.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { Author } from '../author.ts'
import { type Child, startChild } from '../child.ts'
import type { DaemonStarted } from '../daemon-child.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median } from '../statistics.ts'

const rounds = 3
const total = 10_000
const batchRecords = 250
/** What the start leaves behind is gone by then. */
const settleMs = 5_000
const idleMs = 10_000
const mb = 2 ** 20

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
      bare.idle.push(await idle(child))
    }
    const startMs = performance.now()
    await using child = startChild(resolve(import.meta.dirname, '../daemon-child.ts'), [
      join(folder, `node-${round}`),
    ])
    const { http, token } = (await child.next()) as DaemonStarted
    await fetch(`${http}/api/v1/node.info`, { method: 'POST', headers: json, body: '{}' })
    daemon.startS.push((performance.now() - startMs) / 1000)
    daemon.idle.push(await idle(child))

    const call = adminCall(http, token)
    const author = new Author(crypto)
    await call('schema.put', { schema: microblog.bytes })
    await call('admin.host.add', { hosts: [{ log: author.log }] })
    for (let at = 0; at < total; at += batchRecords) {
      const { results } = await call('record.put', {
        records: Array.from({ length: batchRecords }, () => author.post()),
      })
      if (results.some(({ outcome }) => outcome !== 'stored')) throw new Error('a record was not stored')
    }
    daemon.fullMb.push((await idle(child)).rssMb)
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

const json = { 'content-type': 'application/json' }

async function secondsTo(action: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now()
  await action()
  return (performance.now() - startMs) / 1000
}

async function idle(child: Child): Promise<Idle> {
  await sleep(settleMs)
  const before = await usage(child)
  await sleep(idleMs)
  const after = await usage(child)
  const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system
  return { rssMb: after.rssBytes / mb, cpuPercent: cpuUs / (idleMs * 10) }
}

async function usage(child: Child): Promise<{ rssBytes: number; cpu: NodeJS.CpuUsage }> {
  child.send('usage')
  return (await child.next()) as { rssBytes: number; cpu: NodeJS.CpuUsage }
}
