/**
 * A rule of whoever first accepts an entry, as it needs a clock; never of the log's validity, which all must agree on.
 * A thief who admits a key of its own has to wait, and the person, who is told of it, has time to shut both out.
 */
import { equalBytes, toHex } from '../bytes.ts'
import type { IdentityState, SignedEntry } from './types.ts'

/** So long a device on probation lets nobody in and shuts nobody out. */
export const probationMs = 24 * 3_600_000

/** What a device on probation may not do yet; leaving by itself it may. */
const bound: ReadonlySet<string> = new Set(['addDevice', 'revokeDevice', 'rotate'])

/**
 * The device on probation that signed the entry though it may not yet, when it has been known for so long; undefined where
 * the entry may be accepted. `state` is what the log says without the entry.
 */
export function heldBack(
  state: IdentityState,
  entry: SignedEntry,
  knownForMs: (device: Uint8Array) => number,
): Uint8Array | undefined {
  const { body, signer } = entry
  if (!bound.has(body.kind) || state.devices.get(toHex(signer))?.probation !== true) return undefined
  if (body.kind === 'revokeDevice' && equalBytes(body.device, signer)) return undefined
  return knownForMs(signer) < probationMs ? signer : undefined
}
