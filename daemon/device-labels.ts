import { concatBytes } from '../protocol/bytes.ts'
import { encode } from '../protocol/codec.ts'
import { decodeAs, struct, text } from '../protocol/shape.ts'
import { pairingLimits } from '../protocol/pairing/index.ts'
import type { DeviceKey, IdentityId } from '../protocol/record/types.ts'
import type { Store } from '../storage/types.ts'

const kind = 'device-label'
const shape = struct({ label: text(pairingLimits.labelBytesMax) })

/**
 * What devices called themselves when they paired here. Kept at this node alone: a name that a person gave a thing of
 * theirs is nobody else's business, and the identity log would show it to everybody.
 */
export class DeviceLabels {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** Empty for a device that never paired here. */
  get(identity: IdentityId, device: DeviceKey): string {
    const bytes = this.#store.documents.get(kind, concatBytes(identity, device))
    return bytes === undefined ? '' : decodeAs(shape, bytes, kind).label
  }

  async keep(identity: IdentityId, device: DeviceKey, label: string): Promise<void> {
    await this.#store.documents.put(kind, concatBytes(identity, device), encode([label]))
  }
}
