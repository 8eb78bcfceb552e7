/** Which changes of this person's log a device has shown them, and which it has still to show. */
import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import { changesIn, type Change } from '../../protocol/identity/changes.ts'
import type { IdentityState } from '../../protocol/identity/types.ts'
import type { Identity } from './identity.ts'
import { keyNames, type KeyStore } from '../key-store.ts'

export type { Change } from '../../protocol/identity/changes.ts'

/** Hash of the entry, and whether it had lost by then: what loses later is to be shown again. */
const toldBytes = 33

/**
 * What others did since the person was last told, and of what this device did the changes that came to nothing. Of what
 * was there when the device joined there is nothing to tell.
 */
export async function untoldChanges(keys: KeyStore, identity: Identity): Promise<readonly Change[]> {
  const kept = await keys.get(keyNames.told)
  if (kept === undefined) {
    await keys.write(new Map([[keyNames.told, toldOf(identity.state)]]))
    return []
  }
  const told = new Set<string>()
  for (let at = 0; at < kept.length; at += toldBytes) told.add(toHex(kept.subarray(at, at + toldBytes)))
  return changesIn(identity.state).filter(
    (change) =>
      !told.has(toHex(mark(change))) && (change.isDropped || !equalBytes(change.by, identity.device.key)),
  )
}

/** The person has seen these; what came while they looked is still to be told. */
export async function markTold(keys: KeyStore, changes: readonly Change[]): Promise<void> {
  await keys.lock(keyNames.told, async () => {
    const kept = (await keys.get(keyNames.told)) ?? new Uint8Array()
    await keys.write(new Map([[keyNames.told, concatBytes(kept, ...changes.map(mark))]]))
  })
}

/** As it is kept: everything in this log has been told. */
export function toldOf(state: IdentityState): Uint8Array {
  return concatBytes(...changesIn(state).map(mark))
}

/** One sentence. `name` is how a device is called where that is known. */
export function changeInWords(
  { kind, device, role, by, isByWords, isDropped }: Change,
  name: (device: Uint8Array) => string,
): string {
  const who = isByWords ? 'the recovery words' : name(by)
  const it = device === undefined ? '' : name(device)
  const done = {
    added: `${role === 'owner' ? 'A device' : `A device with the role ${role}`} was added: ${it}, by ${who}.`,
    vouched: `${it} was vouched for by ${who}: it is on probation no more.`,
    revoked: `${it} was shut out by ${who}.`,
    recovery: `New recovery words were put in force by ${who}.`,
  }[kind]
  const sentence = `${done.slice(0, 1).toUpperCase()}${done.slice(1)}`
  return isDropped ? `${sentence} It came to nothing: another device, or the words, did otherwise.` : sentence
}

/** What the person types to take out what was added: a node goes with its seats, by a command of its own. */
export function shutOutCommand({ role }: Pick<Change, 'role'>, device: Uint8Array): string {
  return `onehop ${role === 'node' ? 'node' : 'devices'} revoke ${toHex(device).slice(0, 12)}`
}

function mark({ entry, isDropped }: Change): Uint8Array {
  return concatBytes(entry, Uint8Array.of(isDropped ? 1 : 0))
}
