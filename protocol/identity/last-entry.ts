import { equalBytes, toHex } from '../bytes.ts'
import type { DeviceKey } from '../record/types.ts'
import type { IdentityState } from './types.ts'

/** The last entry of a group's log that a device signed, of those that count: what it follows is kept with it, as parents stand first. */
export function lastSignedBy({ entries, dropped }: IdentityState, device: DeviceKey): Uint8Array | undefined {
  return entries.findLast(({ signer, hash }) => equalBytes(signer, device) && !dropped.has(toHex(hash)))?.hash
}
