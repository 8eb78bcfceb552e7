/** One line of the file as one record to write: whose it is, in which collection, and what it says. */
import { fromHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import { itemFromJson } from '../../protocol/schema/json-value.ts'
import type { Collection, Schema } from '../../protocol/schema/schema.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'

export interface LineForm {
  readonly schema: Schema
  /** Where a line's record goes, unless the line says so itself. */
  readonly collection: string | undefined
  /** Which key of the line names its collection. */
  readonly collectionField?: string | undefined
  readonly userField: string
  /** Which key of the line says where its user is at home; goes into the profile. */
  readonly scopeField?: string | undefined
  /** Which key of the line says when it was written. */
  readonly timeField?: string | undefined
  /** Field of the schema -> key of the line, where they differ. */
  readonly rename?: ReadonlyMap<string, string> | undefined
  /** The id of a user of this import by their name in the file. */
  readonly idOf: (user: string) => Uint8Array
}

export interface Entry {
  readonly user: string
  readonly collection: Collection
  readonly value: ItemValue
  readonly scope: string | undefined
  readonly timeMs: number | undefined
}

const userLengthMax = 256

/** Throws BAD_FIELD, BAD_REQUEST or UNKNOWN_COLLECTION saying what is wrong with the line. */
export function readLine(text: string, form: LineForm): Entry {
  const line = parseObject(text)
  const user = textAt(line, form.userField)
  if (user === undefined || user === '') throw bad(`${form.userField} names no user`)
  if (user.length > userLengthMax) throw bad(`${form.userField} is longer than ${userLengthMax} letters`)
  const named = form.collectionField === undefined ? undefined : textAt(line, form.collectionField)
  const collectionName = named ?? form.collection
  if (collectionName === undefined) throw bad(`${form.collectionField} names no collection`)
  const collection = collectionOf(form.schema, collectionName)
  return {
    user,
    collection,
    value: itemFromJson(form.schema, collectionName, fieldsOf(line, collection, form)),
    scope: form.scopeField === undefined ? undefined : textAt(line, form.scopeField),
    timeMs: form.timeField === undefined ? undefined : timeOf(line[form.timeField], form.timeField),
  }
}

function parseObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new OnehopError('BAD_REQUEST', `not JSON: ${(cause as Error).message}`, { cause })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value))
    return value as Readonly<Record<string, unknown>>
  throw bad('not a JSON object')
}

/** What the schema knows of the line. Files come with much else, which stays behind. */
function fieldsOf(
  line: Readonly<Record<string, unknown>>,
  collection: Collection,
  form: LineForm,
): Record<string, unknown> {
  const fields: Record<string, unknown> = {}
  for (const [name, { document }] of collection.fields) {
    const key = form.rename?.get(name) ?? name
    if (!Object.hasOwn(line, key)) continue
    const value = line[key]
    if (value === null || value === undefined) continue
    fields[name] = document.type === 'user' ? userOf(value, form) : value
  }
  return fields
}

/** People of the same file are named as the file names them. */
function userOf(value: unknown, form: LineForm): unknown {
  if (typeof value !== 'string' || value === '') return value
  return fromHex(value, 32) === undefined ? Buffer.from(form.idOf(value)).toString('hex') : value
}

function textAt(line: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const value = Object.hasOwn(line, key) ? line[key] : undefined
  if (typeof value === 'string') return value
  return typeof value === 'number' ? String(value) : undefined
}

/** Before this number of seconds (the year 5138) a time is in seconds, after it in milliseconds (from 1973). */
const secondsMax = 1e11

function timeOf(value: unknown, key: string): number | undefined {
  if (value === undefined || value === null) return undefined
  const numeric = typeof value === 'string' && /^\d+(\.\d+)?$/.test(value) ? Number(value) : value
  const timeMs =
    typeof numeric === 'number'
      ? numeric < secondsMax
        ? numeric * 1000
        : numeric
      : typeof numeric === 'string'
        ? Date.parse(numeric)
        : Number.NaN
  if (Number.isFinite(timeMs) && timeMs >= 0) return Math.floor(timeMs)
  throw bad(`${key} is no time: seconds or milliseconds since 1970, or ISO 8601`)
}

function bad(message: string): OnehopError {
  return new OnehopError('BAD_FIELD', message)
}
