import { apiLimits } from '../../protocol/api/limits.ts'
import type { Store } from '../../storage/types.ts'
import type { Operations } from '../api/operations.ts'

/** Which records a device wrote, by number: what an owner has to name to revoke it. */
export function numberOperations({ store }: { readonly store: Store }): Pick<Operations, 'admin.numbers'> {
  return {
    async 'admin.numbers'({ owner, device, after = 0 }) {
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
