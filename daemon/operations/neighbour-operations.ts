/** What the person at the node agrees on with others, and sees of it: who keeps mine, whose I keep. */
import { apiLimits } from '../../protocol/api/limits.ts'
import type { ReplyOf } from '../../protocol/api/operations.ts'
import { compareBytes, fromHex, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { invitationLink, parseInvitation } from '../../protocol/placement/invitation.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import { isScope } from '../../protocol/scope.ts'
import type { Store } from '../../storage/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Config } from '../config.ts'
import type { Hosted, Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Invitations } from '../agreements/invitations.ts'
import type { LeaseRenewals } from '../leases/renewals.ts'
import type { Leases } from '../leases/leases.ts'
import type { Neighbours } from '../placement/neighbours.ts'
import type { Offers } from '../agreements/offers.ts'
import type { Pacts } from '../agreements/pacts.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import type { TakenLeases } from '../leases/taken.ts'
import type { Replication } from '../replication/replication.ts'

export interface NeighbourOperationsParts {
  readonly config: Pick<Config, 'name' | 'hosting'>
  readonly rpc: Rpc
  readonly store: Store
  readonly hosting: Hosting
  readonly neighbours: Neighbours
  readonly replicaSets: ReplicaSets
  readonly replication: Pick<Replication, 'isBehind'>
  readonly pacts: Pacts
  readonly invitations: Invitations
  readonly offers: Offers
  readonly leases: Leases
  readonly taken: TakenLeases
  readonly renewals: Pick<LeaseRenewals, 'refused'>
  readonly addresses: () => readonly string[]
}

type Names =
  | 'admin.neighbours'
  | 'admin.offer.set'
  | 'admin.invite'
  | 'admin.invite.accept'
  | 'admin.invite.cancel'
  | 'admin.pact.end'
  | 'admin.leases'
  | 'admin.lease.end'

type Neighbour = ReplyOf<'admin.neighbours'>['neighbours'][number]
type Leased = ReplyOf<'admin.leases'>['leases'][number]
type Keeping = Neighbour['keeps']

const invitationMs = 7 * 86_400_000

export function neighbourOperations(parts: NeighbourOperationsParts): Pick<Operations, Names> {
  const { config, hosting, invitations, leases, offers, pacts, rpc } = parts
  return {
    async 'admin.neighbours'() {
      return {
        neighbours: listNeighbours(parts),
        offers: offers
          .list()
          .map(({ to, bytes, source }) => ({ to, bytes, source: source === 'config' ? source : 'offer' })),
        offerBytes: config.hosting.offerBytes,
        leasedBytes: hosting.leasedBytes(),
        invitations: invitations.size,
      }
    },

    async 'admin.offer.set'({ to, bytes }) {
      const isNode = fromHex(to, 32) !== undefined
      if (to !== 'anyone' && !isNode && !isScope(to))
        throw new OnehopError('BAD_REQUEST', `${JSON.stringify(to)} is nobody to offer something to`, {
          help: 'anyone, a place such as /geo/africa/ng, or the whole id of a node.',
        })
      if (bytes > config.hosting.offerBytes) throw beyondAll(bytes, config.hosting.offerBytes)
      await offers.set(to, bytes)
      return {}
    },

    async 'admin.invite'({ givesBytes, getsBytes, lifetimeS = invitationMs / 1000, label = '' }) {
      requireRoomToGive(parts, givesBytes)
      if (lifetimeS === 0) throw new OnehopError('BAD_REQUEST', 'an invitation lasts for a second at least')
      const wanted = { inviterBytes: givesBytes, invitedBytes: getsBytes, label }
      const secret = await invitations.write(wanted, lifetimeS * 1000)
      const link = invitationLink({
        node: fromHex(rpc.self, 32) as Uint8Array,
        secret,
        addresses: parts.addresses().filter((address) => !address.endsWith('/http')),
        inviterBytes: givesBytes,
        invitedBytes: getsBytes,
        name: config.name,
        lifetimeS,
      })
      return { link, lifetimeS }
    },

    async 'admin.invite.accept'({ link, label = '' }, { signal }) {
      const invitation = parseInvitation(link)
      requireRoomToGive(parts, invitation.invitedBytes, toHex(invitation.node))
      const made = await pacts.join(invitation, label, signal)
      return {
        node: invitation.node,
        label: made.label,
        givesBytes: made.givesBytes,
        getsBytes: made.getsBytes,
      }
    },

    async 'admin.invite.cancel'() {
      return { cancelled: await invitations.cancelAll() }
    },

    async 'admin.pact.end'({ node }) {
      const other = toHex(node)
      const ended = await pacts.end(other)
      const owners = leases.ledger.shardsOf(other).map((owner) => fromHex(owner, 32) as IdentityId)
      if (ended) await leases.giveNotice(owners)
      return { ended, shards: ended ? owners.length : 0 }
    },

    async 'admin.leases'({ after, limit = 100 }) {
      const all = hosting.inOrder()
      const from = after === undefined ? 0 : all.findIndex(({ owner }) => compareBytes(owner, after) > 0)
      const page = from < 0 ? [] : all.slice(from, from + limit)
      const isMore = from >= 0 && from + limit < all.length
      return {
        leases: page.map((one) => describeLeases(parts, one)),
        total: all.length,
        next: isMore ? (page.at(-1)?.owner ?? null) : null,
      }
    },

    async 'admin.lease.end'({ owners }) {
      const held = owners.filter((owner) => hosting.get(owner)?.person === false)
      await leases.giveNotice(held)
      return { ended: held.length }
    },
  }
}

/** A pact is a promise: what it gives is there, whatever else was promised. */
function requireRoomToGive(
  { config, pacts }: NeighbourOperationsParts,
  bytes: number,
  except?: NodeId,
): void {
  const promised = pacts
    .list()
    .filter(({ node }) => node !== except)
    .reduce((sum, { givesBytes }) => sum + givesBytes, 0)
  const most = config.hosting.offerBytes - promised
  if (bytes > most) throw beyondAll(bytes, Math.max(0, most))
}

function beyondAll(bytes: number, most: number): OnehopError {
  return new OnehopError(
    'NO_QUOTA',
    `${bytes} bytes are more than the ${most} that this node has left to give`,
    {
      help: 'Give less, or raise hosting.offerBytes in the config of this node.',
    },
  )
}

function listNeighbours(parts: NeighbourOperationsParts): Neighbour[] {
  const { leases, neighbours, pacts, rpc } = parts
  const mine = keptElsewhere(parts)
  const theirs = keptHere(parts)
  const nodes = new Set<NodeId>([
    ...pacts.list().map(({ node }) => node),
    ...mine.keys(),
    ...leases.ledger.given().keys(),
    ...neighbours.list().map(({ node }) => node),
  ])
  nodes.delete(rpc.self)
  const connected = new Set(rpc.connected())
  const rows = [...nodes].map((node): Neighbour => {
    const known = neighbours.get(node)
    const pact = pacts.get(node)
    return {
      node: fromHex(node, 32) as Uint8Array,
      label: pact?.label ?? '',
      region: known?.hello.region ?? null,
      connected: connected.has(node),
      awayMs: Math.floor(neighbours.awayMs(node)),
      latencyMs: known === undefined ? null : Math.round(known.latencyMs),
      pact:
        pact === undefined
          ? null
          : { givesBytes: pact.givesBytes, getsBytes: pact.getsBytes, madeMs: pact.madeMs },
      keeps: mine.get(node) ?? nothing,
      kept: theirs.get(node) ?? nothing,
      offersBytes: known?.hello.offeredBytes ?? 0,
    }
  })
  const weight = ({ pact, keeps, kept }: Neighbour): number =>
    (pact === null ? 0 : 4) + (keeps.shards > 0 ? 2 : 0) + (kept.shards > 0 ? 1 : 0)
  return rows.toSorted((a, b) => weight(b) - weight(a)).slice(0, apiLimits.neighboursMax)
}

const nothing: Keeping = { shards: 0, bytes: 0, reservedBytes: 0, behind: 0 }

/** By holder: of who lives here. */
function keptElsewhere({
  hosting,
  replicaSets,
  replication,
  taken,
  store,
  rpc,
}: NeighbourOperationsParts): Map<NodeId, Keeping> {
  const sums = new Map<NodeId, Keeping>()
  for (const { owner, person } of hosting.list()) {
    if (!person) continue
    for (const node of replicaSets.members(owner)) {
      if (node === rpc.self) continue
      add(sums, node, {
        bytes: usedBytes(store, owner),
        reservedBytes: taken.get(owner, node)?.lease.bytes ?? 0,
        behind: replication.isBehind(node, owner) ? 1 : 0,
      })
    }
  }
  return sums
}

/** By who brought them: of others. */
function keptHere({ leases, store }: NeighbourOperationsParts): Map<NodeId, Keeping> {
  const sums = new Map<NodeId, Keeping>()
  for (const [name, { home, bytes }] of leases.ledger.entries()) {
    const owner = fromHex(name, 32) as IdentityId
    add(sums, home, { bytes: usedBytes(store, owner), reservedBytes: bytes, behind: 0 })
  }
  return sums
}

function add(sums: Map<NodeId, Keeping>, node: NodeId, more: Omit<Keeping, 'shards'>): void {
  const before = sums.get(node) ?? nothing
  sums.set(node, {
    shards: before.shards + 1,
    bytes: before.bytes + more.bytes,
    reservedBytes: before.reservedBytes + more.reservedBytes,
    behind: before.behind + more.behind,
  })
}

function usedBytes(store: Store, owner: IdentityId): number {
  const shard = store.shards.get(owner)
  return (shard?.recordBytes ?? 0) + (shard?.blobBytes ?? 0)
}

function describeLeases(parts: NeighbourOperationsParts, { owner, person, label }: Hosted): Leased {
  const { leases, renewals, replicaSets, rpc, store, taken } = parts
  const lease = person ? undefined : leases.granted(owner)
  const refused = new Set(
    renewals.refused.filter((one) => toHex(one.owner) === toHex(owner)).map(({ host }) => host),
  )
  const hosts = replicaSets.members(owner).filter((node) => node !== rpc.self)
  return {
    owner,
    person,
    label: label === '' ? null : label,
    given:
      lease === undefined
        ? null
        : {
            home: lease.home,
            bytes: lease.bytes,
            usedBytes: usedBytes(store, owner),
            largestRecordBytes: lease.largestRecordBytes,
            bytesPerDay: lease.bytesPerDay,
            expiresMs: lease.expiresMs,
            notice: leases.hasNotice(owner),
          },
    taken: hosts.flatMap((host) => {
      const known = taken.get(owner, host)?.lease
      if (known === undefined) return []
      const { bytes, expiresMs } = known
      return [{ host: fromHex(host, 32) as Uint8Array, bytes, expiresMs, refused: refused.has(host) }]
    }),
  }
}
