import { equalBytes } from '../../protocol/bytes.ts'
import type { OnehopError } from '../../protocol/errors.ts'
import type { IdentityState, Member, MemberRole } from '../../protocol/identity/types.ts'
import type { IdentityId } from '../../protocol/record/types.ts'

/** A group, as its log says it now. */
export interface Group {
  readonly id: IdentityId
  readonly members: readonly Member[]
  /** This person's; undefined for whoever is no member. */
  readonly role: MemberRole | undefined
  readonly isSealed: boolean
  /**
   * Why newcomers do not find it: who signed who holds it is no owner any more, and that could not be signed anew. `open` by
   * any of its owners tries again.
   */
  readonly unsigned: OnehopError | undefined
  /** Why its secret is one that a device which a member revoked still opens. `open` by any of its owners gives it another. */
  readonly unrenewed: OnehopError | undefined
}

/** `self`: undefined for a stranger. */
export function shownGroup({ id, members, boxes }: IdentityState, self: IdentityId | undefined): Group {
  const own = self && [...members.values()].find(({ identity }) => equalBytes(identity, self))
  const shown = [...members.values()].map(({ identity, role }) => ({ identity, role }))
  return {
    id,
    members: shown,
    role: own?.role,
    isSealed: boxes.length > 0,
    unsigned: undefined,
    unrenewed: undefined,
  }
}
