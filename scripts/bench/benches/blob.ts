/**
 * A file of 1 GiB (`--mb N`) up to a node as a stream and down again, sealed and plain, over HTTP: the daemon in one
 * process, the app in another. What either has resident at most, above what it has after a small file, must not grow
 * with the file. Rates are judged by the app's processor time, which other programs disturb least; their limit is
 * libsodium's secretbox over the same chunks. The node syncs each chunk before it answers: beside the way up by the
 * clock stands what the disk syncs.
 */
import { randomBytes } from 'node:crypto'
import { mkdir, open } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { clientLimits } from '../../../client/limits.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { limits } from '../../../protocol/limits.ts'
import { sealedChunkPlainBytes } from '../../../protocol/sealed-blob.ts'
import type { BlobAnswer, BlobAsk } from '../blob-child.ts'
import { usageOf } from '../built-daemon.ts'
import { startChild, type Child } from '../child.ts'
import type { DaemonStarted } from '../daemon-child.ts'
import type { BenchContext, BenchResult } from '../result.ts'

const mbDefault = 1024
/** So many are read before memory is first looked at: code is loaded and compiled, buffers are pooled. */
const warmUpMb = 64
const lookEveryMs = 20
/** V8 lets 64 MB of buffers gather before it collects them; the rest is for chunks under way. */
const growthMbMax = 96

export const takes = ['mb'] as const

export async function bench({ folder, note, mb = mbDefault }: BenchContext): Promise<BenchResult> {
  const file = (name: string): string => resolve(import.meta.dirname, '..', name)
  await using node = startChild(file('daemon-child.ts'), [join(folder, 'node')])
  const { http, token } = (await node.next()) as DaemonStarted
  const quotaBytes = (mb + warmUpMb) * 3 * 2 ** 20
  await using app = startChild(file('blob-child.ts'), [http, token, String(quotaBytes)])
  await app.next()
  const ask = async (asked: BlobAsk): Promise<BlobAnswer> => {
    app.send(asked)
    return (await app.next()) as BlobAnswer
  }
  for (const sealed of [true, false]) {
    const { ref } = await ask({ ask: 'put', mb: warmUpMb, sealed })
    await ask({ ask: 'get', mb: warmUpMb, ref })
  }
  const before = [usageOf(node.pid).rssMb, usageOf(app.pid).rssMb] as const
  using peaks = watch([node, app])
  const rate: Record<string, number> = {}
  for (const sealed of [true, false]) {
    const name = sealed ? 'sealed' : 'plain'
    const up = await ask({ ask: 'put', mb, sealed })
    const down = await ask({ ask: 'get', mb, ref: up.ref })
    rate[`${name}UpMbPerS`] = mb / up.seconds
    rate[`${name}DownMbPerS`] = mb / down.seconds
    rate[`${name}UpMbPerCpuS`] = mb / up.cpuS
    rate[`${name}DownMbPerCpuS`] = mb / down.cpuS
    note(`${name}: up ${(mb / up.seconds).toFixed(0)} MB/s, down ${(mb / down.seconds).toFixed(0)} MB/s`)
  }
  const [nodePeak, appPeak] = peaks.rssMb()
  const secretbox = await secretboxMbPerCpuS()
  const disk = await syncedMbPerS(join(folder, 'bare'))
  return {
    judged: {
      nodeGrowthMb: { figure: nodePeak - before[0], atMost: growthMbMax },
      appGrowthMb: { figure: appPeak - before[1], atMost: growthMbMax },
      sealedUpMbPerCpuS: { figure: rate['sealedUpMbPerCpuS'] ?? 0, limit: secretbox, atLeast: 0.1 },
      sealedDownMbPerCpuS: { figure: rate['sealedDownMbPerCpuS'] ?? 0, limit: secretbox, atLeast: 0.15 },
    },
    figures: { mb, ...rate, nodeBeforeMb: before[0], appBeforeMb: before[1] },
    limit: { syncedMbPerS: disk },
    packages: ['sodium-native'],
  }
}

interface Peaks extends Disposable {
  rssMb(): readonly [number, number]
}

function watch([node, app]: readonly [Child, Child]): Peaks {
  const peaks: [number, number] = [0, 0]
  const stop = new AbortController()
  const look = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      peaks[0] = Math.max(peaks[0], usageOf(node.pid).rssMb)
      peaks[1] = Math.max(peaks[1], usageOf(app.pid).rssMb)
      await sleep(lookEveryMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  void look()
  return { rssMb: () => peaks, [Symbol.dispose]: () => stop.abort() }
}

/** Files of a chunk's size, each synced, as many at once as an app sends. */
async function syncedMbPerS(folder: string): Promise<number> {
  await mkdir(folder)
  const chunk = randomBytes(limits.blobChunkBytes)
  const count = 256
  const startMs = performance.now()
  const each = async (first: number): Promise<void> => {
    for (let i = first; i < count; i += clientLimits.blobParallel) {
      await using file = await open(join(folder, String(i)), 'w')
      await file.writeFile(chunk)
      await file.sync()
    }
  }
  await Promise.all(Array.from({ length: clientLimits.blobParallel }, (_, first) => each(first)))
  return (count * limits.blobChunkBytes) / 2 ** 20 / ((performance.now() - startMs) / 1000)
}

async function secretboxMbPerCpuS(): Promise<number> {
  const crypto = await loadCrypto()
  const [plain, nonce, key] = [crypto.random(sealedChunkPlainBytes), crypto.random(24), crypto.random(32)]
  const rounds = 1_000
  const before = process.cpuUsage()
  for (let i = 0; i < rounds; i++) crypto.secretboxSeal(plain, nonce, key)
  const { user, system } = process.cpuUsage(before)
  return (rounds * limits.blobChunkBytes) / 2 ** 20 / ((user + system) / 1e6)
}
