import { compareBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Config, Setting } from '../config.ts'
import type { DenyList } from '../deny-list.ts'
import type { DeviceLabels } from '../device-labels.ts'
import type { Hosted, Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { ProvideQueue } from '../net/provide-queue.ts'
import type { Network } from '../net/rpc.ts'
import { shardKey } from '../placement/find.ts'
import type { LeaseRenewals } from '../leases/renewals.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { Audits } from '../replication/audits.ts'
import type { Replication } from '../replication/replication.ts'
import type { Search } from '../search/search.ts'
import { scopeHierarchy } from '../../protocol/scope.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { findProblems, isHealthy, type ProblemParts } from './problems.ts'

type Status = ReplyOf<'admin.status'>

export interface AdminOperationsParts {
  readonly version: string
  readonly clock: Clock
  readonly crypto: CryptoProvider
  readonly store: Store
  readonly config: Config
  readonly settings: readonly Setting[]
  readonly network: Network
  readonly denyList: DenyList
  readonly hosting: Hosting
  readonly deviceLabels: DeviceLabels
  readonly identities: Identities
  readonly replicaSets: ReplicaSets
  readonly neighbours: Neighbours
  readonly replication: Replication
  readonly audits: Pick<Audits, 'hasFailed'>
  readonly growth: ProblemParts['growth']
  readonly renewals: Pick<LeaseRenewals, 'refused'>
  readonly provides: ProvideQueue
  readonly addresses: () => readonly string[]
  readonly roles: () => readonly string[]
  readonly search: Search
  readonly counters: () => Status['counters']
  readonly freeBytes: () => Promise<number | undefined>
  readonly scrub: ProblemParts['scrub']
  readonly stop: () => void
}

type Names =
  | 'admin.status'
  | 'admin.config'
  | 'admin.devices'
  | 'admin.host.add'
  | 'admin.host.remove'
  | 'admin.host.quota'
  | 'admin.deny.set'
  | 'admin.deny.add'
  | 'admin.deny.remove'
  | 'admin.deny.list'
  | 'admin.provide'
  | 'admin.stop'

export function adminOperations(parts: AdminOperationsParts): Pick<Operations, Names> {
  const { clock, config, network, denyList, hosting, identities, neighbours, provides } = parts
  const startedMs = clock.monotonicMs()
  let summed: { readonly summary: Summary; readonly untilMs: number } | undefined
  const summary = async (): Promise<Summary> => {
    const nowMs = clock.monotonicMs()
    if (summed !== undefined && summed.untilMs > nowMs) return summed.summary
    // A node that nobody writes to would tell of a disk that has long been mended.
    const [freeBytes] = await Promise.all([parts.freeBytes(), parts.store.recheck()])
    summed = { summary: summarise(parts, freeBytes), untilMs: nowMs + summaryMs }
    return summed.summary
  }

  return {
    async 'admin.status'({ after, limit = 100, brief = false, only }) {
      const all = hosting.inOrder()
      const listed = only === undefined ? all : all.filter(({ person }) => person === (only === 'people'))
      const from = after === undefined ? 0 : listed.findIndex(({ owner }) => compareBytes(owner, after) > 0)
      const page = from < 0 ? [] : listed.slice(from, from + limit)
      const hosted = page.map((one) => describeHosted(parts, one, brief))
      const last = page.at(-1)
      const more = from >= 0 && from + limit < listed.length
      const { problems, records, bytes, freeBytes } = await summary()
      return {
        node: fromHex(network.rpc.self, 32) as Uint8Array,
        version: parts.version,
        clockMs: clock.nowMs(),
        uptimeMs: Math.floor(clock.monotonicMs() - startedMs),
        addresses: parts.addresses(),
        roles: parts.roles(),
        region: config.region,
        healthy: isHealthy(problems),
        hosted,
        hostedTotal: all.length,
        people: hosting.people,
        next: more && last !== undefined ? last.owner : null,
        peers: describePeers(neighbours, network),
        storage: {
          records,
          bytes,
          freeBytes: freeBytes ?? null,
          folder: config.state,
        },
        aggregates: describeAggregates(parts),
        outbox: { queued: parts.replication.push.waiting, oldestMs: null },
        dht: {
          peers: network.routing.size(),
          queued: provides.stats().queued,
          provided: provides.stats().provided,
        },
        problems,
        counters: parts.counters(),
      }
    },

    async 'admin.config'() {
      return { settings: [...parts.settings] }
    },

    async 'admin.devices'({ identity }) {
      const state = identities.get(identity)
      if (state === undefined)
        throw new OnehopError('UNKNOWN_IDENTITY', `this node does not know ${toHex(identity)}`, {
          help: 'Check the id. A node knows those who live at it, and others once it held or asked for what is theirs.',
        })
      const devices = [...state.devices.values()].map(({ key, role, probation, revoked }) => ({
        device: key,
        role,
        probation,
        revoked: revoked !== undefined,
        label: toHex(key) === network.rpc.self ? 'this node' : parts.deviceLabels.get(identity, key),
      }))
      return { devices: devices.slice(0, limits.identityDevicesMax * 2) }
    },

    async 'admin.host.add'({ hosts }) {
      const accepted = await Promise.allSettled(hosts.map(({ log }) => identities.accept(undefined, log)))
      const people = accepted.flatMap((result, i): Hosted[] => {
        if (result.status === 'rejected') return []
        const { quotaBytes = config.hosting.leaseBytes, label = '' } = hosts[i] as (typeof hosts)[number]
        return [{ owner: result.value.state.id, person: true, quotaBytes, expiresMs: undefined, label }]
      })
      await hosting.addMany(people)
      return {
        results: accepted.map((result) => {
          if (result.status === 'fulfilled')
            return { identity: result.value.state.id, code: null, message: null }
          const { code, message } = asOnehopError(result.reason)
          return { identity: null, code, message: message.slice(0, 1024) }
        }),
      }
    },

    async 'admin.host.remove'({ identities: owners }) {
      let removed = 0
      for (const owner of owners) if (await hosting.remove(owner)) removed++
      return { removed }
    },

    async 'admin.host.quota'({ identity, quotaBytes }) {
      await hosting.setQuota(identity, quotaBytes)
      return { usedBytes: hosting.usedBytes(identity) }
    },

    async 'admin.deny.set'({ nodes }) {
      await denyList.set(nodes.map(toHex))
      return {}
    },

    async 'admin.deny.add'({ nodes }) {
      const self = nodes.map(toHex).includes(network.rpc.self)
      if (self) throw new OnehopError('BAD_REQUEST', 'a node cannot deny itself')
      await denyList.add(nodes.map(toHex))
      return { denied: denyList.size }
    },

    async 'admin.deny.remove'({ nodes }) {
      await denyList.remove(nodes.map(toHex))
      return { denied: denyList.size }
    },

    async 'admin.deny.list'() {
      return { nodes: denyList.kept.map((node) => fromHex(node, 32) as Uint8Array) }
    },

    async 'admin.provide'({ owners }) {
      const held = owners.filter((owner) => hosting.has(owner))
      const toCome = held.filter((owner) => provides.add(shardKey(parts.crypto, owner), { urgent: true }))
      return { queued: toCome.length }
    },

    async 'admin.stop'() {
      parts.stop()
      return {}
    },
  }
}

interface Summary {
  readonly problems: Status['problems']
  readonly records: number
  readonly bytes: number
  readonly freeBytes: number | undefined
}

/** A status of thousands of shards is read in many pages: what looks at all of them is made once a second. */
const summaryMs = 1_000

function summarise(parts: AdminOperationsParts, freeBytes: number | undefined): Summary {
  const hosted = parts.hosting.inOrder()
  let records = 0
  let bytes = 0
  for (const { owner } of hosted) {
    const shard = parts.store.shards.get(owner)
    records += shard?.records ?? 0
    bytes += (shard?.recordBytes ?? 0) + (shard?.blobBytes ?? 0)
  }
  return { problems: findProblems({ ...parts, hosted, freeBytes }), records, bytes, freeBytes }
}

function describeAggregates({ config, search, clock }: AdminOperationsParts): Status['aggregates'] {
  return config.aggregate.map(({ app, scope }) => {
    const { sources, asOfMs } = search.aggregator.coverage(app, scope)
    return {
      app,
      scope,
      documents: search.aggregator.index(scopeHierarchy(scope))?.size ?? 0,
      leaves: sources,
      freshMs: Math.max(0, clock.nowMs() - asOfMs),
    }
  })
}

function describePeers(neighbours: Neighbours, network: Network): Status['peers'] {
  const connected = new Set(network.rpc.connected())
  return neighbours
    .list()
    .slice(0, apiLimits.peersPerStatusMax)
    .map(({ node, hello, latencyMs }) => ({
      node: fromHex(node, 32) as Uint8Array,
      addresses: hello.addresses,
      connected: connected.has(node),
      latencyMs: Math.round(latencyMs),
      label: hello.region,
    }))
}

function describeHosted(
  parts: AdminOperationsParts,
  hosted: Hosted,
  brief: boolean,
): Status['hosted'][number] {
  const { store, replicaSets, replication, neighbours, network } = parts
  const { owner, person, quotaBytes, label } = hosted
  const shard = store.shards.get(owner)
  const set = replicaSets.get(owner)?.newest
  const members = brief ? [] : replicaSets.members(owner)
  const replicas = members
    .filter((node) => node !== network.rpc.self)
    .map((node) => ({
      node: fromHex(node, 32) as Uint8Array,
      state: replicaState(parts, owner, node),
      lastSeenMs: Math.floor(neighbours.awayMs(node)),
    }))
  const current = replicas.filter(({ state }) => state === 'current').length
  return {
    identity: owner,
    person,
    label,
    records: shard?.records ?? 0,
    bytes: (shard?.recordBytes ?? 0) + (shard?.blobBytes ?? 0),
    quotaBytes,
    replicas,
    copies: brief ? 0 : current + (replication.isJoining(owner) ? 0 : 1),
    copiesWanted: (set?.copies ?? 0) + 1,
  }
}

function replicaState(
  parts: AdminOperationsParts,
  owner: IdentityId,
  node: string,
): 'current' | 'behind' | 'away' | 'failed' {
  if (parts.neighbours.awayMs(node) > 0) return 'away'
  if (parts.audits.hasFailed(node, owner)) return 'failed'
  return parts.replication.isBehind(node, owner) ? 'behind' : 'current'
}
