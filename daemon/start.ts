import { rm, statfs } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join, resolve } from 'node:path'
import type { Log } from '../protocol/ports.ts'
import { openBlobs } from '../storage/blobs.ts'
import { openBlobFolder } from '../storage/blobs-disk.ts'
import { MemoryBlobFolder } from '../storage/blobs-memory.ts'
import { MemoryKv } from '../storage/kv-memory.ts'
import { isMended, openOrMend } from '../storage/mend-store.ts'
import { openStore } from '../storage/store.ts'
import type { StoreStats } from '../storage/types.ts'
import { openAdminToken } from './api/auth.ts'
import { openHttpServer } from './api/http.ts'
import { nextTurn, systemClock } from './clock.ts'
import type { Config, Setting } from './config.ts'
import { loadCrypto } from './crypto/index.ts'
import { secondThread } from './crypto/second-thread.ts'
import { createLog } from './log.ts'
import { createLibp2pNetwork, providerValidityMs } from './net/libp2p.ts'
import { mendIndexes, noteMended } from './damage/mended.ts'
import { restoreHosting } from './damage/restore-hosting.ts'
import { createNode, type Node } from './node.ts'
import { Quarantine } from './damage/quarantine.ts'
import { systemRandom } from './random.ts'
import { Scrub } from './damage/scrub.ts'
import { openStateFolder, writeSecretFile, type KeyFileSeal } from './state-folder.ts'

export interface StartOptions {
  readonly config: Config
  readonly settings?: readonly Setting[]
  readonly version: string
  readonly log?: Log
  /** Where the node's key may be sealed under a passphrase. */
  readonly keyFile?: KeyFileSeal
}

/** A node on the real clock, disk and network, with its pages. */
export interface Daemon extends AsyncDisposable {
  readonly node: Node
  /** Where this machine reaches the API and the dashboard, such as `http://127.0.0.1:4180`. */
  readonly local: string
  /** Where a phone on this network reaches the phone page. */
  readonly phone: string
  readonly adminToken: string
  /** Multiaddrs, with those of the API. */
  readonly addresses: readonly string[]
  /** What the disk was asked for. */
  storeStats(): StoreStats
}

/** What `runtime.json` in the state folder says as long as a daemon runs. */
export interface Runtime {
  readonly pid: number
  readonly node: string
  /** Where the API answers on this machine. */
  readonly http: string
  readonly phone: string
  readonly addresses: readonly string[]
}

/**
 * Opens from the disk upwards and closes in reverse. Throws STORE_UNWRITABLE, STORE_LOCKED, STORE_CORRUPT,
 * STORE_VERSION, PORT_IN_USE or BAD_CONFIG, and then nothing stays open.
 */
export async function startDaemon(options: StartOptions): Promise<Daemon> {
  const { config, version } = options
  const log =
    options.log ??
    createLog({ level: config.log, format: process.stderr.isTTY ? 'pretty' : 'json', clock: systemClock })
  await using opened = new AsyncDisposableStack()
  const folder = await openStateFolder(config.state, systemRandom, options.keyFile)
  const adminToken = await openAdminToken(folder.adminToken, systemRandom)
  const crypto = await loadCrypto({ random: systemRandom, log })
  const ahead = secondThread(systemClock, log)
  opened.use(ahead)
  const isMemory = config.store === 'memory'

  const quarantine = new Quarantine(folder.path)
  const scrub = new Scrub({ location: folder.store, clock: systemClock, log })
  const { kv, kept } = isMemory
    ? { kv: new MemoryKv(), kept: undefined }
    : await openOrMend(folder.store, {
        clock: systemClock,
        keepIn: quarantine.path,
        onCorrupt: () =>
          void scrub
            .found('met by a reader')
            .catch((error: unknown) => log.error('store.not-noted', { error: String(error) })),
      })
  opened.defer(() => kv.close())
  if (kept !== undefined) await mendIndexes(kv, { crypto, log, kept, quarantine })
  const store = await openStore(kv, { clock: systemClock, gathered: nextTurn })
  await restoreHosting({ store, crypto, self: crypto.signingPublicKey(folder.seed), config: config.hosting })
  if (kept !== undefined) {
    await noteMended(store, systemClock, kept)
    await isMended(folder.store)
  }
  const blobs = openBlobs(isMemory ? new MemoryBlobFolder() : await openBlobFolder(folder.blobs))
  const network = await createLibp2pNetwork({
    config,
    seed: folder.seed,
    clock: systemClock,
    random: systemRandom,
    log,
    ...(isMemory ? {} : { folder: join(folder.path, 'net') }),
  })
  opened.use(network)

  const node = await createNode({
    config,
    ...(options.settings === undefined ? {} : { settings: options.settings }),
    version,
    seed: folder.seed,
    clock: systemClock,
    random: systemRandom,
    log,
    crypto,
    store,
    blobs,
    network,
    ahead,
    freeBytes: () => freeBytes(folder.path),
    ...(isMemory ? {} : { scrub }),
    providerValidityMs,
  })
  opened.use(node)

  const http = await openHttpServer({
    host: config.listen.host,
    port: config.listen.http,
    rules: config.http,
    dispatch: node.dispatch,
    leave: node.leave,
    sessions: node.sessions,
    signedRequests: node.signedRequests,
    appTokens: node.appTokens,
    adminToken,
    pages: pagesFolder(),
    clock: systemClock,
    log,
  })
  opened.use(http)

  const reached = reachableHost(config.listen.host)
  const local = urlOf(isAny(config.listen.host) ? '127.0.0.1' : config.listen.host, http.port)
  const phone = `${urlOf(reached, http.port)}/phone/`
  const httpAddress = `/${reached.includes(':') ? 'ip6' : 'ip4'}/${reached}/tcp/${http.port}/http`
  node.announceHttp([httpAddress], phone)

  const addresses = [...network.addresses(), httpAddress]
  const runtime: Runtime = { pid: process.pid, node: node.id, http: local, phone, addresses }
  await writeSecretFile(folder.runtime, `${JSON.stringify(runtime)}\n`)
  opened.defer(() => rm(folder.runtime, { force: true }))
  log.info('node.started', { node: node.id, local, phone })

  const running = opened.move()
  return {
    node,
    local,
    phone,
    adminToken,
    addresses,
    storeStats: () => store.stats(),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}

/** Beside this file when built; in dist when it runs as it is. */
function pagesFolder(): string {
  const isBuilt = import.meta.filename.endsWith('.js')
  return resolve(import.meta.dirname, isBuilt ? '../client/pages' : '../dist/client/pages')
}

/** Undefined from a disk that does not even say that much: what is wrong with it shows when it is written. */
async function freeBytes(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path)
    return bavail * bsize
  } catch {
    return undefined
  }
}

function isAny(host: string): boolean {
  return host === '0.0.0.0' || host === '::'
}

/** The address that others on this network see: of the first interface that is not loopback. */
function reachableHost(host: string): string {
  if (!isAny(host)) return host
  for (const addresses of Object.values(networkInterfaces())) {
    const found = addresses?.find(({ family, internal }) => family === 'IPv4' && !internal)
    if (found !== undefined) return found.address
  }
  return '127.0.0.1'
}

function urlOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}
