import { equalBytes, toHex } from '../bytes.ts'
import type { IdentityState, People } from '../identity/types.ts'

/**
 * Placing a shard is the owner's own act: a device that was granted some collection, and a home node, may not. For a group
 * its owners do, by their owners' devices.
 */
export function mayPlace(state: IdentityState, key: Uint8Array, people: People): boolean {
  if (state.type === 'group') {
    return [...state.members.values()].some(({ identity, role }) => {
      const person = role === 'owner' ? people(identity) : undefined
      return person?.type === 'person' && mayPlace(person, key, people)
    })
  }
  const device = state.devices.get(toHex(key))
  if (device !== undefined) return device.role === 'owner' && device.revoked === undefined
  return state.recovery !== undefined && equalBytes(state.recovery.key, key)
}
