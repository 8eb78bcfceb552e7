import { fromHex, toHex } from '../bytes.ts'
import { collectionOf, parseItem } from './check-item.ts'
import type { FieldDocument, FieldType } from './document.ts'
import type { Field, Schema } from './schema.ts'
import type { ItemValue } from './value.ts'

/**
 * Items as JSON, for command lines, imports and pages: bytes of every kind are lower-case hex, all else is itself.
 * Throws BAD_FIELD naming every problem, or UNKNOWN_COLLECTION.
 */
export function itemFromJson(schema: Schema, collectionName: string, json: unknown): ItemValue {
  const { fields } = collectionOf(schema, collectionName)
  if (!isBag(json)) return parseItem(schema, collectionName, json)
  const read = Object.entries(json).map(([name, value]) => [name, convert(fields.get(name), value, bytesOf)])
  return parseItem(schema, collectionName, Object.fromEntries(read))
}

export function itemToJson(
  schema: Schema,
  collectionName: string,
  item: ItemValue,
): Readonly<Record<string, unknown>> {
  const { fields } = collectionOf(schema, collectionName)
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => [name, convert(fields.get(name), value, hexOf)]),
  )
}

type Convert = (value: unknown) => unknown

/** What does not look as it should stays as it is, for the check to name. */
function bytesOf(value: unknown): unknown {
  return typeof value === 'string' ? (fromHex(value) ?? value) : value
}

function hexOf(value: unknown): unknown {
  return value instanceof Uint8Array ? toHex(value) : value
}

function convert(field: Field | undefined, value: unknown, bytes: Convert): unknown {
  return field === undefined ? value : convertField(field.document, value, bytes)
}

function convertField({ type, of }: FieldDocument, value: unknown, bytes: Convert): unknown {
  const entryType = of?.type
  if (entryType === undefined) return convertScalar(type, value, bytes)
  if (Array.isArray(value)) return value.map((entry) => convertScalar(entryType, entry, bytes))
  if (!isBag(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [key, convertScalar(entryType, entry, bytes)]),
  )
}

function convertScalar(type: FieldType, value: unknown, bytes: Convert): unknown {
  if (type === 'bytes' || type === 'image' || type === 'user') return bytes(value)
  if (type === 'blob') return convertKeys(value, ['hash', 'key'], bytes)
  return type === 'record' ? convertKeys(value, ['owner', 'key'], bytes) : value
}

function convertKeys(value: unknown, keys: readonly string[], bytes: Convert): unknown {
  if (!isBag(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, keys.includes(key) ? bytes(part) : part]),
  )
}

function isBag(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  )
}
