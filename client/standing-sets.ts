/**
 * Who holds a shard is signed by a device of its owner. Once that device is revoked, nobody who hears of the set for the
 * first time believes it: whoever has the device could have signed it since. So it is signed anew, by another.
 */
import { toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import { unpackChain } from '../protocol/placement/chain.ts'
import type { SignedReplicaSet } from '../protocol/placement/replica-set.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Identity } from './identity.ts'
import { placeShard } from './placement.ts'
import type { Transport } from './transport.ts'

export interface StandingParts {
  /** To the person's home, by the administrator or a session of an owner's device. */
  readonly call: Transport['call']
  readonly crypto: CryptoProvider
  readonly identity: Identity
  readonly signal?: AbortSignal | undefined
}

/** A shard whose set could not be signed anew here, and why. */
export interface Unsigned {
  readonly owner: IdentityId
  readonly error: OnehopError
}

/** Of the person's own shard and of groups that they own and that are held here. */
export async function renewSets(parts: StandingParts): Promise<readonly Unsigned[]> {
  const { identity } = parts
  const { devices } = identity.state
  // Whatever fails here, the device is revoked: that has to be told.
  const owned = await ownedGroups(parts).catch(() => [])
  const unsigned: Unsigned[] = []
  for (const owner of [identity.id, ...owned]) {
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
    const first = await firstSet(parts, owner)
    if (first === undefined || first.signatures.some(({ key }) => maySign(key))) return undefined
    await placeShard({ call }, identity, crypto, { owner, copies: first.copies, signal })
    return undefined
  } catch (cause) {
    return asOnehopError(cause)
  }
}

async function ownedGroups({ call, identity, signal }: StandingParts): Promise<readonly IdentityId[]> {
  const { groups } = await call('identity.groups', { owner: identity.id }, { signal })
  return groups.filter(({ role, held }) => role === 'owner' && held).map(({ group }) => group)
}

/** The one that a device of the owner's signed; undefined where the node has none. */
async function firstSet(
  { call, crypto, signal }: StandingParts,
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
