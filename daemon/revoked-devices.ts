import { nextTurn } from './clock.ts'
import type { DenyList } from './deny-list.ts'
import type { Hosting } from './hosting.ts'
import type { Identities } from './identities.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import { asOnehopError } from '../protocol/errors.ts'
import type { Log } from '../protocol/ports.ts'

/** A device that somebody whose shard is here has revoked is not spoken with, where its own key is its libp2p identity. */
export class RevokedDevices {
  readonly #identities: Identities
  readonly #hosting: Hosting
  readonly #denyList: DenyList
  readonly #log: Log

  constructor(parts: { identities: Identities; hosting: Hosting; denyList: DenyList; log: Log }) {
    this.#identities = parts.identities
    this.#hosting = parts.hosting
    this.#denyList = parts.denyList
    this.#log = parts.log
    parts.identities.onGrown((state) => this.#look(state))
    parts.hosting.onAdded((owner) => {
      const state = parts.identities.get(owner)
      if (state !== undefined) this.#look(state)
    })
    parts.hosting.onRemoved((owner) => this.#waitFor(parts.denyList.forget(owner)))
  }

  /** What earlier runs of the node were told. */
  async run(signal: AbortSignal): Promise<void> {
    for (const id of await this.#identities.unsettled()) {
      if (signal.aborted) return
      const state = this.#hosting.has(id) ? this.#identities.get(id) : undefined
      if (state !== undefined) this.#look(state)
      // A log takes its time to be read, and there may be thousands.
      await nextTurn()
    }
  }

  #look(state: IdentityState): void {
    if (this.#hosting.has(state.id)) this.#waitFor(this.#denyList.revoke(state))
  }

  /** It is refused from now on; only the hanging up takes time, and may find nobody. */
  #waitFor(applied: Promise<void>): void {
    applied.catch((error: unknown) => this.#log.debug('net.hang-up-failed', { error: asOnehopError(error) }))
  }
}
