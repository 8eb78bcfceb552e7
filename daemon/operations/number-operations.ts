import { apiLimits } from '../../protocol/api/limits.ts'
import type { Store } from '../../storage/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Identities } from '../identities.ts'
import { requireOwnersDevice } from './caller.ts'

export interface NumberOperationsParts {
  readonly store: Store
  readonly identities: Identities
}

/** Which records a device wrote, by number: what an owner has to name to revoke it, or to put a member out. */
export function numberOperations({
  store,
  identities,
}: NumberOperationsParts): Pick<Operations, 'record.numbers'> {
  return {
    async 'record.numbers'({ owner, device, after = 0 }, { caller }) {
      requireOwnersDevice(identities, caller, owner)
      const limit = apiLimits.idsPerStatusMax
      const numbers: { number: number; id: Uint8Array }[] = []
      for (const [first, last] of await store.records.seen(owner, device)) {
        for (let number = Math.max(first, after + 1); number <= last; number++) {
          const ref = store.records.byNumber(owner, device, number)
          if (ref !== undefined) numbers.push({ number, id: ref.id })
          if (numbers.length >= limit) return { numbers, more: true }
        }
      }
      return { numbers, more: false }
    },
  }
}
