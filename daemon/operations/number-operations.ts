import { apiLimits } from '../../protocol/api/limits.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { lastSignedBy } from '../../protocol/identity/last-entry.ts'
import { limits } from '../../protocol/limits.ts'
import type { DeviceKey, IdentityId } from '../../protocol/record/types.ts'
import type { Store } from '../../storage/types.ts'
import type { Caller, Operations } from '../api/operations.ts'
import type { Hosting } from '../hosting.ts'
import type { Identities } from '../identities.ts'
import { requireOwnersDevice, speaksFor } from './caller.ts'

export interface NumberOperationsParts {
  readonly store: Store
  readonly identities: Identities
  readonly hosting: Pick<Hosting, 'has'>
}

/** What a device wrote, and where: what an owner has to name to revoke it, or to put a member out. */
export function numberOperations({
  store,
  identities,
  hosting,
}: NumberOperationsParts): Pick<Operations, 'record.numbers' | 'record.shards'> {
  /**
   * A device lists what it wrote itself, and a member what their own devices wrote in a group; of others' it is for those
   * who can put them out.
   */
  const requireNaming = (caller: Caller, owner: IdentityId, device: DeviceKey): void => {
    const isItself = caller.kind === 'session' && equalBytes(caller.device, device)
    if (isItself && speaksFor(identities, caller, owner)) return
    const isOwn =
      caller.kind === 'session' && identities.get(caller.owner)?.devices.has(toHex(device)) === true
    const speaksAs = isOwn && speaksFor(identities, caller, owner) ? caller.owner : owner
    requireOwnersDevice(identities, caller, speaksAs)
  }
  return {
    async 'record.numbers'({ owner, device, after = 0 }, { caller }) {
      requireNaming(caller, owner, device)
      const limit = apiLimits.idsPerStatusMax
      const numbers: { number: number; id: Uint8Array; clock: bigint }[] = []
      for (const [first, last] of await store.records.seen(owner, device)) {
        for (let number = Math.max(first, after + 1); number <= last; number++) {
          const ref = store.records.byNumber(owner, device, number)
          if (ref !== undefined) numbers.push({ number, id: ref.id, clock: ref.clock })
          if (numbers.length >= limit) return { numbers, more: true }
        }
      }
      return { numbers, more: false }
    },

    async 'record.shards'({ owner, device }, { caller }) {
      requireOwnersDevice(identities, caller, owner)
      const named: { owner: IdentityId; held: boolean; lastEntry: Uint8Array | null }[] = []
      const unheld: typeof named = []
      for (const id of identities.groupsNaming(owner)) {
        const group = identities.get(id)
        if (group === undefined) continue
        const lastEntry = lastSignedBy(group, device) ?? null
        const held = hosting.has(group.id)
        const wrote = held && (await store.records.seen(group.id, device)).length > 0
        if (wrote || lastEntry !== null) named.push({ owner: group.id, held, lastEntry })
        else if (!held) unheld.push({ owner: group.id, held, lastEntry })
      }
      const shards = [{ owner, held: hosting.has(owner), lastEntry: null }, ...named, ...unheld]
      return {
        shards: shards.slice(0, limits.identityRevokedListsMax),
        more: shards.length > limits.identityRevokedListsMax,
      }
    },
  }
}
