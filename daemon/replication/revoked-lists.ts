import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import type { RevokedNumbers } from '../../protocol/identity/types.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Identities } from '../identities.ts'

/**
 * By shard and device, since something of the device was dropped here: the hash of the list that the numbers held here
 * were found to have, or `begun`.
 */
const kind = 'revoked'
const begun = Uint8Array.of(0)

/** What of a device counts in a shard: up to a number, those on the list of that hash. */
export type Limit = Pick<RevokedNumbers, 'lastNumber' | 'listHash'>

export interface Case {
  readonly shard: IdentityId
  readonly device: DeviceKey
  /** Whose device it is: the owner of the shard, or somebody with a say in the group that owns it. */
  readonly person: IdentityId
}

const none: Limit = { lastNumber: 0, listHash: new Uint8Array(32) }

/** Undefined where everything of the device counts: it was not revoked, and its person was not put out of the group. */
export function limitOf(
  identities: Pick<Identities, 'get'>,
  { shard, device, person }: Case,
): Limit | undefined {
  const name = toHex(device)
  const { revoked } = identities.get(person)?.devices.get(name) ?? {}
  const afterRevocation = revoked && (revoked.numbers.get(toHex(shard)) ?? none)
  if (equalBytes(shard, person)) return afterRevocation
  const group = identities.get(shard)
  const role = group?.members.get(toHex(person))?.role
  const former = group?.formerMembers.get(toHex(person))
  if (former === undefined || role === 'owner' || role === 'writer') return afterRevocation
  const afterRemoval = former.get(name) ?? none
  return afterRevocation !== undefined && afterRevocation.lastNumber < afterRemoval.lastNumber
    ? afterRevocation
    : afterRemoval
}

/** True when every record of the device that is held in the shard is one that the list names, and none lacks. */
export function isSettled(store: Store, { shard, device }: Omit<Case, 'person'>, limit: Limit): boolean {
  const settled = store.documents.get(kind, concatBytes(shard, device))
  // Another revocation of the same device, by another branch of the log, has to be settled anew.
  return settled !== undefined && equalBytes(settled, limit.listHash)
}

export async function settle(
  store: Store,
  { shard, device }: Omit<Case, 'person'>,
  limit: Limit,
): Promise<void> {
  await store.documents.put(kind, concatBytes(shard, device), limit.listHash)
}

/** From now on something of the device may have been dropped. */
export async function begin(store: Store, of: Omit<Case, 'person'>): Promise<void> {
  if (!wasBegun(store, of)) await store.documents.put(kind, concatBytes(of.shard, of.device), begun)
}

export async function unsettle(store: Store, { shard, device }: Omit<Case, 'person'>): Promise<void> {
  await store.documents.delete(kind, concatBytes(shard, device))
}

export function wasBegun(store: Store, { shard, device }: Omit<Case, 'person'>): boolean {
  return store.documents.get(kind, concatBytes(shard, device)) !== undefined
}
