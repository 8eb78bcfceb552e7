import { nameOf } from '../id-name.ts'
import type { DeviceKey } from '../record/types.ts'
import type { Access, DeviceState, IdentityState } from './types.ts'

/**
 * Whether a device of the identity may read now. `atMs`: for a request the present; a record that is replicated
 * is judged by its own clock (see verifyRecord), so that every replica comes to one verdict.
 */
export function canRead(
  state: IdentityState,
  device: DeviceKey,
  app: string,
  collection: string | undefined,
  atMs: number,
): boolean {
  const found = deviceOf(state, device)
  return found !== undefined && found.revoked === undefined && holds(found, app, collection, 'read', atMs)
}

/** Whether there is anything that a device may write now, whatever its collection. */
export function canWriteSomewhere(state: IdentityState, device: DeviceKey, atMs: number): boolean {
  const found = deviceOf(state, device)
  if (found === undefined || found.revoked !== undefined) return false
  if (found.capabilities === 'all') return true
  return found.capabilities.some(
    ({ app, collection, access }) => access === 'write' && holds(found, app, collection, access, atMs),
  )
}

export function deviceOf(state: IdentityState, device: DeviceKey): DeviceState | undefined {
  return state.devices.get(nameOf(device))
}

/**
 * What the entry that admitted the device gave it; says nothing of revocation. Leave to write is leave to read.
 * `collection` undefined: everything of the app.
 */
export function holds(
  device: DeviceState,
  app: string,
  collection: string | undefined,
  access: Access,
  atMs: number,
): boolean {
  if (device.capabilities === 'all') return true
  if (access === 'write' && device.role === 'reader') return false
  return device.capabilities.some(
    (capability) =>
      capability.app === app &&
      (capability.collection === undefined || capability.collection === collection) &&
      (capability.access === 'write' || access === 'read') &&
      (capability.expiresMs === undefined || atMs < capability.expiresMs),
  )
}
