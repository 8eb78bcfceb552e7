/** The real network: libp2p with the settings that were found to work, each with its reason. */
import { noise } from '@chainsafe/libp2p-noise'
import { identify, identifyPush } from '@libp2p/identify'
import type { PeerInfo, PeerUpdate } from '@libp2p/interface'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import type { LevelDatastore } from 'datastore-level'
import type { Multiaddr } from '@multiformats/multiaddr'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Method } from '../../protocol/methods.ts'
import type { Clock, Log, Random } from '../../protocol/ports.ts'
import type { Config } from '../config.ts'
import { withDeadline } from './deadline.ts'
import { createDialer } from './dialer.ts'
import { dialOrder } from './dial-order.ts'
import { discover } from './discovery.ts'
import { createFrameStream } from './frame-stream.ts'
import type { Gater } from './gater.ts'
import { createGater } from './gater.ts'
import { discoverByMdns } from './mdns.ts'
import { netLimits } from './net-limits.ts'
import {
  formatAddress,
  fullAddress,
  nodeIdOf,
  parseAddress,
  peerIdOf,
  privateKeyOfSeed,
  transportOf,
} from './node-id.ts'
import { openPeerFolder } from './peer-folder.ts'
import { relayService } from './relay-server.ts'
import { Relays } from './relays.ts'
import { createRouting } from './routing.ts'
import type { RpcBudgets, RpcStats } from './rpc-endpoint.ts'
import { RpcEndpoint } from './rpc-endpoint.ts'
import { createLibp2pTransport } from './rpc-libp2p.ts'
import type { Network, NodeId } from './rpc.ts'
import { gatedWebSockets } from './websockets.ts'

export const providerValidityMs = 48 * 3_600_000

/**
 * Addresses outlive provider records by so much. With the defaults (one hour against 48) a look-up finds
 * providers without addresses, and fails for the whole key once one of them has been forgotten.
 */
const addressAgeFactor = 3.5

/** A connection that does not close by then is reset. */
const hangUpMs = 1_000
const lastWordsMs = 250

export interface Libp2pNetworkOptions {
  readonly config: Pick<Config, 'listen' | 'network'>
  /** The node key: 32 bytes. */
  readonly seed: Uint8Array
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where known peers and provider records are kept over restarts; in memory when not given. */
  readonly folder?: string
  readonly budgets?: Partial<RpcBudgets>
  /** For tests that cannot wait for days. */
  readonly providerValidityMs?: number
}

export interface Libp2pNetwork extends Network<Method> {
  stats(): RpcStats
}

/** A started network. Throws PORT_IN_USE or BAD_CONFIG. A bootstrap address that is down does not stop it. */
export async function createLibp2pNetwork(options: Libp2pNetworkOptions): Promise<Libp2pNetwork> {
  const { config, clock, random, log } = options
  const privateKey = await privateKeyOfSeed(options.seed)
  const self = toHex(privateKey.publicKey.raw)
  for (const text of config.network.announce) {
    if (parseAddress(text) === undefined)
      throw new OnehopError('BAD_CONFIG', `network.announce: ${text} is no multiaddr`, {
        help: 'Write it as /ip4/ADDRESS/tcp/PORT or /dns4/NAME/tcp/PORT/ws.',
      })
  }
  const gater = createGater({
    self: peerIdFromPrivateKey(privateKey),
    allowDial: config.network.allowDial,
    configured: [...config.network.bootstrap, ...config.network.relays],
  })
  const bootstrap = readPeers('network.bootstrap', config.network.bootstrap)
  const relays = readPeers('network.relays', config.network.relays, true)
  const ownRelays = new Relays(gater, relays)
  const datastore =
    options.folder === undefined ? undefined : await openPeerFolder(options.folder, self, clock)
  const ready = Promise.withResolvers<ReturnType<typeof createDialer>>()
  /** Neighbours answer while we still start, and again and again: who is not connected is dialled each time. */
  const onNeighbour = ({ id, multiaddrs }: PeerInfo): void => {
    const meet = async (): Promise<void> => {
      await libp2p.peerStore.merge(id, { multiaddrs })
      const node = nodeIdOf(id)
      if (node !== undefined) (await ready.promise).meet(node)
    }
    meet().catch((error: unknown) => log.debug('net.neighbour-failed', { peer: id.toString(), error }))
  }
  const libp2p = await createNode(options, privateKey, gater, ownRelays, datastore, onNeighbour).catch(
    async (error: unknown) => {
      await datastore?.close()
      throw startError(error, config.listen)
    },
  )

  const pruneAddresses = keepFewAddresses(libp2p, log)
  libp2p.addEventListener('peer:update', pruneAddresses)
  const transport = createLibp2pTransport(self, libp2p, clock, log)
  const rpc = new RpcEndpoint({
    transport,
    clock,
    log,
    ...(options.budgets === undefined ? {} : { budgets: options.budgets }),
  })
  let closed: Promise<void> | undefined
  const closing = new AbortController()
  const background: Promise<void>[] = []
  const stop = async (): Promise<void> => {
    closing.abort(new OnehopError('CLOSED', 'the node is closing'))
    rpc.close()
    await Promise.all(background)
    await dialer?.close()
    libp2p.removeEventListener('peer:update', pruneAddresses)
    await libp2p.stop()
    libp2p.services.ownAddresses.quiet()
    await datastore?.close()
  }
  const noteAddresses = async (): Promise<void> => {
    await libp2p.peerStore.patch(libp2p.peerId, { multiaddrs: libp2p.getMultiaddrs().map(transportOf) })
  }
  let dialer: ReturnType<typeof createDialer> | undefined
  try {
    await libp2p.start()
    // libp2p does it itself a second later; who asks us in between would get our records without addresses.
    await noteAddresses()
    const configured = new Map(bootstrap)
    for (const [node, known] of relays) configured.set(node, [...(bootstrap.get(node) ?? []), ...known])
    dialer = createDialer({ libp2p, gater, configured, clock, random, log })
  } catch (error) {
    await stop().catch((cause: unknown) => log.warn('net.stop-failed', { error: cause }))
    throw startError(error, config.listen)
  }
  const started = dialer
  const { meet } = started
  ready.resolve(started)
  const { dht } = libp2p.services
  background.push(discover({ libp2p, dht, clock, log, signal: closing.signal, meet }))
  const onChange = (): void => {
    noteAddresses().catch((error: unknown) => log.warn('net.addresses-unnoted', { error }))
  }
  background.push(ownRelays.run({ libp2p, clock, random, log, signal: closing.signal, onChange }))

  return {
    rpc,
    routing: createRouting(libp2p, libp2p.services.dht, gater),
    addresses: () => libp2p.getMultiaddrs().map(formatAddress),
    missingRelays: () => ownRelays.missing(),
    stats: () => rpc.stats(),
    async deny(nodes) {
      gater.deny(nodes)
      const connected = libp2p.getPeers().filter((peer) => gater.denies(nodeIdOf(peer)))
      await withDeadline(clock, hangUpMs, undefined, (signal) =>
        Promise.all(connected.map((peer) => libp2p.hangUp(peer, { signal }))),
      )
      started.retry()
    },
    async hangUp(node) {
      // What was just sent would not arrive: a connection that is closed drops what waits in its streams.
      await clock.sleep(lastWordsMs, closing.signal)
      await withDeadline(clock, hangUpMs, undefined, (signal) => libp2p.hangUp(peerIdOf(node), { signal }))
    },
    keep: (nodes) => started.keep(nodes),
    serveStream(protocol, handler) {
      transport.listen(protocol, (from, channel) => {
        const stream = createFrameStream(from, channel)
        handler(stream).catch((error: unknown) => {
          log.warn('stream.handler-failed', { protocol, from, error })
          channel.abort(error instanceof Error ? error : new Error(String(error)))
        })
      })
    },
    openStream: async (to, protocol, signal) =>
      createFrameStream(to, await transport.open(to, protocol, signal)),
    [Symbol.asyncDispose]: () => (closed ??= stop()),
  }
}

/** The nodes that a setting names, and where they are. */
function readPeers(setting: string, texts: readonly string[], isDirect = false): Map<NodeId, Multiaddr[]> {
  const peers = new Map<NodeId, Multiaddr[]>()
  for (const text of texts) {
    const address = parseAddress(text)
    if (address?.node === undefined)
      throw new OnehopError('BAD_CONFIG', `${setting}: ${text} is no multiaddr that ends in /p2p/PEER`, {
        help: 'onehop status at that node prints them: reached at.',
      })
    if (isDirect && address.relay !== undefined)
      throw new OnehopError('BAD_CONFIG', `${setting}: ${text} leads through another relay`)
    peers.set(address.node, [...(peers.get(address.node) ?? []), address.transport])
  }
  return peers
}

type Node = Awaited<ReturnType<typeof createNode>>

function createNode(
  options: Libp2pNetworkOptions,
  privateKey: Awaited<ReturnType<typeof privateKeyOfSeed>>,
  gater: Gater,
  ownRelays: Relays,
  datastore: LevelDatastore | undefined,
  onNeighbour: (neighbour: PeerInfo) => void,
) {
  const { listen, network } = options.config
  const validityMs = options.providerValidityMs ?? providerValidityMs
  const ip = `/${listen.host.includes(':') ? 'ip6' : 'ip4'}/${listen.host}`
  const self = toHex(privateKey.publicKey.raw)
  const relayed = (): Multiaddr[] =>
    ownRelays.addresses().map((address) => multiaddr(fullAddress(self, address.toString())))
  const dialOpts = { noDelay: true, keepAlive: true, lookup: gater.lookup }
  return createLibp2p({
    start: false,
    privateKey,
    nodeInfo: { name: 'onehop' },
    ...(datastore === undefined ? {} : { datastore }),
    addresses: {
      listen: [`${ip}/tcp/${listen.tcp}`, `${ip}/tcp/${listen.websocket}/ws`],
      ...(network.announce.length === 0 ? {} : { announce: [...network.announce] }),
      announceFilter: (own) => [...own, ...relayed()],
    },
    transports: [tcp({ dialOpts }), gatedWebSockets(gater), ownRelays.transport()],
    connectionEncrypters: [noise()],
    streamMuxers: [
      yamux({
        maxInboundStreams: 1_000,
        maxOutboundStreams: 1_000,
        streamOptions: {
          // 2 MiB in flight carry 20 MB/s over 100 ms; a paused stream holds no more than that.
          maxStreamWindowSize: 2 * 2 ** 20,
          maxReadBufferLength: 4 * limits.frameBytesMax,
          // Without it a peer that does not read fills our memory.
          maxWriteBufferLength: 4 * limits.frameBytesMax,
        },
      }),
    ],
    connectionGater: gater.libp2p,
    connectionManager: {
      maxConnections: 300,
      maxParallelDials: 16,
      maxDialQueueLength: 500,
      maxPeerAddrsToDial: netLimits.addressesPerPeerMax,
      addressSorter: dialOrder,
      dialTimeout: 5_000,
      addressDialTimeout: 3_000,
      maxIncomingPendingConnections: 50,
      // Five a second by default, per address: homes behind one carrier's NAT share it.
      inboundConnectionThreshold: network.inboundConnectionsPerS,
      // The dial schedule does it, without giving up after five times.
      reconnectRetries: 0,
    },
    connectionMonitor: { pingInterval: 30_000 },
    peerStore: {
      maxAddressAge: validityMs * addressAgeFactor,
      maxPeerAge: validityMs * addressAgeFactor,
      addressFilter: (peer, address) => gater.permits(peer, address),
    },
    peerDiscovery: network.mdns ? [discoverByMdns(gater, onNeighbour)] : [],
    services: {
      identify: identify({ maxObservedAddresses: 4 }),
      // A place at a relay is given after the relay has heard of our addresses, and whom it tells of us would hear of none through it.
      identifyPush: identifyPush({ runOnSelfUpdate: network.relays.length > 0 }),
      ping: ping({ maxInboundStreams: 8 }),
      ownAddresses,
      ...(network.relay ? { relay: relayService(gater) } : {}),
      dht: kadDHT({
        protocol: '/onehop/kad/1.0.0',
        // Every node that runs this serves: waiting for a public address would leave a LAN without a DHT.
        clientMode: false,
        // Our own gater decides which addresses are kept; the default mapper would empty the tables on a LAN.
        peerInfoMapper: passthroughMapper,
        initialQuerySelfInterval: 500,
        maxInboundStreams: 128,
        maxOutboundStreams: 128,
        networkDialTimeout: { minTimeout: 2_000, maxTimeout: 8_000 },
        pingNewContactTimeout: { minTimeout: 1_000, maxTimeout: 4_000 },
        pingOldContactTimeout: { minTimeout: 1_000, maxTimeout: 4_000 },
        incomingMessageTimeout: 5_000,
        // Renewing is the provide queue's work, at its pace; here old records are only swept away.
        reprovide: { validity: validityMs, threshold: 0, interval: validityMs / 48, concurrency: 1 },
      }),
    },
  })
}

/**
 * libp2p notes its own addresses a second after a listener opened or closed, also when all of it has stopped and the disk
 * is closed, and keeps the process alive meanwhile.
 */
function ownAddresses({ addressManager }: { readonly addressManager: object }): { quiet(): void } {
  const { _updatePeerStoreAddresses: note } = addressManager as {
    readonly _updatePeerStoreAddresses?: { stop?(): void }
  }
  return { quiet: () => note?.stop?.() }
}

/**
 * Any peer's message may add addresses to any other's entry. Signed ones and the newest are kept: poisoning an
 * entry costs its owner nothing, and the store stays bounded.
 */
function keepFewAddresses(libp2p: Pick<Node, 'peerStore' | 'peerId'>, log: Log) {
  return (event: CustomEvent<PeerUpdate>): void => {
    const { id, addresses } = event.detail.peer
    if (addresses.length <= netLimits.addressesPerPeerMax || libp2p.peerId.equals(id)) return
    const kept = [...addresses]
      .toReversed()
      .sort((a, b) => Number(b.isCertified) - Number(a.isCertified))
      .slice(0, netLimits.addressesPerPeerMax)
    libp2p.peerStore
      .patch(id, { addresses: kept })
      .catch((error: unknown) => log.warn('net.prune-failed', { peer: id.toString(), error }))
  }
}

/** The port that the failure names, with its setting; both where it names none. */
function takenWords(text: string, { host, tcp, websocket }: Config['listen']): string {
  const ports = [
    ['listen.tcp', tcp],
    ['listen.websocket', websocket],
  ] as const
  const named = ports.filter(([, port]) => new RegExp(`:${port}(?!\\d)|/${port}(?!\\d)`).test(text))
  return (named.length === 0 ? ports : named)
    .map(([setting, port]) => `${host}:${port} (${setting})`)
    .join(' or ')
}

function startError(error: unknown, listen: Config['listen']): OnehopError {
  if (error instanceof OnehopError) return error
  const text = error instanceof Error ? error.message : String(error)
  if (/EADDRINUSE/.test(text)) {
    return new OnehopError('PORT_IN_USE', `something listens on ${takenWords(text, listen)} already`, {
      cause: error,
    })
  }
  if (/EADDRNOTAVAIL|EACCES|UnsupportedListen|InvalidMultiaddr/.test(`${(error as Error).name} ${text}`)) {
    return new OnehopError(
      'BAD_CONFIG',
      `listen.host: cannot listen on ${listen.host}: ${text.slice(0, 300)}`,
      {
        cause: error,
        help: 'Choose an address that this machine has, or 0.0.0.0 for all of them, and ports above 1023.',
      },
    )
  }
  return new OnehopError('INTERNAL', 'the network did not start', { cause: error })
}
