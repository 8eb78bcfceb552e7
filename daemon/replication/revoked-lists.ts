import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { RevokedNumbers } from '../../protocol/identity/types.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import { boolean, bytes, decodeAs, struct, uint } from '../../protocol/shape.ts'
import type { Store } from '../../storage/types.ts'
import type { Identities } from '../identities.ts'

/** By shard and device, since something of the device was dropped here: under which limit, and whether that is done. */
const kind = 'revoked'

/** What of a device counts in a shard: up to a number, those on the list of that hash. */
export type Limit = Pick<RevokedNumbers, 'lastNumber' | 'listHash'>

export interface Case {
  readonly shard: IdentityId
  readonly device: DeviceKey
  /** Whose device it is: the owner of the shard, or somebody with a say in the group that owns it. */
  readonly person: IdentityId
}

/** A limit that was worked on here. */
export interface Work extends Limit {
  /** Every record of the device that is held is one that the list names, and none lacks. */
  readonly isSettled: boolean
}

const workShape = struct({ lastNumber: uint(), listHash: bytes(32), isSettled: boolean })
const none: Limit = { lastNumber: 0, listHash: new Uint8Array(32) }

/**
 * Undefined where everything of the device counts. Nothing does of a device, or of a member, that only a branch which
 * lost has admitted: what they wrote meanwhile was taken in, as nobody knew better.
 */
export function limitOf(
  identities: Pick<Identities, 'get'>,
  { shard, device, person }: Case,
): Limit | undefined {
  const name = toHex(device)
  const state = identities.get(person)
  if (state === undefined) return undefined
  const known = state.devices.get(name)
  if (known === undefined) return none
  const afterRevocation = known.revoked && (known.revoked.numbers.get(toHex(shard)) ?? none)
  if (equalBytes(shard, person)) return afterRevocation
  const group = identities.get(shard)
  if (group === undefined) return afterRevocation
  const role = group.members.get(toHex(person))?.role
  if (role === 'owner' || role === 'writer') return afterRevocation
  const afterRemoval = group.formerMembers.get(toHex(person))?.get(name) ?? none
  return afterRevocation !== undefined && afterRevocation.lastNumber < afterRemoval.lastNumber
    ? afterRevocation
    : afterRemoval
}

export function isSame(a: Limit, b: Limit): boolean {
  return a.lastNumber === b.lastNumber && equalBytes(a.listHash, b.listHash)
}

/** Undefined where nothing of the device was ever dropped. */
export function workOn(store: Store, { shard, device }: Omit<Case, 'person'>): Work | undefined {
  const row = store.documents.get(kind, concatBytes(shard, device))
  return row && decodeAs(workShape, row, 'revoked')
}

export async function keepWork(store: Store, of: Omit<Case, 'person'>, work: Work): Promise<void> {
  const { lastNumber, listHash, isSettled } = work
  const row = encode([lastNumber, listHash, isSettled])
  await store.documents.put(kind, concatBytes(of.shard, of.device), row)
}

export async function endWork(store: Store, { shard, device }: Omit<Case, 'person'>): Promise<void> {
  await store.documents.delete(kind, concatBytes(shard, device))
}

/** The shard is given up: should it come again, what it holds then has to be looked at anew. */
export async function forgetWork(store: Store, shard: IdentityId): Promise<void> {
  const rows = await store.documents.list(kind, { prefix: shard })
  for (const { key } of rows) await store.documents.delete(kind, key)
}
