import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { MemberRole } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Caller } from '../api/operations.ts'
import type { Identities } from '../identities.ts'

type Known = Pick<Identities, 'get'>

const anyMember: readonly MemberRole[] = ['owner', 'writer', 'reader']

/** Does the call come from a device of this identity, of a member of this group, or from whoever runs the node? */
export function speaksFor(
  identities: Known,
  caller: Caller,
  owner: IdentityId,
  roles: readonly MemberRole[] = anyMember,
): boolean {
  if (caller.kind === 'admin') return true
  if (caller.kind !== 'session') return false
  if (equalBytes(caller.owner, owner)) return true
  const member = identities.get(owner)?.members.get(toHex(caller.owner))
  return member !== undefined && roles.includes(member.role)
}

/** Throws FORBIDDEN. `roles`: of the members of a group those who may. */
export function requireOwner(
  identities: Known,
  caller: Caller,
  owner: IdentityId,
  roles: readonly MemberRole[] = ['owner'],
): void {
  if (!speaksFor(identities, caller, owner, roles)) {
    throw new OnehopError('FORBIDDEN', `this session does not speak for ${toHex(owner)}`)
  }
}
