import { apiLimits } from '../../protocol/api/limits.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { Operations } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import { requireOwnersDevice } from './caller.ts'

export interface GroupOperationsParts {
  readonly identities: Pick<Identities, 'get' | 'groupsNaming'>
  readonly hosting: Pick<Hosting, 'get'>
}

/** In which groups somebody is: for their owner devices alone. */
export function groupOperations({
  identities,
  hosting,
}: GroupOperationsParts): Pick<Operations, 'identity.groups'> {
  return {
    async 'identity.groups'({ owner }, { caller }) {
      requireOwnersDevice(identities, caller, owner)
      const groups = identities.groupsNaming(owner).flatMap((group) => {
        const state = identities.get(group)
        // It may name them as somebody who was one once.
        const member = state?.members.get(toHex(owner))
        if (state === undefined || member === undefined) return []
        const hosted = hosting.get(state.id)
        return {
          group: state.id,
          role: member.role,
          members: state.members.size,
          held: hosted !== undefined,
          label: hosted?.label ?? '',
        }
      })
      return {
        groups: groups.slice(0, apiLimits.groupsPerListMax),
        more: groups.length > apiLimits.groupsPerListMax,
      }
    },
  }
}
