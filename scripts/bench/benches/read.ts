/**
 * Reads from a store of 10,000 records: by key, and the latest 50 of a collection with their bytes. A list that has not
 * changed is answered from memory; so that the judged one is read from the database, a record is written before each ask,
 * which is also when a page asks anew. What memory answers is told beside it.
 * Limits beside them: classic-level's own getSync, and 50 neighbours by one iterator, over values of the same size.
 */
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { systemClock } from '../../../daemon/clock.ts'
import { createIdentity, deviceFromSeed } from '../../../protocol/identity/make.ts'
import { clockOf } from '../../../protocol/record/clock.ts'
import { signRecord } from '../../../protocol/record/sign.ts'
import { verifyRecord } from '../../../protocol/record/verify.ts'
import { encodeRecord } from '../../../protocol/record/wire.ts'
import { openLevelKv } from '../../../storage/kv-level.ts'
import { openStore } from '../../../storage/store.ts'
import type { IncomingRecord } from '../../../storage/types.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median, percentile, perSecond, timeEachMs } from '../statistics.ts'

const people = 20
const recordsEach = 500
const total = people * recordsEach
const rounds = 5
const asks = 1000
const changesEach = asks / people
/** With the default an iterator stops early and is asked again. */
const highWaterMarkBytes = 2 ** 20
const app = 'bench'
const collection = 'post'

function keyOf(number: number): Uint8Array {
  return new TextEncoder().encode(`item-${String(number).padStart(6, '0')}`)
}

interface Shard {
  readonly id: Uint8Array
  readonly records: readonly IncomingRecord[]
  /** Newer versions of some of them, each to be written before the list is asked. */
  readonly changes: readonly IncomingRecord[]
}

async function writeShards(): Promise<readonly Shard[]> {
  const crypto = await loadCrypto()
  const text =
    'A record of about three hundred bytes says as much as this sentence, which is long enough for it.'
  return Array.from({ length: people }, () => {
    const device = deviceFromSeed(crypto, crypto.random(32))
    const { state } = createIdentity(crypto, device)
    const written = Array.from({ length: recordsEach + changesEach }, (_, index): IncomingRecord => {
      const signed = signRecord(
        crypto,
        {
          owner: state.id,
          author: state.id,
          app,
          collection,
          key: keyOf(index % recordsEach),
          merge: 'register',
          number: index + 1,
          clock: clockOf(Date.now() - total + index),
          operation: 'put',
          schema: new Uint8Array(32),
          expiresMs: undefined,
          sections: [{ audience: 'public', fields: { text } }],
        },
        device.seed,
      )
      const verdict = verifyRecord(crypto, signed, state)
      if (!verdict.ok) throw new Error(verdict.message)
      return { record: verdict.record, bytes: encodeRecord(signed) }
    })
    return { id: state.id, records: written.slice(0, recordsEach), changes: written.slice(recordsEach) }
  })
}

export async function bench({ folder, note }: BenchContext): Promise<BenchResult> {
  const shards = await writeShards()
  const kv = await openLevelKv(join(folder, 'store'), { clock: systemClock })
  const store = await openStore(kv, { clock: systemClock })
  const bare = new ClassicLevel<Uint8Array, Uint8Array>(join(folder, 'bare'), {
    keyEncoding: 'view',
    valueEncoding: 'view',
  })
  await bare.open()
  try {
    const bareKeys: Uint8Array[] = []
    for (const { id, records } of shards) {
      for (let at = 0; at < records.length; at += 100)
        await store.records.put(records.slice(at, at + 100), { hosted: true })
      const pairs = records.map(({ bytes }, index) => ({
        key: Buffer.concat([id, keyOf(index)]),
        value: bytes,
      }))
      await bare.batch(pairs.map(({ key, value }) => ({ type: 'put' as const, key, value })))
      bareKeys.push(...pairs.map(({ key }) => key))
    }
    note(`${total} records of ${shards[0]?.records[0]?.bytes.length ?? 0} bytes`)

    // Scattered, so that neighbours in the file do not warm each other; a prime shares no factor with the total.
    const scattered = Array.from({ length: total }, (_, index) => (index * 7919) % total)
    const keys = Array.from({ length: recordsEach }, (_, index) => keyOf(index))
    let found = 0
    const byKey = (index: number): void => {
      const at = scattered[index] ?? 0
      const shard = shards[Math.floor(at / recordsEach)]
      const key = keys[at % recordsEach]
      if (shard && key && store.records.winner(shard.id, app, collection, key)) found++
    }
    const bareByKey = (index: number): void => {
      const key = bareKeys[scattered[index] ?? 0]
      if (key && bare.getSync(key)) found++
    }
    const storeRates: number[] = []
    const bareRates: number[] = []
    for (let round = 0; round < rounds; round++) {
      bareRates.push(perSecond(total, bareByKey, 1))
      storeRates.push(perSecond(total, byKey, 1))
    }
    // A read that finds nothing is fast and worth nothing.
    if (found !== 2 * rounds * total)
      throw new Error(`${found} of ${2 * rounds * total} reads found their record`)

    const readLatest = async (index: number): Promise<void> => {
      const shard = shards[index % people]
      const latest = shard ? await store.records.latest(shard.id, app, collection, { limit: 50 }) : []
      if (latest.length !== 50) throw new Error(`latest 50 gave ${latest.length}`)
    }
    const readNeighbours = async (index: number): Promise<void> => {
      const shard = shards[index % people]
      if (!shard) throw new Error('no such shard')
      const after = Buffer.concat([shard.id, Buffer.alloc(32, 0xff)])
      const pairs = await bare
        .iterator({ gte: shard.id, lt: after, reverse: true, limit: 50, highWaterMarkBytes })
        .all()
      if (pairs.length !== 50) throw new Error(`50 neighbours gave ${pairs.length}`)
    }
    const latestMs: number[] = []
    const bareLatestMs: number[] = []
    for (let index = 0; index < asks; index++) {
      const shard = shards[index % people]
      const change = shard?.changes[Math.floor(index / people)]
      if (!shard || !change) throw new Error('no such change')
      await store.records.put([change], { hosted: true })
      await bare.put(Buffer.concat([shard.id, change.record.header.key]), change.bytes, { sync: true })
      latestMs.push(...(await timeEachMs(1, () => readLatest(index))))
      bareLatestMs.push(...(await timeEachMs(1, () => readNeighbours(index))))
    }
    // Nothing was written since, and each list was asked once: all of these are answered from memory.
    const cachedMs = await timeEachMs(asks, readLatest)
    return {
      judged: {
        getPerS: { figure: median(storeRates), limit: median(bareRates), atLeast: 50_000, absolute: true },
        latest50P50Ms: { figure: median(latestMs), limit: median(bareLatestMs), atMost: 0.1, absolute: true },
      },
      figures: {
        records: total,
        latest50P99Ms: percentile(latestMs, 0.99),
        latest50CachedP50Ms: median(cachedMs),
        latest50CachedP99Ms: percentile(cachedMs, 0.99),
      },
      limit: { latest50P99Ms: percentile(bareLatestMs, 0.99) },
      packages: ['classic-level', 'sodium-native'],
    }
  } finally {
    await bare.close()
    await store.close()
  }
}
