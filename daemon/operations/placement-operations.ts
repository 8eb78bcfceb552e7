import { apiLimits } from '../../protocol/api/limits.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { decodeReplicaSet, type ReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { Operations } from '../api/operations.ts'
import type { Config } from '../config.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import type { NodeId } from '../net/rpc.ts'
import type { Finder } from '../placement/find.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { Placement } from '../placement/placement.ts'
import type { Audits } from '../replication/audits.ts'
import type { Replication } from '../replication/replication.ts'
import { requireOwnersDevice } from './caller.ts'

export interface PlacementOperationsParts {
  readonly config: Config['hosting']
  readonly audits: Pick<Audits, 'proves'>
  readonly hosting: Pick<Hosting, 'leaseBytes'>
  readonly identities: Identities
  readonly finder: Finder
  readonly neighbours: Pick<Neighbours, 'get' | 'awayMs' | 'absentMs' | 'list'>
  readonly placement: Placement
  readonly replication: Pick<Replication, 'sourcesLeft'>
  readonly self: NodeId
}

type Names = 'replica-set.get' | 'placement.propose' | 'placement.guests' | 'placement.commit'

export function placementOperations(parts: PlacementOperationsParts): Pick<Operations, Names> {
  const { audits, config, hosting, identities, finder, neighbours, placement, replication, self } = parts
  return {
    async 'replica-set.get'({ owner }, { signal }) {
      const found = await finder.find(owner, signal)
      if (found === undefined)
        throw new OnehopError('NOT_FOUND', `nobody asked knows who holds ${toHex(owner)}`)
      const { members, standby } = found.chain.newest
      const heard = members.flatMap(({ node }) => {
        const name = toHex(node)
        const hello = neighbours.awayMs(name) === 0 ? neighbours.get(name)?.hello : undefined
        return hello === undefined ? [] : [{ node, addresses: hello.addresses }]
      })
      // Others do not dial them, so what they do not hear says nothing.
      const isMember = members.some(({ node }) => toHex(node) === self)
      const gone = [...members, ...standby]
        .map(({ node }) => node)
        .filter((node) => isMember && neighbours.absentMs(toHex(node)) >= config.replaceAfterMs)
      return { replicaSet: found.chain.bytes, source: found.source, heard, gone }
    },

    async 'placement.propose'(
      { owners, copies = config.copies, bytes, except = [], guests = [], guestS = 0 },
      { caller, signal },
    ) {
      for (const owner of owners) requireOwnersDevice(identities, caller, owner)
      // Who lives elsewhere as well has a set there: one that starts over would not win against it.
      const elsewhere = owners.filter((owner) => mayLiveElsewhere(identities.get(owner), self))
      await Promise.all(elsewhere.map((owner) => finder.find(owner, signal)))
      const sourcesOf = (owner: IdentityId): readonly NodeId[] => replication.sourcesLeft(owner)
      const visits = { guests, guestMs: guestS * 1_000 }
      const proves = (node: NodeId, owner: IdentityId): Promise<boolean> => audits.proves(node, owner, signal)
      const wanted = { copies, bytes, except, sourcesOf, proves, ...visits }
      const proposals = await placement.propose(owners, wanted, signal)
      for (const { owner, unsigned } of proposals)
        requireSources(decodeReplicaSet(unsigned), sourcesOf(owner), except)
      return { proposals }
    },

    async 'placement.guests'({ owner }, { caller }) {
      requireOwnersDevice(identities, caller, owner)
      const leastBytes = hosting.leaseBytes(owner, config)
      const willing = neighbours
        .list()
        .filter(({ node, hello }) => neighbours.awayMs(node) === 0 && hello.offeredBytes >= leastBytes)
      return {
        nodes: willing.slice(0, apiLimits.peersPerStatusMax).map(({ node, hello }) => ({
          node: fromHex(node, 32) as Uint8Array,
          addresses: hello.addresses,
          region: hello.region,
          offersBytes: hello.offeredBytes,
        })),
      }
    },

    async 'placement.commit'({ replicaSets }) {
      const results = await Promise.allSettled(replicaSets.map((packed) => placement.commit(packed)))
      return {
        results: results.map((result) => {
          if (result.status === 'rejected') {
            const { code, message } = asOnehopError(result.reason)
            return { hash: null, members: [], code, message: message.slice(0, 1024) }
          }
          const { hash, members } = result.value.newest
          return { hash, members: members.map(({ node }) => node), code: null, message: null }
        }),
      }
    },
  }
}

/**
 * Throws LAGGING where a new home would put out whom it waits for: newcomers are as empty as it is. Not where the owner names
 * them, as a box that burnt.
 */
function requireSources(
  { owner, members }: ReplicaSet,
  sources: readonly NodeId[],
  except: readonly Uint8Array[] = [],
): void {
  const kept = new Set([...members.map(({ node }) => toHex(node)), ...except.map(toHex)])
  if (sources.every((node) => kept.has(node))) return
  throw new OnehopError(
    'LAGGING',
    `the records of ${toHex(owner).slice(0, 12)} are still on their way from other nodes`,
    {
      help: 'Wait until onehop status shows the copies as current. A box that is gone for good: onehop node revoke NODE.',
    },
  )
}

/** A person who let in another node; a group that has been changed. Whoever is new is looked for nowhere. */
function mayLiveElsewhere(state: IdentityState | undefined, self: NodeId): boolean {
  if (state === undefined) return false
  if (state.type === 'group') return state.entries.length > 1
  return [...state.devices.values()].some(({ role, key }) => role === 'node' && toHex(key) !== self)
}
