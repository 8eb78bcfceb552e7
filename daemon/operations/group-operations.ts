import { apiLimits } from '../../protocol/api/limits.ts'
import { toHex } from '../../protocol/bytes.ts'
import type { Store } from '../../storage/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import { memberKind, type Identities } from '../identities.ts'
import { requireOwnersDevice } from './caller.ts'

export interface GroupOperationsParts {
  readonly store: Pick<Store, 'documents'>
  readonly identities: Pick<Identities, 'get'>
  readonly hosting: Pick<Hosting, 'get'>
}

/** In which groups somebody is: for their owner devices alone. */
export function groupOperations({
  store,
  identities,
  hosting,
}: GroupOperationsParts): Pick<Operations, 'identity.groups'> {
  return {
    async 'identity.groups'({ owner }, { caller }) {
      requireOwnersDevice(identities, caller, owner)
      const rows = await store.documents.list(memberKind, { prefix: owner })
      const groups = rows.flatMap(({ key }) => {
        const state = identities.get(key.slice(32))
        // Of whoever was one once there is a row too.
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
