import type { FieldDocument, SchemaDocument, TypeDocument } from './document.ts'
import type { Schema } from './schema.ts'
import type { BlobReference, RecordReference } from './value.ts'

/** The TypeScript type of an item: `RecordOf<typeof microblog, 'posts'>`. */
export type RecordOf<S extends Schema, C extends CollectionName<S>> = FieldsOf<
  S['document']['collections'][C]['fields']
>

export type CollectionName<S extends Schema> = keyof S['document']['collections'] & string
export type ViewName<S extends Schema> = keyof NonNullable<S['document']['views']> & string

type Fields = SchemaDocument['collections'][string]['fields']

type FieldsOf<F extends Fields> = Flat<
  { readonly [N in keyof F as F[N]['required'] extends true ? N : never]: ValueOf<F[N]> } & {
    readonly [N in keyof F as F[N]['required'] extends true ? never : N]?: ValueOf<F[N]>
  }
>

type Flat<T> = { [K in keyof T]: T[K] }

interface ScalarOf {
  text: string
  integer: number
  number: number
  boolean: boolean
  time: number
  bytes: Uint8Array
  image: Uint8Array
  blob: BlobReference
  user: Uint8Array
  scope: string
  record: RecordReference
}

type ValueOf<F extends FieldDocument> = F['type'] extends 'list'
  ? readonly EntryOf<F>[]
  : F['type'] extends 'map'
    ? Readonly<Record<string, EntryOf<F>>>
    : F['type'] extends keyof ScalarOf
      ? ScalarOf[F['type']]
      : never

type EntryOf<F extends FieldDocument> = F['of'] extends TypeDocument ? ScalarOf[F['of']['type']] : never
