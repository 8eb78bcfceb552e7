/** What the rules of persons' and of groups' logs have in common. */
import { equalBytes, toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import type { DeviceKey } from '../record/types.ts'
import type { Box, BoxState, EntryBody, IdentityState, SignedEntry } from './types.ts'

/** What a log says, without the log. */
export type Facts = Pick<
  IdentityState,
  'id' | 'type' | 'recovery' | 'devices' | 'members' | 'formerMembers' | 'boxes'
>

export type BodyOf<K extends EntryBody['kind']> = Extract<EntryBody, { kind: K }>

/** The epoch after the newest one. To whom its secret may be wrapped is the caller's to check. */
export function nextBox(facts: Facts, entry: SignedEntry, box: Box, senderBoxKey: Uint8Array): BoxState {
  const epoch = (facts.boxes.at(-1)?.epoch ?? 0) + 1
  if (box.epoch !== epoch) throw broken(entry, `epoch ${epoch} expected`)
  const before = facts.boxes.at(-1)
  if (before !== undefined && !box.links.some(({ publicKey }) => equalBytes(publicKey, before.publicKey)))
    throw broken(entry, 'its box seals the secret of the epoch before')
  for (const held of facts.boxes) {
    // Or what was sealed under the older one would be looked for under this epoch.
    if (equalBytes(held.publicKey, box.publicKey)) throw broken(entry, 'its box has a key of its own')
    const link = box.links.find(({ publicKey }) => equalBytes(publicKey, held.publicKey))
    if (link !== undefined && link.epoch !== held.epoch)
      throw broken(entry, 'a link names the epoch of its box')
  }
  return boxState(box, senderBoxKey, entry.signer)
}

export function boxState(
  { epoch, publicKey, links, wraps }: Box,
  senderBoxKey: Uint8Array,
  signer: DeviceKey,
): BoxState {
  const byRecipient = wraps.map(
    ({ recipient, recipientBox, sealed }) =>
      [toHex(recipient), { recipientBox, sealed, senderBoxKey }] as const,
  )
  return { epoch, publicKey, links, wraps: new Map(byRecipient), signer }
}

/** Throws BAD_IDENTITY where a person's entry names an author, or heads of an author's log. */
export function withoutAuthor(entry: SignedEntry): void {
  const { author, body } = entry
  if (author !== undefined || ('authorHeads' in body && body.authorHeads.length > 0)) {
    throw broken(entry, "an author is named in a group's log alone")
  }
}

export function broken(entry: SignedEntry, message: string): OnehopError {
  return new OnehopError('BAD_IDENTITY', `entry ${toHex(entry.hash)} (${entry.body.kind}): ${message}`)
}
