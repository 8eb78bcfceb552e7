/** Which nodes hold what is a person's: their own shard, and those of groups that they own and that live here. */
import type { Identity } from '../client/identity/identity.ts'
import { placeShard } from '../client/placement.ts'
import { equalBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { unpackChain } from '../protocol/placement/chain.ts'
import type { ReplicaSet } from '../protocol/placement/replica-set.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Context } from './command.ts'
import type { Daemon } from './daemon.ts'

export interface Shard {
  readonly owner: IdentityId
  readonly set: ReplicaSet | undefined
}

export async function ownShards(context: Context, { call }: Daemon, self: IdentityId): Promise<Shard[]> {
  const { signal } = context
  const { groups } = await call('identity.groups', { owner: self }, { signal })
  const owned = groups.filter(({ role, held }) => role === 'owner' && held).map(({ group }) => group)
  return Promise.all(
    [self, ...owned].map(async (owner) => ({ owner, set: await newestSet(context, { call }, owner) })),
  )
}

/** Undefined where nobody but the node holds it. */
export async function newestSet(
  context: Context,
  { call }: Pick<Daemon, 'call'>,
  owner: IdentityId,
): Promise<ReplicaSet | undefined> {
  try {
    const { replicaSet } = await call('replica-set.get', { owner }, { signal: context.signal })
    return unpackChain(await context.crypto(), replicaSet).newest
  } catch (error) {
    if (error instanceof OnehopError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}

export interface Placed {
  readonly owner: IdentityId
  readonly members: number
}

/** Others get copies in their place, and the node here speaks with them no more. */
export async function takeSeats(
  context: Context,
  { call }: Daemon,
  identity: Identity,
  nodes: readonly Uint8Array[],
  shards: readonly Shard[],
): Promise<Placed[]> {
  const { signal } = context
  const crypto = await context.crypto()
  const placed: Placed[] = []
  for (const { owner, set } of shards) {
    if (set === undefined || !nodes.some((node) => isNamed(set, node))) continue
    const options = { owner, except: nodes, copies: set.copies, signal }
    const { members } = await placeShard({ call }, identity, crypto, options)
    placed.push({ owner, members: members.length })
  }
  await call('admin.deny.add', { nodes: [...nodes] }, { signal })
  return placed
}

function isNamed({ members, standby }: ReplicaSet, node: Uint8Array): boolean {
  return [...members, ...standby].some((seat) => equalBytes(seat.node, node))
}
