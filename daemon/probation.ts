import { concatBytes, toHex } from '../protocol/bytes.ts'
import { decode, encode } from '../protocol/codec.ts'
import { OnehopError } from '../protocol/errors.ts'
import { heldBack, probationMs } from '../protocol/identity/probation.ts'
import type { IdentityState } from '../protocol/identity/types.ts'
import type { Clock } from '../protocol/ports.ts'
import type { DeviceKey } from '../protocol/record/types.ts'
import type { Store, StoreBatch } from '../storage/types.ts'

/** By identity and device on probation: Unix milliseconds when it was first known here. */
const knownKind = 'device-known'

/** Since when devices on probation are known here, and what they may not do yet. */
export class Probation {
  readonly #store: Store
  readonly #clock: Pick<Clock, 'nowMs'>

  constructor(store: Store, clock: Pick<Clock, 'nowMs'>) {
    this.#store = store
    this.#clock = clock
  }

  /** Throws FORBIDDEN where one of the new entries is by a device that is too new for it. */
  check(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
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

  /** Of devices that are new in the log. */
  note(batch: StoreBatch, before: IdentityState | undefined, after: IdentityState): void {
    for (const [name, { key, probation }] of after.devices) {
      if (!probation || before?.devices.has(name) === true) continue
      const since = encode(Math.floor(this.#clock.nowMs()))
      this.#store.documents.putIn(batch, knownKind, concatBytes(after.id, key), since)
    }
  }
}
