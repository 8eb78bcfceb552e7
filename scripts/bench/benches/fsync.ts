/**
 * What durability costs at a daemon over HTTP. Under load: many apps at once, each with the next record when it has the answer
 * to the one before; how many records share one call that has the disk keep them, as the system counts these calls where
 * strace is at hand, else as the store counts its batches. Alone: one record after a pause, until it is answered; the
 * limit is 4 KB appended and synced by this process on the same disk, in turns with the writes. Beside it the same record once
 * more, of which nothing goes to the disk; and the same request to node:http alone, which answers as many bytes: what that takes
 * is the machine's, whatever the daemon does.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminCall } from '../../../cli/daemon.ts'
import { microblog } from '../../../client/microblog.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { readReply } from '../../../protocol/api/operations.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { decode, encode } from '../../../protocol/codec.ts'
import type { StoreStats } from '../../../storage/types.ts'
import { Author } from '../author.ts'
import { type Child, startChild } from '../child.ts'
import type { DaemonStarted } from '../daemon-child.ts'
import { adminHeaders, KeepAlive } from '../keep-alive.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median, percentile } from '../statistics.ts'
import { syncedCalls } from '../synced-calls.ts'

const writers = 500
const people = 50
const total = 10_000
const warmUp = 1_000
const lone = 300
const loneWarmUp = 100
const pauseMs = 20
const appendBytes = 4_096
/** For a request and its answer, the signature, and what is looked up. */
const besideMs = 0.5
/** Of the answer to one record. */
const replyBytes = 95

export async function bench({ folder, note }: BenchContext): Promise<BenchResult> {
  const crypto = await loadCrypto()
  const calls = syncedCalls(join(folder, 'calls'))
  const load = await underLoad(crypto, join(folder, 'loaded'), calls)
  note(`${Math.round(load.perS)} records/s, ${load.syncs} calls`)
  const { writesMs, againMs, bareMs, appendsMs } = await alone(crypto, join(folder, 'alone'))
  const syncP50Ms = median(appendsMs)
  return {
    judged: {
      recordsPerSync: { figure: total / load.syncs, atLeast: 100 },
      loneP50Ms: { figure: median(writesMs), limit: 2 * syncP50Ms + besideMs, atMost: 1 },
    },
    figures: {
      writers,
      records: total,
      countedBy: calls === undefined ? 'store' : 'strace',
      recordsPerBatch: total / load.batches,
      syncsPerBatch: load.syncs / load.batches,
      underLoadPerS: load.perS,
      loneP99Ms: percentile(writesMs, 0.99),
      knownP50Ms: median(againMs),
      bareHttpP50Ms: median(bareMs),
    },
    limit: { syncP50Ms, syncP99Ms: percentile(appendsMs, 0.99) },
    packages: ['classic-level'],
  }
}

interface Loaded {
  readonly syncs: number
  readonly batches: number
  readonly perS: number
}

async function underLoad(
  crypto: CryptoProvider,
  folder: string,
  calls: ReturnType<typeof syncedCalls>,
): Promise<Loaded> {
  await using child = startDaemon(folder, calls?.through)
  using daemon = await hosted(child, crypto, writers)
  const { put, authors } = daemon
  const records = Array.from({ length: warmUp + total }, (_, i) => (authors[i % people] as Author).post())
  const write = async (from: number, to: number): Promise<void> => {
    let next = from
    const writer = async (): Promise<void> => {
      while (next < to) await put(records[next++] as Uint8Array, 'stored')
    }
    await Promise.all(Array.from({ length: writers }, writer))
  }
  await write(0, warmUp)
  const before = { batches: await batchesOf(child), syncs: calls?.count() }
  const startMs = performance.now()
  await write(warmUp, records.length)
  const perS = (total * 1000) / (performance.now() - startMs)
  const batches = (await batchesOf(child)) - before.batches
  const syncs = calls === undefined ? batches : calls.count() - (before.syncs ?? 0)
  return { syncs, batches, perS }
}

interface Alone {
  readonly writesMs: number[]
  readonly againMs: number[]
  readonly bareMs: number[]
  readonly appendsMs: number[]
}

async function alone(crypto: CryptoProvider, folder: string): Promise<Alone> {
  await using child = startDaemon(folder)
  using daemon = await hosted(child, crypto, 1)
  const { put, authors } = daemon
  await using plain = startChild(resolve(import.meta.dirname, '../plain-http-child.ts'), [String(replyBytes)])
  const bareUrl = `http://127.0.0.1:${(await plain.next()) as number}/prepared`
  using connected = new KeepAlive(1)
  const bare = (record: Uint8Array): Promise<unknown> =>
    connected.post({ url: bareUrl, headers: daemon.headers, body: encode({ records: [record] }) })
  const file = openSync(join(folder, 'appended'), 'a')
  const bytes = Buffer.alloc(appendBytes, 1)
  const append = (): void => {
    writeSync(file, bytes)
    fsyncSync(file)
  }
  const times: Alone = { writesMs: [], againMs: [], bareMs: [], appendsMs: [] }
  for (let i = 0; i < loneWarmUp + lone; i++) {
    const record = (authors[i % people] as Author).post()
    const appendMs = await afterPauseMs(append)
    const writeMs = await afterPauseMs(() => put(record, 'stored'))
    const againMs = await afterPauseMs(() => put(record, 'known'))
    const bareMs = await afterPauseMs(() => bare(record))
    if (i < loneWarmUp) continue // what is compiled once is no part of it
    times.appendsMs.push(appendMs)
    times.writesMs.push(writeMs)
    times.againMs.push(againMs)
    times.bareMs.push(bareMs)
  }
  closeSync(file)
  return times
}

async function afterPauseMs(action: () => unknown): Promise<number> {
  await sleep(pauseMs)
  const startMs = performance.now()
  await action()
  return performance.now() - startMs
}

function startDaemon(folder: string, through?: readonly string[]): Child {
  return startChild(resolve(import.meta.dirname, '../daemon-child.ts'), [folder], through)
}

async function batchesOf(child: Child): Promise<number> {
  child.send('stats')
  return ((await child.next()) as StoreStats).batches
}

interface Hosted extends Disposable {
  readonly authors: readonly Author[]
  /** As the administrator's requests have them. */
  readonly headers: Record<string, string>
  put(record: Uint8Array, expected: 'stored' | 'known'): Promise<void>
}

/** People who live at the daemon, and what sends it a record and waits for the answer. */
async function hosted(child: Child, crypto: CryptoProvider, connections: number): Promise<Hosted> {
  const { http, token } = (await child.next()) as DaemonStarted
  const call = adminCall(http, token)
  await call('schema.put', { schema: microblog.bytes })
  const authors = Array.from({ length: people }, () => new Author(crypto))
  await call('admin.host.add', { hosts: authors.map(({ log }) => ({ log })) })
  const connected = new KeepAlive(connections)
  const headers = adminHeaders(token)
  const url = `${http}/api/v1/record.put`
  const put: Hosted['put'] = async (record, expected) => {
    const bytes = await connected.post({ url, headers, body: encode({ records: [record] }) })
    const [result] = readReply('record.put', decode(bytes), 'cbor').results
    if (result?.outcome !== expected) throw new Error(`a record was ${result?.outcome}`)
  }
  return { put, authors, headers, [Symbol.dispose]: () => connected[Symbol.dispose]() }
}
