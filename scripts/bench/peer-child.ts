/** The process of peer-process.ts: the daemon's own composition over the real disk and network, its store watched. */
import { subscribe } from 'node:diagnostics_channel'
import { join } from 'node:path'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '../../daemon/clock.ts'
import { defaultConfig, type Config } from '../../daemon/config.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { secondThread } from '../../daemon/crypto/second-thread.ts'
import { createLog } from '../../daemon/log.ts'
import { createLibp2pNetwork, providerValidityMs } from '../../daemon/net/libp2p.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { createNode } from '../../daemon/node.ts'
import { systemRandom } from '../../daemon/random.ts'
import { openStateFolder } from '../../daemon/state-folder.ts'
import { readReply, type UnaryName } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { openBlobs } from '../../storage/blobs.ts'
import { openBlobFolder } from '../../storage/blobs-disk.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { openStore } from '../../storage/store.ts'
import type { Records, Store } from '../../storage/types.ts'
import type { Answers, PeerRequest, PeerSettings, PeerStarted } from './peer-process.ts'

const sockets: Socket[] = []
for (const channel of ['net.client.socket', 'net.server.socket'])
  subscribe(channel, (message) => sockets.push((message as { socket: Socket }).socket))

const settings = JSON.parse(process.argv[2] ?? '{}') as PeerSettings
const base = defaultConfig()
const config: Config = {
  ...base,
  state: settings.state,
  operator: settings.operator,
  listen: { host: settings.host, tcp: 0, websocket: 0, http: 0 },
  network: { ...base.network, mdns: false, bootstrap: [...settings.bootstrap], allowDial: ['127.0.0.0/8'] },
  hosting: { ...base.hosting, offerTo: 'anyone', heartbeatMs: 1_000 },
}

/** Records that can be read here, by shard, and when that was first so. */
const held = new Map<string, { id: string; atNs: bigint }[]>()
let wake: (() => void) | undefined

/** Notes each record once `put` resolved (it is on disk then) and reading it gave the bytes that were put. */
function watched(store: Store): Store {
  const { records } = store
  const put: Records['put'] = async (incoming, options) => {
    const outcomes = await records.put(incoming, options)
    for (const [i, { record, bytes }] of incoming.entries()) {
      if (outcomes[i]?.state !== 'stored') continue
      const { owner, clock } = record.header
      const found = records.get(owner, { clock, id: record.id })
      if (found === undefined || Buffer.compare(found.bytes, bytes) !== 0) throw new Error('not readable')
      const shard = toHex(owner)
      const list = held.get(shard) ?? []
      list.push({ id: toHex(record.id), atNs: process.hrtime.bigint() })
      held.set(shard, list)
    }
    wake?.()
    return outcomes
  }
  const wrapped = new Proxy(records, {
    get: (target, name) => {
      if (name === 'put') return put
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'records') return wrapped
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

const log = createLog({ level: 'warn', format: 'json', clock: systemClock })
const folder = await openStateFolder(config.state, systemRandom)
const crypto = await loadCrypto({ random: systemRandom, log })
const store = watched(
  await openStore(await openLevelKv(folder.store, { clock: systemClock }), { clock: systemClock }),
)
const ports = { config, seed: folder.seed, clock: systemClock, random: systemRandom, log }
// As a daemon has it.
const ahead = secondThread(systemClock, log)
const network = await createLibp2pNetwork({ ...ports, folder: join(folder.path, 'net') })
const node = await createNode({
  ...ports,
  version: 'bench',
  crypto,
  store,
  blobs: openBlobs(await openBlobFolder(folder.blobs)),
  network,
  ahead,
  providerValidityMs,
})

async function call(operation: UnaryName, request: unknown): Promise<unknown> {
  const { reply } = await node.dispatch.call(operation, decode(encode(request)), 'cbor', {
    caller: { kind: 'admin' },
    signal: new AbortController().signal,
    token: undefined,
    bind: () => {},
  })
  return readReply(operation, decode(reply.bytes), 'cbor')
}

async function write(records: readonly Uint8Array[], everyMs: number): Promise<Answers['write']> {
  const firstMs = performance.now()
  return Promise.all(
    records.map(async (record, i) => {
      await sleep(Math.max(0, firstMs + i * everyMs - performance.now()))
      const startNs = process.hrtime.bigint()
      const reply = (await call('record.put', { records: [record] })) as {
        results: { outcome: string; id: Uint8Array }[]
      }
      const [result] = reply.results
      if (result?.outcome !== 'stored') throw new Error(`a record was ${result?.outcome}`)
      return { id: toHex(result.id), startNs, endNs: process.hrtime.bigint() }
    }),
  )
}

async function heldRecords(owner: Uint8Array, records: number): Promise<Answers['held']> {
  for (;;) {
    const list = held.get(toHex(owner)) ?? []
    if (list.length >= records) return list
    const { promise, resolve } = Promise.withResolvers<void>()
    wake = resolve
    await promise
  }
}

async function answer(request: PeerRequest): Promise<unknown> {
  switch (request.ask) {
    case 'call':
      return call(request.operation, request.request)
    case 'write':
      return write(request.records, request.everyMs)
    case 'held':
      return heldRecords(request.owner, request.records)
    case 'socketBytes':
      return {
        read: sockets.reduce((sum, socket) => sum + socket.bytesRead, 0),
        written: sockets.reduce((sum, socket) => sum + socket.bytesWritten, 0),
      }
  }
}

process.on('message', (request: PeerRequest) => {
  answer(request).then(
    (value) => process.send?.({ value }),
    (error: unknown) => process.send?.({ error: String(error) }),
  )
})
// The bench ended: nobody is left to answer to.
process.on('disconnect', () => process.exit())
const tcp = network.addresses().find((address) => /^\/ip4\/[^/]+\/tcp\/\d+$/.test(address)) as string
process.send?.({ id: node.id, address: fullAddress(node.id, tcp) } satisfies PeerStarted)
