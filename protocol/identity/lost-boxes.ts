/**
 * Boxes of entries that came to nothing: two devices renewed apart from each other, or one that renewed is revoked since.
 * What was sealed under them in the meantime is to be read, so their secrets are opened, and nothing is sealed under them.
 */
import { toHex } from '../bytes.ts'
import { boxState } from './facts.ts'
import type { BoxState, People, SignedEntry } from './types.ts'

export function lostBoxes(
  entries: readonly SignedEntry[],
  dropped: ReadonlySet<string>,
  people: People,
): BoxState[] {
  if (dropped.size === 0) return []
  const boxKeys = boxKeysIn(entries)
  return entries.flatMap(({ hash, signer, author, body }) => {
    if (!('box' in body) || body.box === undefined || !dropped.has(toHex(hash))) return []
    const name = toHex(signer)
    const sender = author === undefined ? boxKeys.get(name) : people(author)?.devices.get(name)?.boxKey
    return sender === undefined ? [] : [boxState(body.box, sender)]
  })
}

/** Of every key that a person's log ever admitted, on whatever branch. */
function boxKeysIn(entries: readonly SignedEntry[]): Map<string, Uint8Array> {
  const admitted = entries.flatMap(({ body }) => [
    ...('device' in body && 'boxKey' in body.device ? [body.device] : []),
    ...('recovery' in body && body.recovery !== undefined ? [body.recovery] : []),
  ])
  return new Map(admitted.map(({ key, boxKey }) => [toHex(key), boxKey]))
}
