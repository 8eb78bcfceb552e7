/**
 * Who holds a shard is signed by a device of its owner. Once that device is revoked, nobody who hears of the set for the
 * first time believes it: whoever has the device could have signed it since. So it is signed anew, by another.
 */
import type { ReplyOf } from '../../protocol/api/operations.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import type { SignedReplicaSet } from '../../protocol/placement/replica-set.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Identities } from './identities.ts'
import type { Identity } from './identity.ts'
import { placeShard } from '../placement.ts'
import type { Transport } from '../transport.ts'

export interface StandingParts {
  /** To the person's home, by the administrator or a session of an owner's device. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  /** What is known of others already; nothing where none are given. */
  readonly identities?: Identities | undefined
  readonly signal?: AbortSignal | undefined
}

/** A shard whose set could not be signed anew here, and why. */
export interface Unsigned {
  /** Undefined: the node did not say which groups there are. */
  readonly owner: IdentityId | undefined
  readonly error: OnehopError
}

/** Of the person's own shard and of groups that they own. Whatever fails here, the device is revoked: that has to be told. */
export async function renewSets(parts: StandingParts): Promise<readonly Unsigned[]> {
  const { identity } = parts
  const { devices } = identity.state
  const unsigned: Unsigned[] = []
  const groups = await groupsOf(parts).catch((cause: unknown) => {
    unsigned.push({ owner: undefined, error: asOnehopError(cause) })
    return []
  })
  const owned = groups.filter(({ role }) => role === 'owner')
  for (const owner of [identity.id, ...owned.map(({ group }) => group)]) {
    const error = await signAnew(parts, owner, (key) => devices.get(toHex(key))?.revoked === undefined)
    if (error !== undefined) unsigned.push({ owner, error })
  }
  return unsigned
}

/** Where nobody who signed the set may any more. What was in the way, if something was. */
export async function signAnew(
  parts: StandingParts,
  owner: IdentityId,
  maySign: (key: Uint8Array) => boolean,
): Promise<OnehopError | undefined> {
  const { call, crypto, identity, signal } = parts
  try {
    const first = await unsignedSet(parts, owner, maySign)
    if (first === undefined) return undefined
    await placeShard({ call }, identity, crypto, { owner, copies: first.copies, signal })
    return undefined
  } catch (cause) {
    return asOnehopError(cause)
  }
}

/** The first set of the shard, where none of those who signed it may; undefined where it stands, or there is none. */
export async function unsignedSet(
  parts: Omit<StandingParts, 'identity'>,
  owner: IdentityId,
  maySign: (key: Uint8Array) => boolean,
): Promise<SignedReplicaSet | undefined> {
  const first = await firstSet(parts, owner)
  return first?.signatures.some(({ key }) => maySign(key)) === true ? undefined : first
}

/** Those that the person is in, as far as the node has heard. */
export async function groupsOf({
  call,
  identity,
  signal,
}: StandingParts): Promise<ReplyOf<'identity.groups'>['groups']> {
  return (await call('identity.groups', { owner: identity.id }, { signal })).groups
}

/** The one that a device of the owner's signed; undefined where the node has none. */
async function firstSet(
  { call, crypto, signal }: Omit<StandingParts, 'identity'>,
  owner: IdentityId,
): Promise<SignedReplicaSet | undefined> {
  try {
    const { replicaSet } = await call('replica-set.get', { owner }, { signal })
    return unpackChain(crypto, replicaSet).sets[0]
  } catch (error) {
    if (error instanceof OnehopError && error.code === 'NOT_FOUND') return undefined
    throw error
  }
}
