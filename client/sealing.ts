import { equalBytes } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { privateKeyFor } from '../protocol/identity/box.ts'
import type { BoxSecret } from '../protocol/identity/box.ts'
import { blindCollection, blindingKey, blindItemKey } from '../protocol/record/blind.ts'
import type { DraftSection, RecordHeader } from '../protocol/record/types.ts'
import type { Collection } from '../protocol/schema/schema.ts'
import type { PlannedSection } from '../protocol/schema/sections.ts'
import type { Identity } from './identity.ts'

/** What stands in headers for a private collection and its keys, and the keys that seal and open private sections. */
export class Sealing {
  readonly #crypto: CryptoProvider
  readonly #identity: Identity | undefined
  #blinding: Uint8Array | undefined
  readonly #keys = new Map<string, Uint8Array>()

  constructor(crypto: CryptoProvider, identity: Identity | undefined) {
    this.#crypto = crypto
    this.#identity = identity
  }

  collectionName(app: string, collection: Collection): string {
    return collection.private
      ? blindCollection(this.#crypto, this.#blindingKey(collection), app, collection.name)
      : collection.name
  }

  itemKey(app: string, collection: Collection, key: Uint8Array): Uint8Array {
    return collection.private && collection.merge === 'register'
      ? blindItemKey(this.#crypto, this.#blindingKey(collection), app, collection.name, key)
      : key
  }

  /** `collection` as it stands in the header. */
  seal(section: PlannedSection, app: string, collection: string): DraftSection {
    const { audience, heights, fields } = section
    if (audience === 'public') return { audience, heights, fields }
    if (audience === 'followers') {
      throw new OnehopError('UNSUPPORTED', `${collection}: this release does not seal for followers yet`, {
        help: 'Make the field public or private, or leave it out of what you write.',
      })
    }
    const box = this.#identity?.box()
    if (box === undefined) throw noBox(collection)
    return {
      audience,
      heights: {},
      fields,
      sealing: { epoch: box.epoch, key: this.#audienceKey(box, app, collection) },
    }
  }

  /** The key of a sealed section of a record; undefined where this device has none. */
  keyFor(header: RecordHeader, index: number): Uint8Array | undefined {
    const section = header.sections[index]
    const identity = this.#identity
    if (section?.audience !== 'private' || identity === undefined) return undefined
    if (!equalBytes(identity.id, header.owner)) return undefined
    const box = identity.boxOf(section.epoch)
    return box && this.#audienceKey(box, header.app, header.collection)
  }

  #audienceKey(box: BoxSecret, app: string, collection: string): Uint8Array {
    const name = JSON.stringify([box.epoch, app, collection])
    const known = this.#keys.get(name)
    if (known !== undefined) return known
    const owner = (this.#identity as Identity).id
    const key = privateKeyFor(this.#crypto, box, { owner, app, collection })
    this.#keys.set(name, key)
    return key
  }

  /** From the first box secret, whatever epoch is the newest: an item keeps its name when a device is revoked. */
  #blindingKey(collection: Collection): Uint8Array {
    if (this.#blinding !== undefined) return this.#blinding
    const first = this.#identity?.boxOf(1)
    if (first === undefined) throw noBox(collection.name)
    this.#blinding = blindingKey(this.#crypto, (this.#identity as Identity).id, first.secret)
    return this.#blinding
  }
}

function noBox(collection: string): OnehopError {
  return new OnehopError('FORBIDDEN', `${collection}: this device holds no key to private data`, {
    help: "Use an owner's device, or admit this one anew with leave to read private data.",
  })
}
