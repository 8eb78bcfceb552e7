import { Hosting } from '../../daemon/hosting.ts'
import { Identities } from '../../daemon/identities.ts'
import { Ingest } from '../../daemon/ingest.ts'
import { createMemoryNetwork, memoryNodeId } from '../../daemon/net/rpc-memory.ts'
import type { NodeId } from '../../daemon/net/rpc.ts'
import { ReplicaSets } from '../../daemon/placement/replica-sets.ts'
import { Digests } from '../../daemon/replication/digests.ts'
import { Holders } from '../../daemon/replication/holders.ts'
import { Receipts } from '../../daemon/replication/receipts.ts'
import { Reconcile } from '../../daemon/replication/reconcile.ts'
import { Revocations } from '../../daemon/replication/revocations.ts'
import { Schemas } from '../../daemon/schemas.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { decodePush, encodeReceipts } from '../../protocol/replication/messages.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Kv } from '../../storage/kv.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { silentLog } from './api-node.ts'
import { createSeededRandom } from './seeded-random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

export type Replica = Awaited<ReturnType<typeof openReplica>>

/** Who holds the shard is given here, not signed; all else of a node that decides about records is the real one. */
class Seats extends ReplicaSets {
  readonly #nodes: readonly NodeId[]

  constructor(nodes: readonly NodeId[], ...parts: ConstructorParameters<typeof ReplicaSets>) {
    super(...parts)
    this.#nodes = nodes
  }

  override members(): readonly NodeId[] {
    return this.#nodes
  }
}

/** Holders of one person's shard, who know the person's log: ingest, revocations, comparison and store of a node each. */
export async function openReplicas(
  count: number,
  { crypto, owner, log, openKv }: ReplicasOptions,
): Promise<Replicas> {
  const clock = createVirtualClock()
  const network = createMemoryNetwork({ clock, random: createSeededRandom(1) })
  const nodes = Array.from({ length: count }, (_, i) => memoryNodeId(i + 1))
  const closing = new AbortController()
  const all: Replica[] = []
  for (const node of nodes) {
    const kv = (await openKv?.()) ?? new MemoryKv()
    all.push(await openReplica({ crypto, clock, owner, log, kv, nodes, place: network.join(node) }))
  }
  const running = all.map((replica) => replica.revocations.run(closing.signal))
  return {
    all,
    clock,
    async wait(promise) {
      let isDone = false
      const mark = (): void => void (isDone = true)
      promise.then(mark, mark)
      while (!isDone) await clock.advance(0)
      return promise
    },
    async [Symbol.asyncDispose]() {
      closing.abort()
      await Promise.all(running)
      for (const { store } of all) await store.close()
    },
  }
}

export interface ReplicasOptions {
  readonly crypto: CryptoProvider
  readonly owner: IdentityId
  /** The person's, before what is to come. */
  readonly log: Uint8Array
  /** In memory when not given. */
  readonly openKv?: () => Promise<Kv>
}

export interface Replicas extends AsyncDisposable {
  readonly all: readonly Replica[]
  readonly clock: VirtualClock
  /** What comes of it without time passing. */
  wait<T>(promise: Promise<T>): Promise<T>
}

async function openReplica({
  crypto,
  clock,
  owner,
  log: identityLog,
  kv,
  nodes,
  place,
}: Omit<ReplicasOptions, 'openKv'> & {
  readonly clock: VirtualClock
  readonly kv: Kv
  readonly nodes: readonly NodeId[]
  readonly place: ReturnType<ReturnType<typeof createMemoryNetwork>['join']>
}) {
  const { rpc } = place
  const store = await openStore(kv, { clock })
  const identities = new Identities(store, crypto, clock)
  const schemas = new Schemas(store)
  const hosting = await Hosting.open(store)
  const ingest = new Ingest({ crypto, clock, store, identities, schemas, hosting })
  await identities.accept(owner, identityLog)
  await hosting.add({ owner, person: true, quotaBytes: 2 ** 30, expiresMs: undefined, label: '' })
  const replicaSets = new Seats(nodes, store, crypto, identities, clock)
  const holders = new Holders(rpc.self, hosting, replicaSets)
  const digests = new Digests(store, crypto)
  const base = { rpc, crypto, clock, log: silentLog, store, identities, ingest, hosting, holders }
  const nothing = (): void => {}
  const reconcile = new Reconcile({
    ...base,
    config: { reconcileEveryMs: 20_000 },
    replicaSets,
    digests,
    receipts: new Receipts(clock),
    announceTo: nothing,
    answer: nothing,
    isComing: () => false,
    isFilling: () => false,
    snapshots: {
      fetch: async () => 0,
      isComing: () => false,
      isWithheld: () => false,
      complete: async () => 0,
    },
    onEqual: nothing,
    positionOf: () => undefined,
  })
  rpc.handle('shard/push', async ({ from, body }) => {
    const outcomes = await ingest.accept(decodePush(body), { from: 'peer', node: from })
    return encodeReceipts(outcomes.map(({ outcome }) => (outcome === 'refused' ? 'never' : 'held')))
  })
  const revocations = new Revocations(base)
  return { node: rpc.self, store, identities, ingest, digests, reconcile, revocations }
}
