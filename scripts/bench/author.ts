import { microblog } from '../../client/microblog.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { encodeLog } from '../../protocol/identity/entry.ts'
import { createIdentity, deviceFromSeed } from '../../protocol/identity/make.ts'
import type { DeviceSecrets, IdentityState } from '../../protocol/identity/types.ts'
import { HybridClock } from '../../protocol/record/clock.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { itemKey } from '../../protocol/schema/item-key.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'

/** What the other packages were measured with: 300 bytes of content in each record. */
export const contentBytes = 300

/** A person with one device who writes microblog items as an app would. */
export class Author {
  readonly device: DeviceSecrets
  readonly state: IdentityState
  /** As it travels. */
  readonly log: Uint8Array
  readonly #crypto: CryptoProvider
  readonly #clock = new HybridClock()
  #number = 0

  /** `cloned`: with whose keys, and with numbers that begin anew. */
  constructor(crypto: CryptoProvider, cloned?: Author) {
    this.#crypto = crypto
    this.device = cloned?.device ?? deviceFromSeed(crypto, crypto.random(32))
    this.state = cloned?.state ?? createIdentity(crypto, this.device).state
    this.log = encodeLog(this.state.entries)
  }

  get id(): Uint8Array {
    return this.state.id
  }

  sign(
    collectionName: keyof typeof microblog.document.collections,
    value: ItemValue,
    nowMs: number,
  ): SignedRecord {
    const collection = microblog.collections.get(collectionName)
    if (collection === undefined) throw new Error(`no collection ${collectionName}`)
    return signRecord(
      this.#crypto,
      {
        owner: this.id,
        author: this.id,
        app: microblog.id,
        collection: collectionName,
        key: itemKey(collection, value, (length) => this.#crypto.random(length)),
        merge: collection.merge,
        number: ++this.#number,
        clock: this.#clock.tick(nowMs),
        operation: 'put',
        schema: microblog.hash,
        expiresMs: undefined,
        sections: planSections(microblog, collectionName, value),
      },
      this.device.seed,
    )
  }

  /** A post of 300 bytes of text, no two alike. */
  post(nowMs = Date.now()): Uint8Array {
    const text = `Post ${this.#number + 1} of ${contentBytes} bytes. `.padEnd(
      contentBytes,
      'Words that say little. ',
    )
    return encodeRecord(this.sign('posts', { text }, nowMs))
  }
}
