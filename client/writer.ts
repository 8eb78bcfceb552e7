import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import { HybridClock } from '../protocol/record/clock.ts'
import { signRecord } from '../protocol/record/sign.ts'
import type { IdentityId, RecordDraft, SignedRecord } from '../protocol/record/types.ts'
import { encodeRecord } from '../protocol/record/wire.ts'
import type { Identity } from './identity/identity.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { outboxName } from './outbox-entry.ts'
import { requireOwnKey } from './identity/own-key.ts'
import { readWriterState, writerState, writtenShardsMax } from './writer-state.ts'

export interface WriterParts {
  readonly keys: KeyStore
  readonly crypto: CryptoProvider
  readonly clock: Clock
  readonly identity: Identity
  /** What to add to this device's clock to get the node's. */
  readonly offsetMs: () => number
}

export interface Written {
  readonly record: SignedRecord
  readonly bytes: Uint8Array
  readonly name: string
}

/** Number and clock are the writer's; the rest follows from the clock where it has to. */
export type UnnumberedDraft = (clock: bigint) => Omit<RecordDraft, 'number' | 'clock' | 'author'>

/**
 * The one place where this device's records get their numbers.
 *
 * 1. A number is used once. Numbers, clock and the signed records themselves are kept in one step, under a lock that
 *    all tabs share: after a crash either both are there or neither.
 * 2. No number is left out: gaps would stay in every replica's memory.
 */
export class Writer {
  readonly #parts: WriterParts

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  async write(drafts: readonly UnnumberedDraft[]): Promise<readonly Written[]> {
    const { keys, crypto, clock, identity } = this.#parts
    return keys.lock(keyNames.writer, async () => {
      await requireOwnKey(keys, identity.device.seed)
      const state = await readWriterState(keys)
      const hybrid = new HybridClock(state.clock)
      const written = drafts.map((make): Written => {
        const at = hybrid.tick(clock.nowMs() + this.#parts.offsetMs())
        const draft = make(at)
        const name = toHex(draft.owner)
        const number = (state.lastNumbers.get(name)?.last ?? 0) + 1
        if (!state.lastNumbers.has(name) && state.lastNumbers.size >= writtenShardsMax)
          throw new OnehopError('UNSUPPORTED', `one device writes to at most ${writtenShardsMax} shards`)
        const record = signRecord(
          crypto,
          { ...draft, author: identity.id, number, clock: at },
          identity.device.seed,
        )
        if (!equalBytes(record.header.device, identity.device.key))
          throw new OnehopError('INTERNAL', 'signed by another key than this device')
        state.lastNumbers.set(name, { owner: draft.owner, last: number })
        return { record, bytes: encodeRecord(record), name: outboxName(record) }
      })
      const changes = new Map<string, Uint8Array | undefined>()
      changes.set(keyNames.writer, writerState(hybrid.last, state.lastNumbers.values()))
      for (const { name, bytes: recordBytes } of written) changes.set(name, recordBytes)
      await keys.write(changes)
      return written
    })
  }

  /**
   * A node knows of records that this install does not: it was restored from a backup, and goes on after them. A number
   * used twice would be held against the device for good.
   */
  async goOnAfter(owner: IdentityId, last: number): Promise<void> {
    const { keys, identity } = this.#parts
    await keys.lock(keyNames.writer, async () => {
      await requireOwnKey(keys, identity.device.seed)
      const state = await readWriterState(this.#parts.keys)
      const name = toHex(owner)
      if ((state.lastNumbers.get(name)?.last ?? 0) >= last) return
      state.lastNumbers.set(name, { owner, last })
      await keys.write(new Map([[keyNames.writer, writerState(state.clock, state.lastNumbers.values())]]))
    })
  }

  /** The last number that this install gave a record there; 0 before the first. */
  async lastNumber(owner: IdentityId): Promise<number> {
    const { lastNumbers } = await readWriterState(this.#parts.keys)
    return lastNumbers.get(toHex(owner))?.last ?? 0
  }
}
