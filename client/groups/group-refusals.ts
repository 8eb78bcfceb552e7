/** Why the log of a group would not take a change, in words: what it says itself is that it does not. */
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { IdentityState, Member, MemberRole } from '../../protocol/identity/types.ts'
import { limits } from '../../protocol/limits.ts'
import type { IdentityId } from '../../protocol/record/types.ts'

export type GroupChange =
  | { readonly kind: 'add' | 'change'; readonly identity: IdentityId; readonly role: MemberRole }
  | { readonly kind: 'remove'; readonly identity: IdentityId }

/** Throws FORBIDDEN, NOT_FOUND or BAD_REQUEST, with the way there is. */
export function requireChange(group: IdentityState, self: IdentityId, change: GroupChange): void {
  const who = `${toHex(change.identity).slice(0, 12)}…`
  const member = group.members.get(toHex(change.identity))
  requireOwner(group, self, change)
  if (change.kind === 'add') {
    if (member !== undefined)
      throw new OnehopError('BAD_REQUEST', `${who} is in this group already, as ${an(member.role)}`, {
        help: 'What they may do is changed by: onehop groups role GROUP PERSON ROLE.',
      })
    if (group.members.size >= limits.identityWrapsMax)
      throw new OnehopError('BAD_REQUEST', `this group has ${group.members.size} members, as many as one may`)
    return
  }
  if (member === undefined)
    throw new OnehopError('NOT_FOUND', `${who} is not in this group`, {
      help: 'onehop groups GROUP lists who is; onehop groups add lets somebody in.',
    })
  if (change.kind === 'change' && change.role === member.role)
    throw new OnehopError('BAD_REQUEST', `${who} is ${an(member.role)} of this group already`)
  if (change.kind === 'change' && change.role === 'reader')
    throw new OnehopError('BAD_REQUEST', `${an(member.role)} cannot be made a reader`, {
      help: 'Take them out and let them in again: onehop groups remove, then onehop groups add GROUP PERSON reader. What they wrote stays.',
    })
  if (member.role === 'owner' && ownersOf(group).length === 1)
    throw new OnehopError('FORBIDDEN', `${who} is its only owner, and one stays`, {
      help: 'Make somebody else one first: onehop groups role GROUP PERSON owner.',
    })
}

function requireOwner(group: IdentityState, self: IdentityId, change: GroupChange): void {
  const own = group.members.get(toHex(self))
  if (own?.role === 'owner') return
  const owners = ownersOf(group).map(({ identity }) => toHex(identity))
  const help = `Ask one of them: ${owners.slice(0, 3).join(', ')}.`
  if (own === undefined)
    throw new OnehopError('FORBIDDEN', 'owners alone change a group, and you are not in it', { help })
  if (change.kind === 'remove' && equalBytes(change.identity, self))
    throw new OnehopError(
      'FORBIDDEN',
      `owners alone take somebody out of a group, and you are ${an(own.role)}`,
      {
        help: `Ask one of them to take you out: ${owners.slice(0, 3).join(', ')}.`,
      },
    )
  throw new OnehopError('FORBIDDEN', `owners alone change a group, and you are ${an(own.role)}`, { help })
}

function ownersOf({ members }: IdentityState): readonly Member[] {
  return [...members.values()].filter(({ role }) => role === 'owner')
}

function an(role: MemberRole): string {
  return role === 'owner' ? 'an owner' : `a ${role}`
}
