import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Caller } from '../api/operations.ts'

/** Does the call come from a device of this identity, or from whoever runs the node? */
export function speaksFor(caller: Caller, owner: IdentityId): boolean {
  return caller.kind === 'admin' || (caller.kind === 'session' && equalBytes(caller.owner, owner))
}

export function requireOwner(caller: Caller, owner: IdentityId): void {
  if (!speaksFor(caller, owner)) {
    throw new OnehopError('FORBIDDEN', `this session does not speak for ${toHex(owner)}`)
  }
}
