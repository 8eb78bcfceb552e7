/** What a field takes, as a value, beside the function that reads it: the grammar in README.md is written from it. */
import type { Field } from './fields.ts'

export type FieldShape =
  | { readonly kind: 'boolean' }
  | { readonly kind: 'uint'; readonly max: number }
  | { readonly kind: 'u64' }
  | { readonly kind: 'name' }
  | { readonly kind: 'text'; readonly bytesMax: number }
  | { readonly kind: 'bytes'; readonly bytesMin: number; readonly bytesMax: number }
  | { readonly kind: 'choice'; readonly choices: readonly string[] }
  | { readonly kind: 'null-or'; readonly of: Field<unknown> }
  | { readonly kind: 'optional'; readonly of: Field<unknown> }
  | { readonly kind: 'list'; readonly of: Field<unknown>; readonly max: number }
  | { readonly kind: 'map'; readonly members: Readonly<Record<string, Field<unknown>>> }
  | { readonly kind: 'tally'; readonly max: number }

const shapes = new WeakMap<Field<unknown>, FieldShape>()

export function shaped<T>(shape: FieldShape, field: Field<T>): Field<T> {
  shapes.set(field, shape)
  return field
}

export function shapeOf(field: Field<unknown>): FieldShape {
  const shape = shapes.get(field)
  if (shape === undefined) throw new Error('a field without a shape')
  return shape
}
