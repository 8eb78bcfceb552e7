import { toHex } from '../bytes.ts'
import type { IdentityState } from './types.ts'

/** Whether a key, in hex, is one of the person's now: of a device that is not shut out, or of their words. */
export function isLiveKey(
  { devices, recovery }: Pick<IdentityState, 'devices' | 'recovery'>,
  name: string,
): boolean {
  if (recovery !== undefined && toHex(recovery.key) === name) return true
  const device = devices.get(name)
  return device !== undefined && device.revoked === undefined
}
