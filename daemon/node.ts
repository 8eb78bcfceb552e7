import { fromHex, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { deviceFromSeed, provePossession } from '../protocol/identity/make.ts'
import type { Hello } from '../protocol/placement/messages.ts'
import type { Clock, Log, Random } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { BlobStore, Store } from '../storage/types.ts'
import { AppTokens } from './api/app-tokens.ts'
import { createDispatch, type Dispatch } from './api/dispatch.ts'
import { LeaveChanges } from './api/leave.ts'
import { createNodeInfo } from './api/node-info.ts'
import type { Operations } from './api/operations.ts'
import { createAdmission } from './api/admission.ts'
import { createSessions, type Sessions } from './api/sessions.ts'
import { createSignedRequests, type SignedRequests } from './api/signed-requests.ts'
import { serveApiStreams } from './api/stream.ts'
import type { Config, Setting } from './config.ts'
import type { VerifiesAhead } from './crypto/second-thread.ts'
import { Hosting } from './hosting.ts'
import { Identities } from './identities.ts'
import { Ingest } from './ingest.ts'
import { Live } from './live/live.ts'
import { createProvideQueue, type ProvideQueue } from './net/provide-queue.ts'
import type { Network, NodeId } from './net/rpc.ts'
import { DenyList } from './deny-list.ts'
import { DeviceLabels } from './device-labels.ts'
import { adminOperations } from './operations/admin-operations.ts'
import { blobOperations } from './operations/blob-operations.ts'
import { Uploads } from './operations/uploads.ts'
import { groupOperations } from './operations/group-operations.ts'
import { identityOperations } from './operations/identity-operations.ts'
import { neighbourOperations } from './operations/neighbour-operations.ts'
import { numberOperations } from './operations/number-operations.ts'
import { placementOperations } from './operations/placement-operations.ts'
import { recordOperations } from './operations/record-operations.ts'
import { tokenOperations } from './operations/token-operations.ts'
import { createPairing, type Pairing } from './pairing/pairing.ts'
import { Absences } from './placement/absences.ts'
import { Finder, shardKey } from './placement/find.ts'
import { Invitations } from './agreements/invitations.ts'
import { LeaseEnds } from './leases/ends.ts'
import { LeaseGrowth } from './leases/growth.ts'
import { LeaseRenewals } from './leases/renewals.ts'
import { Leases } from './leases/leases.ts'
import { Neighbours } from './placement/neighbours.ts'
import { Offers } from './agreements/offers.ts'
import { Pacts, type Agreement } from './agreements/pacts.ts'
import { Placement } from './placement/placement.ts'
import { Recoveries } from './placement/recoveries.ts'
import { Repair } from './placement/repair.ts'
import { ReplicaSets } from './placement/replica-sets.ts'
import { TakenLeases } from './leases/taken.ts'
import { Audits } from './replication/audits.ts'
import { BlobCopies } from './replication/blob-copies.ts'
import { BlobLists } from './replication/blob-lists.ts'
import { Digests } from './replication/digests.ts'
import { FileAudits } from './replication/file-audits.ts'
import { HandOver } from './replication/hand-over.ts'
import { Replication } from './replication/replication.ts'
import { Revocations } from './replication/revocations.ts'
import { RevokedDevices } from './revoked-devices.ts'
import { Schemas } from './schemas.ts'
import type { Scrub } from './damage/scrub.ts'
import { Search } from './search/search.ts'
import { Streams } from './streams/streams.ts'
import { LooseFiles } from './sweep/loose-files.ts'
import { Sweep } from './sweep/sweep.ts'
import { Tasks } from './tasks.ts'
import { countingRpc } from './views/asked-nodes.ts'
import { readOperations } from './views/read-operations.ts'
import { Views } from './views/views.ts'
import { WriteRates } from './write-rates.ts'

/** The outside world: real ones from start.ts, virtual ones from the simulator. */
export interface NodePorts {
  readonly config: Config
  readonly settings?: readonly Setting[]
  readonly version: string
  /** Ed25519 seed of the node. */
  readonly seed: Uint8Array
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  readonly crypto: CryptoProvider
  /** Owned by the node from here on: closed with it. */
  readonly store: Store
  readonly blobs: BlobStore
  readonly network: Network
  readonly freeBytes?: () => Promise<number | undefined>
  /** Of a database on a disk, which may rot. */
  readonly scrub?: Pick<Scrub, 'run' | 'damaged'>
  /** A second thread that verifies beside this one. Owned by whoever hands it in. */
  readonly ahead?: Pick<VerifiesAhead, 'verify' | 'isRunning' | 'isFree'> | undefined
  /** How long provider records last in the DHT. */
  readonly providerValidityMs: number
}

export interface Node extends AsyncDisposable {
  readonly id: NodeId
  readonly dispatch: Dispatch
  readonly leave: LeaveChanges
  readonly sessions: Sessions
  readonly signedRequests: SignedRequests
  readonly appTokens: AppTokens
  /** Where the API and the pages answer: part of what the node says of itself from now on. */
  announceHttp(addresses: readonly string[], page: string): void
  /** Aborts when somebody asked the node to stop. */
  readonly stopped: AbortSignal
  /** In reverse of the opening; leaves no timer, socket or listener. */
  close(): Promise<void>
}

/**
 * Composes the node. From the disk up: what it knows (identities, schemas, hosted shards), the one way in for
 * records (ingest), who is around and who holds what (placement), keeping copies equal (replication), carrying
 * posts (streams), answering pages (views) and searches (search), and on top the API that phones and apps call.
 * Parts know each other only by what is handed in here.
 */
export async function createNode(ports: NodePorts): Promise<Node> {
  const { config, clock, random, log, crypto, store, blobs, network, seed } = ports
  const { routing } = network
  const rpc = countingRpc(network.rpc)
  const self = deviceFromSeed(crypto, seed)
  const tasks = new Tasks({ clock, log })
  const stopping = new AbortController()
  let http: { addresses: readonly string[]; page: string } = { addresses: [], page: '' }

  // What it knows.
  const identities = new Identities(store, crypto, clock)
  await identities.load()
  const schemas = new Schemas(store)
  const hosting = await Hosting.open(store)
  const rates = new WriteRates(clock, hosting, config.hosting.leaseBytesPerDay)
  const ingest = new Ingest({ crypto, clock, store, identities, schemas, hosting, rates, ahead: ports.ahead })

  // Who is around, and who holds what.
  const roles = (): string[] => [
    ...(hosting.size > 0 ? ['host'] : []),
    ...(config.aggregate.length > 0 ? ['aggregate'] : []),
    ...(config.network.relay ? ['relay'] : []),
  ]
  const addresses = (): string[] => [...network.addresses(), ...http.addresses].slice(0, 8)
  const describe = (): Omit<Hello, 'offeredBytes'> => ({
    region: config.region,
    operator: config.operator === '' ? rpc.self : config.operator,
    addresses: addresses(),
    roles: roles(),
    clockMs: clock.nowMs(),
  })
  const base = { rpc, routing, crypto, clock, log, store, identities, hosting, seed, config: config.hosting }
  const invitations = await Invitations.open({ store, clock, crypto, random })
  const pacts = await Pacts.open({ ...base, name: config.name, invitations })
  const offers = await Offers.open(store, config.hosting, pacts)
  const taken = new TakenLeases(store, clock)
  const leases = await Leases.open({
    ...base,
    ...{ offers, pacts, taken },
    regionOf: (node) => neighbours.get(node)?.hello.region,
    isHolder: (owner, node) => replicaSets.members(owner).includes(node),
  })
  const absences = await Absences.open(base)
  const neighbours: Neighbours = new Neighbours({
    ...base,
    absences,
    heartbeatMs: config.hosting.heartbeatMs,
    suspectAfterMs: config.hosting.suspectAfterMs,
    describe: (to) => ({ ...describe(), offeredBytes: leases.offeredBytes(to) }),
    isTrusted: (node) => pacts.get(node) !== undefined,
    isDistrusted: (node) => audits.isDistrusted(node),
  })
  const meet = ({ node, addresses: at }: Agreement): void => {
    routing.learn({ node, addresses: at }).catch((error: unknown) => {
      log.debug('pact.address', { node, error: String(error) })
    })
    neighbours.watch(node)
  }
  for (const agreement of pacts.list()) meet(agreement)
  pacts.onMade((agreement) => {
    meet(agreement)
    void neighbours.greet(agreement.node, tasks.signal) // it offers more from now on
    const owners = leases.ledger.shardsOf(agreement.node).map((owner) => fromHex(owner) as IdentityId)
    leases.takeBackNotice(owners).catch((error: unknown) => log.warn('pact.notice', { error: String(error) }))
  })
  const denyList = await DenyList.open(store, network)
  const revokedDevices = new RevokedDevices({ identities, hosting, denyList, log })
  const replicaSets = new ReplicaSets(store, crypto, identities, clock)
  const finder = new Finder({ ...base, replicaSets, signal: tasks.signal })
  const recoveries = await Recoveries.open({ ...base, replicaSets, signal: tasks.signal })
  const placement = new Placement({ ...base, replicaSets, neighbours, leases, taken, describe })
  const leaseParts = { ...base, replicaSets, neighbours, placement, leases, taken }
  const renewals = new LeaseRenewals(leaseParts)
  const growth = new LeaseGrowth(leaseParts)
  const provides = createProvideQueue({
    routing,
    clock,
    random,
    log,
    perS: config.network.providesPerS,
    validityMs: ports.providerValidityMs,
  })
  const announce = (owner: IdentityId): void => {
    provides.add(shardKey(crypto, owner))
    for (const key of recoveries.lookupKeys(owner)) provides.add(key)
  }

  // Equal copies.
  const replication = new Replication({
    ...base,
    ingest,
    schemas,
    replicaSets,
    placement,
    neighbours,
    // A box that lost what it had promised does not let itself be told of its seat: it promises anew first.
    onNotHeld: (host, owner) => renewals.lost(owner, host),
    onComplete(owner) {
      announce(owner)
      revocations.look(owner)
    },
  })
  const blobCopies = new BlobCopies({
    ...base,
    blobs,
    holders: replication.holders,
    wasAsked: (owner, node) => taken.get(owner, node) !== undefined,
  })
  const audits: Audits = await Audits.open({
    ...base,
    random,
    holders: replication.holders,
    neighbours,
    digests: new Digests(store, crypto),
    replication,
    files: new FileAudits({ ...base, random, blobs, holders: replication.holders, copies: blobCopies }),
  })
  const repair = new Repair({
    ...base,
    replicaSets,
    neighbours,
    leases,
    distribution: placement.distribution,
    audits,
  })
  const handOver = new HandOver({
    ...base,
    ...{ replicaSets, neighbours },
    heartbeatMs: config.hosting.heartbeatMs,
    announceTo: (node, owner) => placement.distribution.announceTo(node, owner),
    filesOf: blobCopies.wholeOf.bind(blobCopies),
  })
  const leaseEnds = new LeaseEnds({
    ...base,
    ...{ replicaSets, neighbours, leases },
    isHandedOver: (owner) => handOver.isDone(owner),
    isBehind: (node, owner) => replication.isBehind(node, owner),
    proves: audits.proves.bind(audits),
  })
  const revocations = new Revocations({ ...base, ingest, holders: replication.holders })
  const blobLists = new BlobLists({ ...base, replicaSets, holders: replication.holders, copies: blobCopies })
  const looseFiles = new LooseFiles({ clock, log, store, ingest, copies: blobCopies })
  const sweep = new Sweep({ clock, log, store, neighbours, files: looseFiles })
  const uploads = new Uploads({ clock, log, blobs, hosting, copies: blobCopies })

  // Posts of others, and pages.
  const streams = await Streams.open({
    ...base,
    ingest,
    schemas,
    finder,
    replicaSets,
    placement,
    neighbours,
  })
  const views = new Views({ clock, store, hosting, schemas, ingest, streams })
  const live = new Live({ self: rpc.self, clock, store, hosting, identities, ingest, streams, views })

  // Searches.
  const search = await Search.open({
    ...base,
    provideQueue: provides,
    random,
    schemas,
    ingest,
    leads: (owner) => placement.leads(owner),
    leadChanges: () => placement.changes,
    aggregate: config.aggregate,
    config: config.search,
    heartbeatMs: config.hosting.heartbeatMs,
    suspectAfterMs: config.hosting.suspectAfterMs,
    nodeSeed: seed,
    addresses,
  })

  // Phones and apps.
  const { admit, admitOwner } = createAdmission({ hosting, identities })
  const sessions = createSessions({ crypto, clock, random, node: self.key, admit })
  const signedRequests = createSignedRequests({ crypto, clock, node: self.key, admit })
  const appTokens = await AppTokens.open({ crypto, clock, random, store, node: self.key, admitOwner })
  const deviceLabels = new DeviceLabels(store)
  const pairing = createPairing({
    network,
    crypto,
    clock,
    random,
    log,
    node: self.key,
    box: self.boxKey,
    prove: (identity) => provePossession(crypto, identity, self, 'node'),
    lives: (identity) =>
      identity === undefined ? hosting.people > 0 : hosting.get(identity)?.person === true,
    page: () => http.page,
    addresses: () => browserAddresses(network.addresses()),
    async host({ log: identityLog, state, label, quotaBytes = config.hosting.leaseBytes }) {
      await identities.accept(state.id, identityLog)
      await hosting.add({ owner: state.id, person: true, quotaBytes, expiresMs: undefined, label })
    },
    keepLabel: (identity, device, label) => deviceLabels.keep(identity, device, label),
    async append(identity, entries) {
      await identities.accept(identity, entries)
      return identities.log(identity) as Uint8Array
    },
  })

  const operations: Partial<Operations> = {
    ...createNodeInfo({
      node: self.key,
      version: ports.version,
      roles,
      region: config.region,
      clock,
      addresses,
    }),
    ...sessions.operations,
    ...tokenOperations({ tokens: appTokens, identities }),
    ...pairing.operations,
    ...numberOperations({ store, identities, hosting }),
    ...groupOperations({ identities, hosting }),
    'admin.prove': async ({ identity }) => ({
      node: self.key,
      box: self.boxKey,
      possession: provePossession(crypto, identity, self, 'node'),
    }),
    ...identityOperations({
      config: config.hosting,
      identities,
      hosting,
      schemas,
      finder,
      recoveries,
      search,
      isAlone: () => network.rpc.connected().length === 0,
    }),
    ...recordOperations({ clock, identities, ingest, replication }),
    ...search.operations,
    ...readOperations({
      ...{ clock, store, hosting, identities, schemas, streams, views, live },
      isAwaiting: (owner) => replication.isAwaiting(owner),
    }),
    ...blobOperations({ crypto, clock, blobs, hosting, identities, copies: blobCopies, uploads }),
    ...placementOperations({
      config: config.hosting,
      ...{ audits, hosting, identities, finder, neighbours, placement, replication },
      self: rpc.self,
    }),
    ...neighbourOperations({
      ...base,
      ...{
        config,
        neighbours,
        replicaSets,
        replication,
        pacts,
        invitations,
        offers,
        leases,
        taken,
        renewals,
      },
      addresses,
    }),
    ...adminOperations({
      ...base,
      version: ports.version,
      config,
      settings: ports.settings ?? [],
      deviceLabels,
      network,
      denyList,
      replicaSets,
      neighbours,
      replication,
      audits,
      growth,
      renewals,
      provides,
      addresses,
      roles,
      search,
      counters: () => dispatch.counters(),
      freeBytes: ports.freeBytes ?? (async () => undefined),
      scrub: ports.scrub,
      stop: () => stopping.abort(),
    }),
  }
  const dispatch = createDispatch(operations, log, schemas)
  const leave = new LeaveChanges()
  serveApiStreams(network, dispatch, sessions, leave)
  appTokens.onRevoked((owner) => leave.tell(owner))

  identities.onGrown((state) => {
    leave.tell(state.id)
    // Of a group: whoever was put out has no session here any more.
    for (const person of state.formerMembers.keys()) leave.tell(fromHex(person) as IdentityId)
    const chain = hosting.has(state.id) ? replicaSets.get(state.id) : undefined
    if (chain === undefined) return
    placement.distribution.announce(chain)
    // Followers' nodes hold records too: of a revoked device those after the last that counts go there as here.
    for (const node of streams.servingNodes(state.id)) placement.distribution.announceTo(node, state.id)
    // It may name new recovery words.
    if (!replication.isJoining(state.id)) announce(state.id)
  })
  replicaSets.onChanged(({ newest }) => {
    const isHome = newest.members[0] !== undefined && toHex(newest.members[0].node) === rpc.self
    // Whoever is still joining announces itself once it has everything, whatever seat it was given meanwhile.
    if (isHome && hosting.has(newest.owner) && !replication.isJoining(newest.owner)) announce(newest.owner)
  })
  for (const { owner } of hosting.list()) {
    if (replicaSets.get(owner) !== undefined && !replication.isJoining(owner)) announce(owner)
  }

  const loops = {
    'revoked-devices': revokedDevices,
    neighbours,
    absences,
    distribution: placement.distribution,
    replication,
    revocations,
    blobs: blobCopies,
    'blob-lists': blobLists,
    sweep,
    uploads,
    streams,
    search,
    repair,
    audits,
    'lease-growth': growth,
    'lease-renewals': renewals,
    'lease-ends': leaseEnds,
    ...(ports.scrub && { scrub: ports.scrub }),
    'hand-over': handOver,
  }
  for (const [name, loop] of Object.entries(loops)) tasks.start(name, (signal) => loop.run(signal))

  const close = (): Promise<void> => closeAll(pairing, provides, tasks, network, blobs, store)
  return {
    id: rpc.self,
    dispatch,
    leave,
    sessions,
    signedRequests,
    appTokens,
    stopped: stopping.signal,
    announceHttp(httpAddresses, page) {
      http = { addresses: httpAddresses, page }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

async function closeAll(
  pairing: Pairing,
  provides: ProvideQueue,
  tasks: Tasks,
  network: Network,
  blobs: BlobStore,
  store: Store,
): Promise<void> {
  pairing.close()
  await provides[Symbol.asyncDispose]()
  await tasks.stop()
  await network[Symbol.asyncDispose]()
  await blobs.close()
  await store.close()
}

/** What a page can dial: WebSocket first, and those only. */
function browserAddresses(addresses: readonly string[]): string[] {
  return addresses.filter((address) => address.endsWith('/ws') || address.endsWith('/wss'))
}
