/**
 * A program: starts two nodes on real disks and sockets, lets them work, closes one with everything under way, opens its
 * state again at once, closes all, and prints what is left. Alone in its process, so that what is left is theirs.
 */
import { readdirSync, readlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { microblog } from '../../client/microblog.ts'
import { systemClock } from '../../daemon/clock.ts'
import type { Config } from '../../daemon/config.ts'
import { defaultConfig } from '../../daemon/config.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { fullAddress } from '../../daemon/net/node-id.ts'
import { systemRandom } from '../../daemon/random.ts'
import type { Daemon } from '../../daemon/start.ts'
import { startDaemon } from '../../daemon/start.ts'
import { createSimPerson } from '../sim/writer.ts'
import { httpCaller, socketClient } from './api-client.ts'
import { until } from './until.ts'

export interface Left {
  /** What kept the process alive, each kind with its count, before any node and after all. */
  readonly before: Readonly<Record<string, number>>
  readonly after: Readonly<Record<string, number>>
  /** Files of the closed node that are still open, where the system tells. */
  readonly openFiles: readonly string[]
  readonly sameNode: boolean
  readonly records: number
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }

function configOf(state: string, bootstrap: readonly string[]): Config {
  const base = defaultConfig({ XDG_STATE_HOME: state })
  return {
    ...base,
    state,
    listen: { host: '127.0.0.1', tcp: 0, websocket: 0, http: 0 },
    network: { ...base.network, mdns: false, bootstrap: [...bootstrap], allowDial: ['127.0.0.0/8'] },
    hosting: { ...base.hosting, copies: 1, offerTo: 'anyone', heartbeatMs: 250 },
  }
}

const start = (config: Config): Promise<Daemon> => startDaemon({ config, version: 'test', log: silent })
const portOf = ({ local }: Daemon): number => Number(new URL(local).port)
const callerOf = (daemon: Daemon) => httpCaller(portOf(daemon), daemon.adminToken)

/** Requests to the disk end a turn after they were answered, and libp2p's queues tell that they are empty a millisecond later. */
const settleMs = 20

async function kept(): Promise<Record<string, number>> {
  await systemClock.sleep(settleMs, new AbortController().signal)
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

function openFilesIn(folder: string): string[] {
  try {
    return readdirSync('/proc/self/fd').flatMap((fd) => {
      try {
        const path = readlinkSync(`/proc/self/fd/${fd}`)
        return path.startsWith(folder) ? [path] : []
      } catch {
        return [] // the one that the list itself was read by
      }
    })
  } catch {
    return [] // not Linux
  }
}

async function openAndClose(folder: string): Promise<Left> {
  const before = await kept()
  const first = await start(configOf(join(folder, 'first'), []))
  const tcp = first.addresses.find((address) => /\/tcp\/\d+$/.test(address)) ?? ''
  const config = configOf(join(folder, 'second'), [fullAddress(first.node.id, tcp)])
  const second = await start(config)
  const call = callerOf(second)
  await until(async () => (await call('admin.status', {})).peers.some(({ connected }) => connected))

  const person = createSimPerson(await loadCrypto({ random: systemRandom }))
  await call('schema.put', { schema: microblog.bytes })
  await call('admin.host.add', { hosts: [{ log: person.log }] })
  const socket = await socketClient(portOf(second), { token: second.adminToken })
  const records = Array.from(
    { length: 200 },
    (_, number) =>
      person.writers[0]!.sign('posts', new Uint8Array(0), 'put', { text: `post ${number}` }, Date.now())
        .bytes,
  )
  await socket.call('record.put', { records })
  await second[Symbol.asyncDispose]()
  const openFiles = openFilesIn(config.state)

  const again = await start(config)
  const { hosted } = await callerOf(again)('admin.status', {})
  await again[Symbol.asyncDispose]()
  await first[Symbol.asyncDispose]()
  await socket.closed
  return {
    before,
    after: await kept(),
    openFiles,
    sameNode: again.node.id === second.node.id,
    records: hosted[0]?.records ?? 0,
  }
}

const folder = await mkdtemp(join(tmpdir(), 'onehop-close-'))
try {
  process.stdout.write(`${JSON.stringify(await openAndClose(folder))}\n`)
} finally {
  await rm(folder, { recursive: true, force: true })
}
