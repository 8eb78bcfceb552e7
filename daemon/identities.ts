import { concatBytes, emptyBytes, toHex } from '../protocol/bytes.ts'
import { decode, encode } from '../protocol/codec.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { decodeLog, encodeLog } from '../protocol/identity/entry.ts'
import { append, replay } from '../protocol/identity/log.ts'
import { heldBack, probationMs } from '../protocol/identity/probation.ts'
import { recoveryKeysIn } from '../protocol/identity/recovery.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import type { DeviceKey, IdentityId } from '../protocol/record/types.ts'
import type { Store, StoreBatch } from '../storage/types.ts'

const kind = 'identity'
/** By identity and device on probation: Unix milliseconds when it was first known here. */
const knownKind = 'device-known'
/** Empty documents by recovery key and identity: which logs name or named which recovery key. */
export const recoveryKind = 'recovery'

/** States kept replayed. A state is some kilobytes; the rest are replayed from the store in about 0.2 ms. */
const statesMax = 8_192

/** The identity logs that this node knows. They only grow: what was accepted once stays. */
export class Identities {
  readonly #store: Store
  readonly #crypto: CryptoProvider
  readonly #clock: Pick<Clock, 'nowMs'>
  readonly #states = new Map<string, IdentityState>()
  readonly #listeners = new Set<(state: IdentityState) => void>()

  constructor(store: Store, crypto: CryptoProvider, clock: Pick<Clock, 'nowMs'>) {
    this.#store = store
    this.#crypto = crypto
    this.#clock = clock
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
   * decision is made inside the batch, so that two phones that append at once both keep their entry. `isFirst`: a device
   * brings its own entries, and nobody has accepted them yet; FORBIDDEN where it is on probation.
   */
  async accept(
    id: IdentityId | undefined,
    encoded: Uint8Array,
    { isFirst = false }: { readonly isFirst?: boolean } = {},
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
      if (isFirst) this.#checkProbation(batch, before, after)
      this.#noteProbation(batch, before, after)
      this.#store.documents.putIn(batch, kind, owner, encodeLog(after.entries))
      for (const key of recoveryKeysIn(after)) {
        this.#store.documents.putIn(batch, recoveryKind, concatBytes(key, owner), emptyBytes)
      }
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

  #checkProbation(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    const known = new Set(before?.entries.map(({ hash }) => toHex(hash)))
    const knownForMs = (device: DeviceKey): number => {
      if (before?.devices.has(toHex(device)) !== true) return 0
      const since = this.#store.documents.getIn(batch, knownKind, concatBytes(after.id, device))
      return since === undefined ? Infinity : this.#clock.nowMs() - (decode(since) as number)
    }
    for (const entry of after.entries) {
      const held = known.has(toHex(entry.hash)) ? undefined : heldBack(after, entry, knownForMs)
      if (held === undefined) continue
      const hours = Math.ceil((probationMs - knownForMs(held)) / 3_600_000)
      throw new OnehopError(
        'FORBIDDEN',
        `device ${toHex(held)} is new: for ${hours} h it adds and revokes nothing`,
        {
          help: 'Do it with an older device, or vouch for the new one there.',
        },
      )
    }
  }

  /** Since when a device on probation has been known here. */
  #noteProbation(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    for (const [name, { key, probation }] of after.devices) {
      if (!probation || before?.devices.has(name) === true) continue
      const since = encode(Math.floor(this.#clock.nowMs()))
      this.#store.documents.putIn(batch, knownKind, concatBytes(after.id, key), since)
    }
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
