/**
 * Two holders of one shard over real libp2p on loopback, both in this process: 200 of 10,000 records differ (100 on
 * either side), found and moved both ways, verified and on disk. Bytes are bodies of all requests and answers, less
 * the records moved. Then 1,000 small shards that both hold, all equal, and one of them different. Then 1,000,000 equal references on either disk (`--records N` for more), in the trees that comparisons read; then one more
 * on one side. The limit is libsodium verifying the moved records.
 */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import sodium from 'sodium-native'
import { systemClock } from '../../../daemon/clock.ts'
import { defaultConfig } from '../../../daemon/config.ts'
import { loadCrypto } from '../../../daemon/crypto/index.ts'
import { Hosting } from '../../../daemon/hosting.ts'
import { Identities } from '../../../daemon/identities.ts'
import { Ingest } from '../../../daemon/ingest.ts'
import { createLibp2pNetwork } from '../../../daemon/net/libp2p.ts'
import type { Rpc } from '../../../daemon/net/rpc.ts'
import { ReplicaSets } from '../../../daemon/placement/replica-sets.ts'
import { systemRandom } from '../../../daemon/random.ts'
import { Digests } from '../../../daemon/replication/digests.ts'
import { Holders } from '../../../daemon/replication/holders.ts'
import { Receipts } from '../../../daemon/replication/receipts.ts'
import { Reconcile } from '../../../daemon/replication/reconcile.ts'
import { Schemas } from '../../../daemon/schemas.ts'
import { fromHex } from '../../../protocol/bytes.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { makeChain } from '../../../protocol/placement/chain.ts'
import {
  encodeReplicaSet,
  packReplicaSet,
  signReplicaSet,
  unpackReplicaSet,
} from '../../../protocol/placement/replica-set.ts'
import type { Log } from '../../../protocol/ports.ts'
import { decodePush, encodeReceipts } from '../../../protocol/replication/messages.ts'
import { clockOf } from '../../../protocol/record/clock.ts'
import { decodeRecord } from '../../../protocol/record/wire.ts'
import { encodeRef } from '../../../storage/keys.ts'
import { openLevelKv } from '../../../storage/kv-level.ts'
import { RefTree } from '../../../storage/ref-tree.ts'
import { openStore } from '../../../storage/store.ts'
import { StagedBatch } from '../../../storage/staged-batch.ts'
import { Author } from '../author.ts'
import type { BenchContext, BenchResult } from '../result.ts'
import { median } from '../statistics.ts'
import { timesVerifying } from '../times-verifying.ts'

const total = 10_000
const differences = 200
const million = 1_000_000
const fillAtOnce = 50_000
const rounds = 3
const manyShards = 1_000
/** So old that comparing does not leave the newest out. */
const ageMs = 60_000
const log: Log = { debug() {}, info() {}, warn() {}, error() {} }

export const takes = ['records']

export async function bench({ folder, note, records: many = million }: BenchContext): Promise<BenchResult> {
  const crypto = await loadCrypto()
  const tookMs: number[] = []
  const limitMs: number[] = []
  const overheadKb: number[] = []
  const comparingTrips: number[] = []
  const requests: number[] = []
  for (let round = 0; round <= rounds; round++) {
    await using stack = new AsyncDisposableStack()
    const a = stack.use(await openHolder(crypto, join(folder, `a${round}`), '127.81.1.1'))
    const b = stack.use(await openHolder(crypto, join(folder, `b${round}`), '127.82.1.1'))
    const author = new Author(crypto)
    const nowMs = Date.now()
    const records = Array.from({ length: total }, (_, i) => author.post(nowMs - ageMs - total + i))
    for (const holder of [a, b]) await holder.hold(author, [a, b])
    // Every 100th is missing on one side, the one after it on the other.
    await a.accept(records.filter((_, i) => i % 100 !== 0))
    await b.accept(records.filter((_, i) => i % 100 !== 1))
    await a.meet(b)
    a.traffic.clear()
    const startMs = performance.now()
    const found = await a.reconcile.with(b.rpc.self, stackSignal, [author.id])
    const ms = performance.now() - startMs
    if (found.sent !== differences / 2 || found.received !== differences / 2)
      throw new Error(`sent ${found.sent}, received ${found.received}`)
    const moved = records.filter((_, i) => i % 100 < 2)
    const movedBytes = moved.reduce((sum, { length }) => sum + length, 0)
    if (round === 0) continue
    tookMs.push(ms)
    limitMs.push(verifyMs(crypto, moved))
    overheadKb.push((a.traffic.bytes - movedBytes) / 1024)
    comparingTrips.push(a.traffic.count('shard/compare') + a.traffic.count('shard/reconcile'))
    requests.push(a.traffic.requests.length)
    note(`round ${round}: ${ms.toFixed(0)} ms, ${a.traffic.requests.join(' ')}`)
  }

  const thousand = await compareShards(crypto, folder)

  await using stack = new AsyncDisposableStack()
  const author = new Author(crypto)
  const [folderA, folderB] = [join(folder, 'a-million'), join(folder, 'b-million')]
  const buildStartMs = performance.now()
  await fillTree(crypto, folderA, author.id, many)
  note(`${many} references in ${((performance.now() - buildStartMs) / 1000).toFixed(0)} s`)
  await cp(folderA, folderB, { recursive: true })
  const a = stack.use(await openHolder(crypto, folderA, '127.81.1.1'))
  const b = stack.use(await openHolder(crypto, folderB, '127.82.1.1'))
  for (const holder of [a, b]) await holder.hold(author, [a, b])
  await a.meet(b)
  const compare = async (differed: number) => {
    a.traffic.clear()
    const startMs = performance.now()
    const found = await a.reconcile.with(b.rpc.self, stackSignal, [author.id])
    if (found.equal.length !== 1 - differed || found.differed !== differed)
      throw new Error(`${found.equal.length} equal, ${found.differed} different`)
    return {
      ms: performance.now() - startMs,
      requests: a.traffic.requests.length,
      kb: a.traffic.bytes / 1024,
      trips: a.traffic.count('shard/compare') + a.traffic.count('shard/reconcile'),
    }
  }
  const cold = await compare(0)
  const equal = await compare(0)
  const one = author.post(Date.now() - ageMs)
  await a.accept([one])
  const different = await compare(1)
  return {
    judged: {
      comparingRoundTrips: { figure: Math.max(...comparingTrips), atMost: 3 },
      overheadKb: { figure: median(overheadKb), atMost: 90 },
      reconcileMs: {
        figure: median(tookMs),
        limit: median(limitMs),
        atMost: timesVerifying(0.04, differences),
      },
      millionRoundTrips: { figure: equal.requests, atMost: 1 },
      millionKb: { figure: equal.kb, atMost: 1 },
    },
    figures: {
      records: total,
      differences,
      /** Moving the records counted: all requests of one side. */
      requests: median(requests),
      ...thousand,
      million: many,
      millionFirstMs: cold.ms,
      millionAgainMs: equal.ms,
      oneInAMillionMs: different.ms,
      oneInAMillionRoundTrips: different.trips,
      oneInAMillionKb: different.kb - one.length / 1024,
    },
    packages: ['libp2p', 'classic-level', 'sodium-native'],
  }
}

/** What many shards of the same two nodes cost together, while they are equal and when one is not. */
async function compareShards(crypto: CryptoProvider, folder: string): Promise<Record<string, number>> {
  await using stack = new AsyncDisposableStack()
  const a = stack.use(await openHolder(crypto, join(folder, 'a-many'), '127.81.1.1'))
  const b = stack.use(await openHolder(crypto, join(folder, 'b-many'), '127.82.1.1'))
  const authors = Array.from({ length: manyShards }, () => new Author(crypto))
  const records = authors.flatMap((author) => [0, 1].map((i) => author.post(Date.now() - ageMs - i)))
  for (const author of authors) for (const holder of [a, b]) await holder.hold(author, [a, b])
  for (const holder of [a, b]) await holder.accept(records)
  await a.meet(b)
  const owners = authors.map(({ id }) => id)
  const compare = async (differed: number) => {
    a.traffic.clear()
    const startMs = performance.now()
    const found = await a.reconcile.with(b.rpc.self, stackSignal, owners)
    if (found.equal.length !== manyShards - differed || found.differed !== differed)
      throw new Error(`${found.equal.length} equal, ${found.differed} different`)
    return {
      ms: performance.now() - startMs,
      kb: a.traffic.bytes / 1024,
      requests: a.traffic.requests.length,
    }
  }
  await compare(0)
  const equal = await compare(0)
  await a.accept([(authors[500] as Author).post(Date.now() - ageMs)])
  const one = await compare(1)
  return {
    shards: manyShards,
    shardsEqualMs: equal.ms,
    shardsEqualKb: equal.kb,
    shardsEqualRequests: equal.requests,
    oneShardOfThemMs: one.ms,
    oneShardOfThemKb: one.kb,
    oneShardOfThemRequests: one.requests,
  }
}

const stackSignal = new AbortController().signal

class Traffic {
  readonly requests: string[] = []
  bytes = 0

  clear(): void {
    this.requests.length = 0
    this.bytes = 0
  }

  count(method: string): number {
    return this.requests.filter((one) => one === method).length
  }
}

/** The parts of a node that reconcile, over its own store and network. */
async function openHolder(crypto: CryptoProvider, folder: string, host: string) {
  await using opened = new AsyncDisposableStack()
  const kv = await openLevelKv(folder, { clock: systemClock })
  const store = opened.use(await openStore(kv, { clock: systemClock }))
  const base = defaultConfig()
  const network = opened.use(
    await createLibp2pNetwork({
      config: {
        listen: { host, tcp: 0, websocket: 0, http: 0 },
        network: { ...base.network, mdns: false, allowDial: ['127.0.0.0/8'] },
      },
      seed: crypto.random(32),
      clock: systemClock,
      random: systemRandom,
      log,
    }),
  )
  const traffic = new Traffic()
  const rpc: Rpc = {
    self: network.rpc.self,
    handle: (method, handler) => network.rpc.handle(method, handler),
    connected: () => network.rpc.connected(),
    onPeer: (listener) => network.rpc.onPeer(listener),
    async request(to, method, body, options) {
      traffic.requests.push(method)
      const reply = await network.rpc.request(to, method, body, options)
      traffic.bytes += body.length + reply.length
      return reply
    },
  }
  const identities = new Identities(store, crypto, systemClock)
  const hosting = await Hosting.open(store)
  const replicaSets = new ReplicaSets(store, crypto, identities, systemClock)
  const holders = new Holders(rpc.self, hosting, replicaSets)
  const ingest = new Ingest({
    crypto,
    clock: systemClock,
    store,
    identities,
    schemas: new Schemas(store),
    hosting,
  })
  const receipts = new Receipts(systemClock)
  const digests = new Digests(store, crypto)
  const parts = {
    rpc,
    crypto,
    clock: systemClock,
    log,
    store,
    ingest,
    hosting,
    replicaSets,
    holders,
    digests,
    receipts,
  }
  const reconcile = new Reconcile({
    ...parts,
    config: { reconcileEveryMs: 3_600_000 },
    announceTo: () => {},
    answer: () => {},
    isComing: () => false,
    isFilling: () => false,
    snapshots: {
      fetch: async () => 0,
      isComing: () => false,
      isWithheld: () => false,
      complete: async () => 0,
    },
    onEqual: () => {},
    positionOf: () => undefined,
  })
  rpc.handle('shard/push', async ({ from, body }) => {
    const outcomes = await ingest.accept(decodePush(body), { from: 'peer', node: from })
    return encodeReceipts(outcomes.map(({ outcome }) => (outcome === 'refused' ? 'never' : 'held')))
  })
  const running = opened.move()
  const holder = {
    rpc,
    traffic,
    reconcile,
    async hold(author: Author, both: readonly { readonly rpc: Rpc }[]): Promise<void> {
      await identities.accept(author.id, author.log)
      const hosted = { owner: author.id, person: true, quotaBytes: 2 ** 30, expiresMs: undefined, label: '' }
      await hosting.add(hosted)
      const unsigned = encodeReplicaSet({
        owner: author.id,
        shard: author.id,
        epoch: 1,
        step: 0,
        previous: undefined,
        members: both.map((one, i) => ({
          node: fromHex(one.rpc.self, 32) as Uint8Array,
          role: i === 0 ? ('home' as const) : ('replica' as const),
          addresses: [],
          operator: `operator-${i}`,
          region: '/geo',
        })),
        standby: [],
        copies: 1,
        expiresMs: Date.UTC(2100, 0, 1),
      })
      const signature = signReplicaSet(crypto, unsigned, author.device.seed)
      const set = unpackReplicaSet(crypto, packReplicaSet(unsigned, [signature]))
      await replicaSets.accept(makeChain([set]))
    },
    async accept(records: readonly Uint8Array[]): Promise<void> {
      for (const { outcome } of await ingest.accept(records, { from: 'peer', node: rpc.self }))
        if (outcome !== 'stored') throw new Error(`a record was ${outcome}`)
    },
    addresses: () => network.addresses(),
    async meet(other: { readonly rpc: Rpc; addresses(): readonly string[] }): Promise<void> {
      await network.routing.learn({ node: other.rpc.self, addresses: other.addresses() })
      // Opens the stream, as between holders it always is; that nobody serves this one does not matter.
      await network.rpc
        .request(other.rpc.self, 'shard/meet', new Uint8Array(0), { signal: stackSignal })
        .catch(() => {})
    },
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
  return holder
}

/** What a shard of so many records has on disk for comparing, without the records. */
async function fillTree(
  crypto: CryptoProvider,
  folder: string,
  shard: Uint8Array,
  count: number,
): Promise<void> {
  const kv = await openLevelKv(folder, { clock: systemClock })
  await (await openStore(kv, { clock: systemClock })).close()
  const filling = await openLevelKv(folder, { clock: systemClock })
  const tree = new RefTree(filling, shard)
  const first = clockOf(Date.UTC(2025, 0, 1))
  for (let done = 0; done < count; done += fillAtOnce) {
    const ids = crypto.random(32 * fillAtOnce)
    for (let i = 0; i < fillAtOnce; i++)
      tree.insert(encodeRef({ clock: first + BigInt(done + i) * 2n, id: ids.subarray(i * 32, i * 32 + 32) }))
    const batch = new StagedBatch(filling)
    tree.flush(batch)
    await filling.batch(batch.writes)
    tree.committed()
  }
  await filling.close()
}

function verifyMs(crypto: CryptoProvider, records: readonly Uint8Array[]): number {
  const signed = records.map((bytes) => decodeRecord(crypto, bytes))
  const startMs = performance.now()
  for (const { message, signature, header } of signed)
    if (!sodium.crypto_sign_verify_detached(signature, message, header.device)) throw new Error('not signed')
  return performance.now() - startMs
}
