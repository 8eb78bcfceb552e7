import { toHex } from '../../protocol/bytes.ts'
import type { IdentityId } from '../../protocol/record/types.ts'

/** Tells open connections that what somebody's devices and apps may do has changed: those that lost their leave end. */
export class LeaveChanges {
  readonly #listeners = new Map<string, Set<() => void>>()

  /** Calls back when leave given by this person may have ended; returns the way to stop. */
  on(person: IdentityId, listener: () => void): () => void {
    const name = toHex(person)
    const listeners = this.#listeners.get(name) ?? new Set()
    this.#listeners.set(name, listeners.add(listener))
    return () => {
      listeners.delete(listener)
      if (listeners.size === 0 && this.#listeners.get(name) === listeners) this.#listeners.delete(name)
    }
  }

  tell(person: IdentityId): void {
    for (const listener of this.#listeners.get(toHex(person)) ?? []) listener()
  }
}
