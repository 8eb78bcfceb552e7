import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import type { IdentityState, RevokedNumbers } from '../../protocol/identity/types.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'

/**
 * By shard and device, since something of the device was dropped here: the hash of the list that the numbers held here
 * were found to have, or `begun`.
 */
const kind = 'revoked'
const begun = Uint8Array.of(0)

/** What the revocation of a device says of one shard; undefined where nothing of the device counts there. */
export function namedNumbers(
  state: IdentityState,
  device: DeviceKey,
  shard: IdentityId,
): RevokedNumbers | undefined {
  return state.devices.get(toHex(device))?.revoked?.numbers.get(toHex(shard))
}

/** True when every record of the device that is held in the shard is one that its revocation lists, and none lacks. */
export function isSettled(store: Store, shard: IdentityId, device: DeviceKey, state: IdentityState): boolean {
  const settled = store.documents.get(kind, concatBytes(shard, device))
  if (settled === undefined) return false
  return equalBytes(settled, settledMark(state, device, shard))
}

export async function settle(
  store: Store,
  shard: IdentityId,
  device: DeviceKey,
  state: IdentityState,
): Promise<void> {
  await store.documents.put(kind, concatBytes(shard, device), settledMark(state, device, shard))
}

/** From now on something of the device may have been dropped. */
export async function begin(store: Store, shard: IdentityId, device: DeviceKey): Promise<void> {
  if (!wasBegun(store, shard, device)) await store.documents.put(kind, concatBytes(shard, device), begun)
}

export async function unsettle(store: Store, shard: IdentityId, device: DeviceKey): Promise<void> {
  await store.documents.delete(kind, concatBytes(shard, device))
}

export function wasBegun(store: Store, shard: IdentityId, device: DeviceKey): boolean {
  return store.documents.get(kind, concatBytes(shard, device)) !== undefined
}

/** Another revocation of the same device, by another branch of the log, has to be settled anew. */
function settledMark(state: IdentityState, device: DeviceKey, shard: IdentityId): Uint8Array {
  return namedNumbers(state, device, shard)?.listHash ?? nothing
}

const nothing = new Uint8Array(32)
