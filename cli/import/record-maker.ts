/** Signs what the lines say, so that the same line gives the same record in every run. */
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { privateKeyFor } from '../../protocol/identity/box.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import type { DraftSection } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { itemKey } from '../../protocol/schema/item-key.ts'
import type { Collection, Schema } from '../../protocol/schema/schema.ts'
import { planSections } from '../../protocol/schema/sections.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'
import type { ImportedPerson } from './people.ts'
import { seededCrypto } from './seeded-crypto.ts'

export interface Made {
  readonly collection: Collection
  readonly value: ItemValue
  readonly number: number
  readonly clock: bigint
}

/** The record's bytes as they travel. */
export function makeRecord(
  crypto: CryptoProvider,
  schema: Schema,
  person: ImportedPerson,
  { collection, value, number, clock }: Made,
): Uint8Array {
  if (collection.private) {
    throw new OnehopError('UNSUPPORTED', `${collection.name} is private; other people's records are not`, {
      help: 'Import into a collection that others may read.',
    })
  }
  const owner = person.state.id
  // A number is used once, so nothing drawn for it is ever drawn again.
  const seeded = seededCrypto(crypto, person.device, `onehop/import/record/${number}`)
  const of = { owner, app: schema.id, collection: collection.name }
  const sections = planSections(schema, collection.name, value).map(
    ({ audience, heights, fields }): DraftSection => {
      if (audience === 'public') return { audience, heights, fields }
      if (audience === 'followers')
        throw new OnehopError(
          'UNSUPPORTED',
          `${collection.name} has fields for followers, and imported people have none`,
        )
      const key = privateKeyFor(crypto, person.box, of)
      return { audience, heights, fields, sealing: { epoch: person.box.epoch, key } }
    },
  )
  const expiresMs =
    collection.expiresDays === undefined
      ? undefined
      : Number(clock >> 16n) + collection.expiresDays * 86_400_000
  const record = signRecord(
    seeded,
    {
      ...of,
      author: owner,
      key: itemKey(collection, value, (length) => seeded.random(length)),
      merge: collection.merge,
      number,
      clock,
      operation: 'put',
      schema: schema.hash,
      expiresMs,
      sections,
    },
    person.device.seed,
  )
  return encodeRecord(record)
}
