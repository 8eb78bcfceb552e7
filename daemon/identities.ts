import { toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { decodeLog, encodeLog } from '../protocol/identity/entry.ts'
import { append, replay } from '../protocol/identity/log.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Store } from '../storage/types.ts'

const kind = 'identity'

/** States kept replayed. A state is some kilobytes; the rest are replayed from the store in about 0.2 ms. */
const statesMax = 8_192

/** The identity logs that this node knows. They only grow: what was accepted once stays. */
export class Identities {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #states = new Map<string, IdentityState>()
  readonly #listeners = new Set<(state: IdentityState) => void>()

  constructor(store: Store, crypto: CryptoProvider) {
    this.#store = store
    this.#crypto = crypto
  }

  get(id: IdentityId): IdentityState | undefined {
    const name = toHex(id)
    const known = this.#states.get(name)
    if (known !== undefined) {
      this.#remember(name, known)
      return known
    }
    const log = this.#store.documents.get(kind, id)
    if (log === undefined) return undefined
    const state = replay(this.#crypto, decodeLog(this.#crypto, log))
    this.#remember(name, state)
    return state
  }

  /** The log as it travels. */
  log(id: IdentityId): Uint8Array | undefined {
    return this.#store.documents.get(kind, id)
  }

  /**
   * Takes in a log or new entries of one. Throws what `append` throws, and then nothing changed. The whole
   * decision is made inside the batch, so that two phones that append at once both keep their entry.
   */
  async accept(
    id: IdentityId | undefined,
    encoded: Uint8Array,
  ): Promise<{ state: IdentityState; added: number }> {
    const entries = decodeLog(this.#crypto, encoded)
    const genesis = entries.find((entry) => entry.identity === undefined)
    const owner = id ?? genesis?.hash ?? entries[0]?.identity
    if (owner === undefined) throw new OnehopError('BAD_IDENTITY', 'the log is empty')

    const known = this.get(owner)
    if (known !== undefined && append(this.#crypto, known, entries) === known)
      return { state: known, added: 0 }

    const { state, added } = await this.#store.write((batch) => {
      const stored = this.#store.documents.getIn(batch, kind, owner)
      const before = stored && replay(this.#crypto, decodeLog(this.#crypto, stored))
      const after = before ? append(this.#crypto, before, entries) : replay(this.#crypto, entries)
      if (toHex(after.id) !== toHex(owner)) {
        throw new OnehopError('BAD_IDENTITY', `the log is of ${toHex(after.id)}, not of ${toHex(owner)}`)
      }
      this.#store.documents.putIn(batch, kind, owner, encodeLog(after.entries))
      return { state: after, added: after.entries.length - (before?.entries.length ?? 0) }
    })
    this.#remember(toHex(owner), state)
    if (added > 0) for (const listener of this.#listeners) listener(state)
    return { state, added }
  }

  /** Calls back after every log that grew; returns the way to stop. */
  onGrown(listener: (state: IdentityState) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #remember(name: string, state: IdentityState): void {
    this.#states.delete(name)
    this.#states.set(name, state)
    if (this.#states.size > statesMax) {
      const [oldest] = this.#states.keys()
      this.#states.delete(oldest as string)
    }
  }
}
