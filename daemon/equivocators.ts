import { toHex } from '../protocol/bytes.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Store } from '../storage/types.ts'

/** Shards whose devices are kept here: nearly always none of them, so this is some kilobytes a thousand. */
const shardsMax = 8_192

/**
 * Devices that are proven to have used one number twice, by shard. Asked at every write of a client: read from the disk
 * once, and kept up from then on by what is stored.
 */
export class Equivocators {
  readonly #store: Store
  readonly #shards = new Map<string, { readonly devices: Set<string>; readonly loaded: Promise<void> }>()

  constructor(store: Store) {
    this.#store = store
  }

  /** The set lives on: what is proven later is in it too. */
  async of(shard: IdentityId, name = toHex(shard)): Promise<ReadonlySet<string>> {
    const known = this.#shards.get(name) ?? this.#load(shard, name)
    await known.loaded
    return known.devices
  }

  /** Another record of the number was here before. */
  note(shard: IdentityId, device: Uint8Array): void {
    this.#shards.get(toHex(shard))?.devices.add(toHex(device))
  }

  /** In the map before it is read, so that what is stored meanwhile is noted. */
  #load(shard: IdentityId, name: string): { devices: Set<string>; loaded: Promise<void> } {
    const devices = new Set<string>()
    const loaded = this.#store.records.equivocations(shard).then((proven) => {
      for (const { device } of proven) devices.add(toHex(device))
    })
    // A disk that failed is asked again.
    loaded.catch(() => this.#shards.delete(name))
    const [oldest] = this.#shards.keys()
    if (oldest !== undefined && this.#shards.size >= shardsMax) this.#shards.delete(oldest)
    const entry = { devices, loaded }
    this.#shards.set(name, entry)
    return entry
  }
}
