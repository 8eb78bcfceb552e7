import { OnehopError } from '../errors.ts'
import { checkFieldValue } from './check-value.ts'
import { checkSealing } from './check-sealing.ts'
import { type Problem, Problems, describeProblems, nearestWord } from './problem.ts'
import type { Collection, Schema } from './schema.ts'
import type { ItemValue } from './value.ts'

/** Throws UNKNOWN_COLLECTION. */
export function collectionOf(schema: Schema, name: string): Collection {
  const collection = schema.collections.get(name)
  if (collection !== undefined) return collection
  const names = Object.keys(schema.document.collections)
  const near = nearestWord(name, names)
  const hint = near === undefined ? '' : `, did you mean ${near}?`
  throw new OnehopError(
    'UNKNOWN_COLLECTION',
    `${schema.id} has no collection ${JSON.stringify(name.slice(0, 64))}${hint}`,
    { help: `It has: ${names.join(', ')}.` },
  )
}

/** Everything that is wrong with an item, before it is written. A field that is undefined counts as left out. */
export function checkItem(schema: Schema, collectionName: string, value: unknown): readonly Problem[] {
  const collection = collectionOf(schema, collectionName)
  const problems = new Problems()
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Uint8Array) {
    problems.add('', 'is not an object', 'Give the fields by name')
    return problems.list
  }
  const given = new Map(Object.entries(value).filter(([, fieldValue]) => fieldValue !== undefined))
  for (const [name, fieldValue] of given) {
    const field = collection.fields.get(name)
    if (field === undefined) {
      const near = nearestWord(name, [...collection.fields.keys()])
      problems.add(
        name,
        'unknown field',
        near === undefined ? 'Remove it' : `Did you mean "${near}"? Else remove it`,
      )
      continue
    }
    const fault = checkFieldValue(field.document, schema.hierarchies, fieldValue)
    if (fault !== undefined) {
      problems.add(name + fault.at, fault.message, fault.fix)
      continue
    }
    const open = checkSealing(field, fieldValue)
    if (open !== undefined) problems.add(name, open.message, open.fix)
  }
  for (const field of collection.fields.values()) {
    if (field.required && !given.has(field.name))
      problems.add(field.name, 'is missing', 'Give a value; it is required')
  }
  return problems.list
}

/** The value as an item. Throws BAD_FIELD naming every problem, or UNKNOWN_COLLECTION. */
export function parseItem(schema: Schema, collection: string, value: unknown): ItemValue {
  const problems = checkItem(schema, collection, value)
  if (problems.length === 0) return value as ItemValue
  throw new OnehopError('BAD_FIELD', `${collection}: ${describeProblems(problems)}`)
}
