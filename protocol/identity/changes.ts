/** What a person's log says happened, entry by entry, for the person to look at. */
import { equalBytes, toHex } from '../bytes.ts'
import type { DeviceKey } from '../record/types.ts'
import { recoveryKeysIn } from './recovery.ts'
import type { EntryBody, IdentityState, Role } from './types.ts'

export interface Change {
  readonly kind: 'added' | 'vouched' | 'revoked' | 'recovery'
  /** Hash of the entry. */
  readonly entry: Uint8Array
  /** Which device it is about; undefined where it is the recovery words. */
  readonly device: DeviceKey | undefined
  /** Of a device that was added. */
  readonly role: Role | undefined
  readonly by: DeviceKey
  /** Signed with recovery words, present or former. */
  readonly isByWords: boolean
  /** It lost to another branch of the log, and nothing of it holds. */
  readonly isDropped: boolean
}

type Told = Pick<Change, 'kind' | 'device' | 'role'>

/** In the order of the log. What a genesis says is no change, nor is a new secret alone. */
export function changesIn(state: IdentityState): Change[] {
  const words = recoveryKeysIn(state)
  return state.entries.flatMap(({ body, hash, signer }) => {
    const told = toldBy(body)
    if (told === undefined) return []
    const isByWords = words.some((key) => equalBytes(key, signer))
    return { ...told, entry: hash, by: signer, isByWords, isDropped: state.dropped.has(toHex(hash)) }
  })
}

function toldBy(body: EntryBody): Told | undefined {
  switch (body.kind) {
    case 'addDevice':
      return { kind: 'added', device: body.device.key, role: body.device.role }
    case 'vouch':
      return { kind: 'vouched', device: body.device, role: undefined }
    case 'revokeDevice':
      return { kind: 'revoked', device: body.device, role: undefined }
    case 'rotate':
      return { kind: 'recovery', device: undefined, role: undefined }
    default:
      return undefined
  }
}
