import { importedPerson, type ImportedPerson } from '../../../cli/import/people.ts'
import { microblog } from '../../../client/microblog.ts'
import { emptyBytes, utf8 } from '../../../protocol/bytes.ts'
import type { CryptoProvider } from '../../../protocol/crypto/provider.ts'
import { privateKeyFor } from '../../../protocol/identity/box.ts'
import { blindCollection, blindItemKey, blindingKey } from '../../../protocol/record/blind.ts'
import { clockOf } from '../../../protocol/record/clock.ts'
import { signRecord } from '../../../protocol/record/sign.ts'
import { encodeRecord } from '../../../protocol/record/wire.ts'
import { collectionOf } from '../../../protocol/schema/check-item.ts'
import { itemKey } from '../../../protocol/schema/item-key.ts'
import { planSections } from '../../../protocol/schema/sections.ts'
import type { ItemValue } from '../../../protocol/schema/value.ts'

export type CollectionName = 'profile' | 'posts' | 'follows'

/** Signed and not yet sent. */
export interface Draft {
  readonly owner: number
  readonly collection: string
  readonly clock: bigint
  readonly bytes: Uint8Array
  readonly value: Readonly<Record<string, unknown>>
}

const seed = 'neighbourhood'

/** Signs in everybody's name: the devices of all people of the trial, as `onehop import` makes them. */
export class Writer {
  readonly crypto: CryptoProvider
  readonly #people: ImportedPerson[] = []
  readonly #numbers: number[] = []

  constructor(crypto: CryptoProvider) {
    this.crypto = crypto
  }

  person(number: number): ImportedPerson {
    return (this.#people[number] ??= importedPerson(this.crypto, seed, `person-${number}`))
  }

  id(number: number): Uint8Array {
    return this.person(number).state.id
  }

  /** Only what everybody may read: no other collections than these. */
  write(owner: number, collection: CollectionName, value: ItemValue, writtenMs: number): Draft {
    const { crypto } = this
    const { state, device } = this.person(owner)
    const clock = clockOf(Math.floor(writtenMs))
    const of = collectionOf(microblog, collection)
    const record = signRecord(
      crypto,
      {
        owner: state.id,
        author: state.id,
        app: microblog.id,
        collection,
        key: itemKey(of, value, (length) => crypto.random(length)) ?? emptyBytes,
        merge: of.merge,
        number: this.#nextNumber(owner),
        clock,
        operation: 'put',
        schema: microblog.hash,
        expiresMs: undefined,
        sections: planSections(microblog, collection, value).map(({ heights, fields }) => ({
          audience: 'public',
          heights,
          fields,
        })),
      },
      device.seed,
    )
    return { owner, collection, clock, bytes: encodeRecord(record), value }
  }

  /** Sealed before it leaves the device, its collection and key blinded. */
  writeNote(owner: number, text: string, writtenMs: number): Draft {
    const { crypto } = this
    const { state, box, device } = this.person(owner)
    const key = blindingKey(crypto, state.id, box.secret)
    const collection = blindCollection(crypto, key, microblog.id, 'notes')
    const of = { owner: state.id, app: microblog.id, collection }
    const clock = clockOf(Math.floor(writtenMs))
    const record = signRecord(
      crypto,
      {
        ...of,
        author: state.id,
        key: blindItemKey(crypto, key, microblog.id, 'notes', utf8(text).subarray(0, 16)),
        merge: 'register',
        number: this.#nextNumber(owner),
        clock,
        operation: 'put',
        schema: microblog.hash,
        expiresMs: undefined,
        sections: [
          {
            audience: 'private',
            heights: {},
            fields: { text },
            sealing: { epoch: box.epoch, key: privateKeyFor(crypto, box, of) },
          },
        ],
      },
      device.seed,
    )
    return { owner, collection, clock, bytes: encodeRecord(record), value: { text } }
  }

  /** One device, one counter: each number is used once, whichever node takes the record. */
  #nextNumber(owner: number): number {
    return (this.#numbers[owner] = (this.#numbers[owner] ?? 0) + 1)
  }
}
