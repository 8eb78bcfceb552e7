import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { isErrorCode, OnehopError } from '../protocol/errors.ts'
import { verifyLease } from '../protocol/placement/lease.ts'
import {
  decodeReplicaSet,
  epochMax,
  packReplicaSet,
  signReplicaSet,
} from '../protocol/placement/replica-set.ts'
import type { ReplicaSet } from '../protocol/placement/replica-set.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { systemClock } from './clock.ts'
import type { Identity } from './identity/identity.ts'
import { deviceShutOut, nodeShutOut } from './identity/revoked-key.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface PlaceOptions extends CallOptions {
  /** A group that this person owns; their own shard when not given. */
  readonly owner?: IdentityId | undefined
  /** Beside the home node; what the node's config says when not given. */
  readonly copies?: number | undefined
  readonly bytes?: number | undefined
  /** Nodes that get no seat, and keep none: one that was stolen. */
  readonly except?: readonly Uint8Array[] | undefined
  /** Nodes that get a copy beside the others for a while. */
  readonly guest?: { readonly nodes: readonly Uint8Array[]; readonly forS: number } | undefined
}

export interface Placed {
  /** The keys of the nodes that hold the shard from now on, the home first. */
  readonly members: readonly Uint8Array[]
}

/** Sends what nodes need before they take records of this identity. `transport` speaks for the identity. */
export async function publish(
  transport: Pick<Transport, 'call'>,
  identity: Identity,
  schemas: readonly Schema[],
  options: CallOptions = {},
): Promise<void> {
  await transport.call('identity.append', { identity: identity.id, log: identity.log() }, options)
  for (const schema of schemas) await transport.call('schema.put', { schema: schema.bytes }, options)
}

/** What a node proposes, with the promises of all whom it seats. */
export interface Proposed {
  readonly set: ReplicaSet
  /** For a device of the owner to sign. */
  readonly unsigned: Uint8Array
}

/** Has the node choose holders, checks what it proposes, signs it by this owner's device and hands it back. */
export async function placeShard(
  transport: Pick<Transport, 'call'>,
  identity: Identity,
  crypto: CryptoProvider,
  options: PlaceOptions = {},
): Promise<Placed> {
  const proposed = await proposeSet(transport, identity, crypto, options)
  return commitSet(transport, identity, crypto, proposed, options)
}

export async function proposeSet(
  transport: Pick<Transport, 'call'>,
  identity: Identity,
  crypto: CryptoProvider,
  options: PlaceOptions = {},
): Promise<Proposed> {
  const { copies, bytes, except, guest, owner = identity.id, ...callOptions } = options
  if (identity.role === undefined) throw deviceShutOut()
  if (identity.role !== 'owner') {
    throw new OnehopError('FORBIDDEN', "only an owner's device says which nodes hold a shard")
  }
  const { proposals } = await transport.call(
    'placement.propose',
    {
      owners: [owner],
      ...(copies === undefined ? {} : { copies }),
      ...(bytes === undefined ? {} : { bytes }),
      ...(except === undefined ? {} : { except: [...except] }),
      ...(guest === undefined ? {} : { guests: [...guest.nodes], guestS: guest.forS }),
    },
    callOptions,
  )
  const proposal = proposals.find((one) => equalBytes(one.owner, owner))
  if (proposal === undefined) throw new OnehopError('BAD_MESSAGE', 'the node proposed nothing for this shard')
  const set = decodeReplicaSet(proposal.unsigned)
  checkProposal(crypto, set, owner, proposal.leases, except)
  return { set, unsigned: proposal.unsigned }
}

export async function commitSet(
  transport: Pick<Transport, 'call'>,
  identity: Identity,
  crypto: CryptoProvider,
  { set, unsigned }: Proposed,
  { signal, timeoutMs }: CallOptions = {},
): Promise<Placed> {
  const signed = packReplicaSet(unsigned, [signReplicaSet(crypto, unsigned, identity.device.seed)])
  const options = { signal, timeoutMs }
  const { results } = await transport.call('placement.commit', { replicaSets: [signed] }, options)
  const [result] = results
  if (result === undefined || result.hash === null) {
    const code = isErrorCode(result?.code) ? result.code : 'INTERNAL'
    throw new OnehopError(code, result?.message ?? 'the node did not take the replica set')
  }
  return { members: set.members.map(({ node }) => node) }
}

/** An owner signs nothing that the holders have not promised. */
function checkProposal(
  crypto: CryptoProvider,
  set: ReplicaSet,
  owner: IdentityId,
  packedLeases: readonly Uint8Array[],
  except: readonly Uint8Array[] = [],
): void {
  if (!equalBytes(set.owner, owner) || !equalBytes(set.shard, owner) || set.step !== 0)
    throw new OnehopError('BAD_MESSAGE', 'the node proposed a replica set for another shard')
  if (set.epoch > epochMax(systemClock.nowMs()))
    throw new OnehopError('BAD_MESSAGE', 'the node proposed a set after which there would be no other')
  const barred = [...set.members, ...set.standby].find(({ node }) =>
    except.some((one) => equalBytes(one, node)),
  )
  if (barred?.role === 'home') throw nodeShutOut()
  if (barred !== undefined)
    throw new OnehopError('BAD_MESSAGE', `the node names ${toHex(barred.node)}, which was to have no seat`)
  const promised = new Set<string>()
  for (const packed of packedLeases) {
    const lease = verifyLease(crypto, packed)
    if (lease === undefined) throw new OnehopError('BAD_SIGNATURE', 'a lease was not signed by its host')
    if (equalBytes(lease.owner, owner) && equalBytes(lease.shard, set.shard)) promised.add(toHex(lease.host))
  }
  const without = set.members.find(({ node, role }) => role !== 'home' && !promised.has(toHex(node)))
  if (without !== undefined)
    throw new OnehopError('BAD_MESSAGE', `the node seats ${toHex(without.node)}, which promised nothing`)
}
