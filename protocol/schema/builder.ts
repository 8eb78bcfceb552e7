import type { SchemaDocument } from './document.ts'
import type { Schema } from './schema.ts'
import { parseSchema } from './validate.ts'

/**
 * Declares an app's schema in TypeScript, so that the types of its records follow from it:
 *
 *     export const notes = defineSchema({ onehop: 1, id: 'example.notes', version: 1, collections: { ... } })
 *     type Note = RecordOf<typeof notes, 'notes'>
 *
 * The document passes the same validation as one read from JSON. Throws BAD_SCHEMA naming every problem.
 */
export function defineSchema<const D extends SchemaDocument>(document: D): Schema<D> {
  return parseSchema(document) as Schema<D>
}
