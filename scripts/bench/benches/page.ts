/**
 * `view home` over HTTP with keep-alive: the daemon in one process, the load from this one. Cached: the same page
 * again and again. Fresh: pages of many people, each asked once after a post that changed them all. The limits are
 * node:http in a process of its own, serving as many bytes, stringified each time or prepared.
 */
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { adminCall } from '../../../cli/daemon.ts'
import { microblog } from '../../../client/microblog.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { readReply } from '../../../protocol/api/operations.ts'
import { toHex } from '../../../protocol/bytes.ts'
import { decode, encode } from '../../../protocol/codec.ts'
import { encodeRecord } from '../../../protocol/record/wire.ts'
import { Author } from '../author.ts'
import { startChild } from '../child.ts'
import type { DaemonStarted } from '../daemon-child.ts'
import { adminHeaders, type Ask, KeepAlive } from '../keep-alive.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median } from '../statistics.ts'

const authorsCount = 10
const postsEach = 8
const readersCount = 100
const connections = 8
const perRound = 2_000
const rounds = 5

export async function bench({ folder, note }: BenchContext): Promise<BenchResult> {
  const crypto = await loadCrypto()
  await using child = startChild(resolve(import.meta.dirname, '../daemon-child.ts'), [join(folder, 'node')])
  const { http, token } = (await child.next()) as DaemonStarted
  const call = adminCall(http, token)
  await call('schema.put', { schema: microblog.bytes })
  const people = Array.from({ length: authorsCount + readersCount }, () => new Author(crypto))
  await call('admin.host.add', { hosts: people.map(({ log }) => ({ log })) })
  const [authors, readers] = [people.slice(0, authorsCount), people.slice(authorsCount)]
  const put = async (records: Uint8Array[]): Promise<void> => {
    const { results } = await call('record.put', { records })
    if (results.some(({ outcome }) => outcome !== 'stored')) throw new Error('a record was not stored')
  }
  for (const [i, person] of people.entries())
    await put([encodeRecord(person.sign('profile', { name: `Person ${i}` }, Date.now()))])
  for (const reader of readers)
    await put(authors.map(({ id }) => encodeRecord(reader.sign('follows', { user: id }, Date.now()))))
  for (let i = 0; i < postsEach; i++) await put(authors.map((author) => author.post()))

  using connected = new KeepAlive(connections)
  const headers = adminHeaders(token)
  const page = (reader: Author): Ask => ({
    url: `${http}/api/v1/view.get`,
    headers,
    body: encode({ owner: reader.id, app: microblog.id, view: 'home' }),
  })
  const asked: number[] = []
  let pageBytes = 0
  const look = async (reader: Author): Promise<void> => {
    const bytes = await connected.post(page(reader))
    pageBytes = bytes.length
    asked.push(readReply('view.get', decode(bytes), 'cbor').requestsBetweenNodes)
  }
  // Following is a matter of moments; a page without its posts would be fast and worth nothing.
  for (const reader of readers) {
    for (let tries = 0; ; tries++) {
      await look(reader)
      if (pageBytes > 20_000) break
      if (tries > 200) throw new Error(`a home page of ${pageBytes} bytes only`)
      await sleep(50)
    }
  }
  note(`a page of ${pageBytes} bytes for ${toHex((readers[0] as Author).id).slice(0, 8)}`)

  await using plain = startChild(resolve(import.meta.dirname, '../plain-http-child.ts'), [String(pageBytes)])
  const port = (await plain.next()) as number
  const plainAsk = (path: string): Ask => ({
    url: `http://127.0.0.1:${port}/${path}`,
    headers,
    body: page(readers[0] as Author).body,
  })
  const rates = {
    cached: [] as number[],
    fresh: [] as number[],
    stringify: [] as number[],
    prepared: [] as number[],
  }
  const load = (count: number, ask: (index: number) => Ask): Promise<number> => perS(connected, count, ask)
  for (let round = 0; round <= rounds; round++) {
    const prepared = await load(perRound, () => plainAsk('prepared'))
    const cached = await load(perRound, () => page(readers[0] as Author))
    const stringify = await load(perRound, () => plainAsk('stringify'))
    const fresh: number[] = []
    for (let pass = 0; pass < 5; pass++) {
      await put([(authors[pass] as Author).post()])
      fresh.push(await load(readersCount, (i) => page(readers[i] as Author)))
    }
    if (round === 0) continue
    rates.prepared.push(prepared)
    rates.cached.push(cached)
    rates.stringify.push(stringify)
    rates.fresh.push(median(fresh))
  }
  for (const reader of readers) await look(reader)
  return {
    judged: {
      cachedPerS: { figure: median(rates.cached), limit: median(rates.prepared), atLeast: 0.5 },
      freshPerS: { figure: median(rates.fresh), limit: median(rates.stringify), atLeast: 0.7 },
      requestsBetweenNodes: { figure: Math.max(...asked), atMost: 0, limit: 1 },
    },
    figures: { pageBytes, connections, readers: readersCount },
    packages: ['classic-level'],
  }
}

async function perS(connected: KeepAlive, count: number, ask: (index: number) => Ask): Promise<number> {
  let next = 0
  const client = async (): Promise<void> => {
    while (next < count) await connected.post(ask(next++))
  }
  const startMs = performance.now()
  await Promise.all(Array.from({ length: connections }, client))
  return (count * 1000) / (performance.now() - startMs)
}
