import { describe, expect, expectTypeOf, it } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import type { CollectionName, RecordOf, ViewName } from '../../protocol/schema/record-of.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import type { BlobReference, ItemValue, RecordReference } from '../../protocol/schema/value.ts'

const everything = defineSchema({
  onehop: 1,
  id: 'example.everything',
  version: 1,
  hierarchies: { geo: { levels: ['world'], leaf: 'all.scope' } },
  collections: {
    all: {
      key: 'single',
      fields: {
        text: { type: 'text', required: true },
        integer: { type: 'integer' },
        number: { type: 'number' },
        boolean: { type: 'boolean', required: true },
        time: { type: 'time' },
        bytes: { type: 'bytes' },
        image: { type: 'image' },
        blob: { type: 'blob' },
        user: { type: 'user' },
        scope: { type: 'scope', hierarchy: 'geo' },
        record: { type: 'record' },
        list: { type: 'list', of: { type: 'user' } },
        map: { type: 'map', of: { type: 'number' }, required: true },
      },
    },
  },
})

describe('types from the builder', () => {
  it('follow from the fields', () => {
    expectTypeOf<RecordOf<typeof everything, 'all'>>().toEqualTypeOf<{
      readonly text: string
      readonly boolean: boolean
      readonly map: Readonly<Record<string, number>>
      readonly integer?: number
      readonly number?: number
      readonly time?: number
      readonly bytes?: Uint8Array
      readonly image?: Uint8Array
      readonly blob?: BlobReference
      readonly user?: Uint8Array
      readonly scope?: string
      readonly record?: RecordReference
      readonly list?: readonly Uint8Array[]
    }>()
    expectTypeOf<RecordOf<typeof microblog, 'follows'>>().toEqualTypeOf<{ readonly user: Uint8Array }>()
    expect(everything.collections.get('all')?.fields.size).toBe(13)
  })

  it('know the names of collections and views', () => {
    expectTypeOf<CollectionName<typeof microblog>>().toEqualTypeOf<
      'profile' | 'posts' | 'follows' | 'notes'
    >()
    expectTypeOf<ViewName<typeof microblog>>().toEqualTypeOf<'home' | 'person'>()
    // @ts-expect-error there is no such collection
    type None = RecordOf<typeof microblog, 'nothing'>
    expectTypeOf<None>().not.toBeAny()
  })

  it('fit where any schema and any item does', () => {
    expectTypeOf(microblog).toExtend<Schema>()
    expectTypeOf<RecordOf<typeof everything, 'all'>>().toExtend<ItemValue>()
    expectTypeOf<RecordOf<Schema, string>>().toExtend<object>()
  })

  it('are no way round validation', () => {
    const misspelt = { type: 'text', serach: { geo: 'world' } } as const
    expect(() =>
      defineSchema({
        onehop: 1,
        id: 'example.bad',
        version: 1,
        collections: { a: { key: 'none', fields: { b: misspelt } } },
      }),
    ).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA' }))
    const unknownType = { type: 'string' } as const
    const collections = { a: { key: 'none', fields: { unknownType } } } as const
    // @ts-expect-error there is no such type
    const declare = (): unknown => defineSchema({ onehop: 1, id: 'a.b', version: 1, collections })
    expect(declare).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA' }))
  })
})
