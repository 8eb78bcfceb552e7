/** Who holds a person's shard: looked up at any node, and judged by the owner's identity log alone. */
import type { ReplyOf } from '../protocol/api/operations.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { IdentityState, People } from '../protocol/identity/types.ts'
import { checkChain, unpackChain } from '../protocol/placement/chain.ts'
import type { ReplicaSetChain } from '../protocol/placement/chain.ts'
import { mayPlace } from '../protocol/placement/may-place.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import { addressUrl } from './address.ts'
import type { Identities } from './identity/identities.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import type { Racer } from './race.ts'
import type { CallOptions, Transport } from './transport.ts'

export interface LookUpOptions {
  readonly owner: IdentityId
  readonly crypto: CryptoProvider
  /** Any node: it can say nothing false, only nothing. */
  readonly transport: Transport
  readonly identities: (transport: Transport) => Pick<Identities, 'get' | 'refresh' | 'known'>
}

export interface FoundReplicaSet {
  readonly chain: ReplicaSetChain
  /** Where the node hears the members now. */
  readonly heard: ReplyOf<'replica-set.get'>['heard']
}

/** Undefined when nobody placed the shard yet: then the node that was asked is as near as it gets. */
export async function lookUpReplicaSet(
  { owner, crypto, transport, identities: identitiesOf }: LookUpOptions,
  options: CallOptions,
): Promise<FoundReplicaSet | undefined> {
  try {
    const { replicaSet, heard } = await transport.call('replica-set.get', { owner }, options)
    const chain = unpackChain(crypto, replicaSet)
    const identities = identitiesOf(transport)
    const people: People = (id) => identities.known(id)
    const problemBy = (state: IdentityState): string | undefined =>
      checkChain(crypto, chain, owner, (key) => mayPlace(state, key, people))
    const problem = problemBy(await identities.get(owner, options))
    // A device admitted since may have signed it.
    if (problem !== undefined) {
      const again = problemBy(await identities.refresh(owner, options))
      if (again !== undefined)
        throw new OnehopError('BAD_SIGNATURE', `the replica set does not stand: ${again}`)
    }
    return { chain, heard }
  } catch (cause) {
    const { code } = asOnehopError(cause)
    if (code === 'NOT_FOUND' || code === 'NOT_HOSTED' || code === 'UNKNOWN_IDENTITY') return undefined
    throw cause
  }
}

export async function keptReplicaSet(
  keys: KeyStore | undefined,
  crypto: CryptoProvider,
  owner: IdentityId,
): Promise<ReplicaSetChain | undefined> {
  // Checked before it was kept, and kept where the keys are.
  const kept = await keys?.get(keyNames.replicaSet + toHex(owner))
  return kept && unpackChain(crypto, kept)
}

export async function keepReplicaSet(
  keys: KeyStore | undefined,
  owner: IdentityId,
  { bytes }: ReplicaSetChain,
): Promise<void> {
  await keys?.write(new Map([[keyNames.replicaSet + toHex(owner), bytes]]))
}

/** Those that can be reached from here, where the set says. */
export function membersOf({ newest }: ReplicaSetChain): Racer[] {
  return newest.members.flatMap(({ node, addresses }) => {
    const url = urlOf(addresses)
    return url === undefined ? [] : [{ url, node }]
  })
}

/** Where a node hears them now. Undefined when that is nowhere else. */
export function membersElsewhere(
  members: readonly Racer[],
  heard: FoundReplicaSet['heard'],
): readonly Racer[] | undefined {
  const elsewhere = members.map((one) => {
    const of = heard.find(({ node }) => one.node !== undefined && equalBytes(node, one.node))
    return { ...one, url: (of && urlOf(of.addresses)) ?? one.url }
  })
  return elsewhere.every(({ url }, i) => url === members[i]?.url) ? undefined : elsewhere
}

function urlOf(addresses: readonly string[]): string | undefined {
  return addresses.map(addressUrl).find((found) => found !== undefined)
}
