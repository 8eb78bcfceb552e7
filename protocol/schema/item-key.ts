import { concatBytes, emptyBytes, utf8 } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { Collection } from './schema.ts'
import type { ItemValue, RecordReference } from './value.ts'

/** Drawn keys never meet: 2^64 items for an even chance. */
const randomKeyBytes = 16

/** The key of a new item's record. `random` is asked only where the collection's key is random. */
export function itemKey(
  collection: Collection,
  value: ItemValue,
  random: (length: number) => Uint8Array,
): Uint8Array {
  if (collection.key === 'random') return random(randomKeyBytes)
  if (typeof collection.key === 'string') return emptyBytes
  const field = value[collection.key.field]
  return keyOfValue(collection, field)
}

/**
 * The key of the one item that has this value in the key field: to read, change or delete it. Text, scope, bytes
 * and user are their own bytes; integer and time eight bytes that sort as the numbers do; a record its owner and key.
 */
export function keyOfValue(collection: Collection, value: unknown): Uint8Array {
  const key = keyBytes(value)
  if (key !== undefined && key.length <= limits.recordKeyBytesMax) return key
  throw new OnehopError('BAD_FIELD', `${collection.name}: no key can be made of the key field's value`, {
    help: 'Give the key field a value that the schema allows.',
  })
}

function keyBytes(value: unknown): Uint8Array | undefined {
  if (typeof value === 'string') return utf8(value)
  if (value instanceof Uint8Array) return value
  if (Number.isSafeInteger(value)) return sortableBytes(value as number)
  if (typeof value !== 'object' || value === null) return undefined
  const { owner, key } = value as Partial<RecordReference>
  return owner instanceof Uint8Array && key instanceof Uint8Array ? concatBytes(owner, key) : undefined
}

function sortableBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  // The offset puts the negative ones below zero's bytes.
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value) + 2n ** 63n)
  return bytes
}
