/**
 * Boxes of entries that came to nothing: two devices renewed apart from each other, or one that renewed is revoked since.
 * What was sealed under them in the meantime is to be read, so their secrets are opened, and nothing is sealed under them.
 */
import { toHex } from '../bytes.ts'
import { boxState } from './facts.ts'
import { isLiveKey } from './live-key.ts'
import type { IdentityState, LostBox, People, SignedEntry } from './types.ts'

/** `state`: what the log says else. */
export function lostBoxes(
  state: Pick<IdentityState, 'entries' | 'dropped' | 'devices' | 'recovery' | 'members'>,
  people: People,
): LostBox[] {
  const { entries, dropped } = state
  if (dropped.size === 0) return []
  const own = admittedIn(entries)
  const ofOthers = new Map<string, ReadonlyMap<string, Uint8Array>>()
  return entries.flatMap(({ hash, signer, author, body }) => {
    if (!('box' in body) || body.box === undefined || !dropped.has(toHex(hash))) return []
    const name = toHex(signer)
    if (author === undefined) {
      const isSuspect = !isLiveKey(state, name)
      // Whoever signs was let in by an entry before.
      return [{ ...boxState(body.box, own.get(name) as Uint8Array, signer), isSuspect }]
    }
    const person = people(author)
    if (person === undefined) return []
    const admitted = ofOthers.get(toHex(author)) ?? admittedIn(person.entries)
    ofOthers.set(toHex(author), admitted)
    const boxKey = admitted.get(name)
    const isSuspect = !state.members.has(toHex(author)) || !isLiveKey(person, name)
    return boxKey === undefined ? [] : [{ ...boxState(body.box, boxKey, signer), isSuspect }]
  })
}

/** The box keys of every key that a person's log ever admitted, on whatever branch. */
function admittedIn(entries: readonly SignedEntry[]): Map<string, Uint8Array> {
  const admitted = entries.flatMap(({ body }) => [
    ...('device' in body && 'boxKey' in body.device ? [body.device] : []),
    ...('recovery' in body && body.recovery !== undefined ? [body.recovery] : []),
  ])
  return new Map(admitted.map(({ key, boxKey }) => [toHex(key), boxKey]))
}
