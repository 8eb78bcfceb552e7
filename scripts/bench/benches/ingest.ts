/**
 * Records from clients through `Ingest.accept`: decoded, verified, authorised, checked against their schema, written
 * with their indexes and synced before the answer; many callers at once, as a node has them, on one thread, and with
 * another that verifies. The limit is libsodium alone, verifying the same signatures of the same bytes. Rounds of both take turns.
 */
import { join } from 'node:path'
import sodium from 'sodium-native'
import { microblog } from '../../../client/microblog.ts'
import { systemClock } from '../../../daemon/clock.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { secondThread } from '../../../daemon/crypto/second-thread.ts'
import { Hosting } from '../../../daemon/hosting.ts'
import { Identities } from '../../../daemon/identities.ts'
import { Ingest, type Source } from '../../../daemon/ingest.ts'
import { createLog } from '../../../daemon/log.ts'
import { Schemas } from '../../../daemon/schemas.ts'
import { decodeRecord } from '../../../protocol/record/wire.ts'
import { openLevelKv } from '../../../storage/kv-level.ts'
import { openStore } from '../../../storage/store.ts'
import { Author } from '../author.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median } from '../statistics.ts'

const people = 20
const total = 5_000
const batchRecords = 100
const callers = 4
const rounds = 5

export async function bench({ folder, note }: BenchContext): Promise<BenchResult> {
  const crypto = await loadCrypto()
  const kv = await openLevelKv(join(folder, 'store'), { clock: systemClock })
  await using store = await openStore(kv, { clock: systemClock })
  const identities = new Identities(store, crypto, systemClock)
  const schemas = new Schemas(store)
  const hosting = await Hosting.open(store)
  await using ahead = secondThread(
    systemClock,
    createLog({ level: 'warn', format: 'json', clock: systemClock }),
  )
  const parts = { crypto, clock: systemClock, store, identities, schemas, hosting }
  const alone = new Ingest(parts)
  const together = new Ingest({ ...parts, ahead })
  await schemas.put(microblog.bytes)

  /** Processor time of this thread for a record: what other programs take of the machine is not in it. */
  const cpuUs = { client: 0, peer: 0, stream: 0, sodium: 0 }

  /** Everybody new, so that no round finds what another left behind. */
  const write = async (): Promise<Uint8Array[]> => {
    const authors = Array.from({ length: people }, () => new Author(crypto))
    for (const { id, log } of authors) await identities.accept(id, log)
    await hosting.addMany(
      authors.map(({ id }) => ({
        owner: id,
        person: true,
        quotaBytes: 2 ** 30,
        expiresMs: undefined,
        label: '',
      })),
    )
    return Array.from({ length: total }, (_, i) => (authors[i % people] as Author).post())
  }

  const accept = async (ingest: Ingest, records: readonly Uint8Array[], source: Source): Promise<number> => {
    const before = store.stats().batches
    let next = 0
    const caller = async (): Promise<void> => {
      while (next < records.length) {
        const some = records.slice(next, (next += batchRecords))
        for (const { outcome } of await ingest.accept(some, source))
          if (outcome !== 'stored') throw new Error(`a record was ${outcome}`)
      }
    }
    const cpu = process.threadCpuUsage()
    const startMs = performance.now()
    await Promise.all(Array.from({ length: callers }, caller))
    const perS = (records.length * 1000) / (performance.now() - startMs)
    cpuUs[source.from === 'peer' ? 'peer' : 'client'] = threadUs(cpu) / records.length
    batches.push(store.stats().batches - before)
    return perS
  }

  const verify = (records: readonly Uint8Array[]): number => {
    const signed = records.map((bytes) => decodeRecord(crypto, bytes))
    const cpu = process.threadCpuUsage()
    const startMs = performance.now()
    for (const { message, signature, header } of signed)
      if (!sodium.crypto_sign_verify_detached(signature, message, header.device))
        throw new Error('not signed')
    const perS = (records.length * 1000) / (performance.now() - startMs)
    cpuUs.sodium = threadUs(cpu) / records.length
    return perS
  }

  const batches: number[] = []
  const cpuShares: number[] = []
  /** Of the thread that decides, while the other one verifies. */
  const besideUs: number[] = []
  const shares: number[] = []
  const rates = { client: [] as number[], peer: [] as number[], two: [] as number[], sodium: [] as number[] }
  let recordBytes = 0
  for (let round = 0; round <= rounds; round++) {
    const [forClient, forPeer, forTwo] = [await write(), await write(), await write()]
    const before = verify(forClient)
    const client = await accept(alone, forClient, { from: 'client' })
    const after = verify(forClient)
    const cpuAlone = cpuUs.client
    const two = await accept(together, forTwo, { from: 'client' })
    const cpuBeside = cpuUs.client
    cpuUs.client = cpuAlone
    const peer = await accept(alone, forPeer, { from: 'peer', node: '0'.repeat(64) })
    if (round === 0) continue // what is compiled once is no part of a rate
    const limit = (before + after) / 2
    rates.client.push(client)
    rates.peer.push(peer)
    rates.two.push(two)
    besideUs.push(cpuBeside)
    rates.sodium.push(limit)
    shares.push(client / limit)
    cpuShares.push(cpuUs.sodium / cpuUs.client)
    recordBytes = forClient[0]?.length ?? 0
    note(`round ${round}: ${Math.round(client)}/s, libsodium ${Math.round(limit)}/s`)
  }
  return {
    judged: {
      recordsPerS: { figure: median(rates.client), limit: median(rates.sodium), atLeast: 0.85 },
      withSecondThreadPerS: { figure: median(rates.two), limit: median(rates.sodium), atLeast: 1.2 },
    },
    figures: {
      records: total,
      recordBytes,
      medianOfRatios: median(shares),
      cpuRatio: median(cpuShares),
      clientCpuUs: cpuUs.client,
      peerCpuUs: cpuUs.peer,
      sodiumCpuUs: cpuUs.sodium,
      fromPeersPerS: median(rates.peer),
      fromPeersRatio: median(rates.peer) / median(rates.sodium),
      recordsPerSync: total / median(batches),
      besideSecondThreadCpuUs: median(besideUs),
    },
    packages: ['classic-level', 'sodium-native'],
  }
}

function threadUs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(since)
  return user + system
}
