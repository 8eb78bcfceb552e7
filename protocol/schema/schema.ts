import { isReaderCollection, readerCollections } from '../readers/collections.ts'
import type { MergeKind } from '../record/types.ts'
import type {
  CollectionDocument,
  FieldAudience,
  FieldDocument,
  HierarchyDocument,
  Importance,
  KeyRule,
  SchemaDocument,
} from './document.ts'

/** A schema that was validated, with its name (hash) and every default filled in. Only `validate.ts` makes one. */
export interface Schema<D extends SchemaDocument = SchemaDocument> {
  readonly document: D
  readonly id: string
  readonly version: number
  /** The canonical bytes: what is stored, sent and hashed. */
  readonly bytes: Uint8Array
  /** SHA-256 of the canonical bytes. */
  readonly hash: Uint8Array
  readonly hierarchies: ReadonlyMap<string, HierarchyDocument>
  /** With those of its readers, where something is kept for followers. */
  readonly collections: ReadonlyMap<string, Collection>
}

export interface Collection {
  readonly name: string
  readonly key: KeyRule
  readonly merge: MergeKind
  readonly private: boolean
  readonly stream: boolean
  readonly replicate: number
  /** Which field names the followed user, and which streams are followed. */
  readonly follows: { readonly field: string; readonly streams: readonly string[] } | undefined
  readonly expiresDays: number | undefined
  readonly importance: Importance
  readonly fields: ReadonlyMap<string, Field>
}

export interface Field {
  readonly name: string
  readonly document: FieldDocument
  readonly required: boolean
  readonly audience: FieldAudience
  /** For each hierarchy the smallest scope depth at which this field may be searched. */
  readonly heights: Readonly<Record<string, number>>
}

/** The parts of a compiled schema that follow from a valid document. */
export function compileCollections(document: SchemaDocument): Map<string, Collection> {
  const streams = Object.entries(document.collections)
    .filter(([, collection]) => collection.stream === true)
    .map(([name]) => name)
  const compile = (collections: SchemaDocument['collections']): (readonly [string, Collection])[] =>
    Object.entries(collections).map(([name, collection]) => [
      name,
      compileCollection(name, collection, streams, document),
    ])
  const declared = compile(document.collections)
  const isForFollowers = declared.some(([, { fields }]) =>
    [...fields.values()].some(({ audience }) => audience === 'followers'),
  )
  return new Map([...declared, ...(isForFollowers ? compile(readerCollections) : [])])
}

function compileCollection(
  name: string,
  collection: CollectionDocument,
  streams: readonly string[],
  document: SchemaDocument,
): Collection {
  const isPrivate = collection.private === true
  const fields = Object.entries(collection.fields).map(([fieldName, field]): [string, Field] => [
    fieldName,
    {
      name: fieldName,
      document: field,
      required: field.required === true,
      audience: isPrivate ? 'private' : (field.audience ?? collection.audience ?? 'public'),
      heights: heightsOf(field, document),
    },
  ])
  return {
    name,
    key: collection.key,
    merge: mergeOf(collection),
    private: isPrivate,
    stream: collection.stream === true,
    replicate: collection.replicate ?? 3,
    follows: collection.follows && {
      field: collection.follows.field,
      streams: collection.follows.streams ?? streams,
    },
    expiresDays: collection.expires,
    importance: collection.importance ?? 'normal',
    fields: new Map(fields),
  }
}

/** Items without a key can only be added to; all others keep their newest version. */
export function mergeOf(collection: Pick<CollectionDocument, 'key'>): MergeKind {
  return collection.key === 'none' ? 'append' : 'register'
}

/** Names of levels as depths: the root is 0. */
function heightsOf(field: FieldDocument, document: SchemaDocument): Record<string, number> {
  const heights: Record<string, number> = {}
  for (const [hierarchy, level] of Object.entries(field.search ?? {})) {
    heights[hierarchy] = document.hierarchies?.[hierarchy]?.levels.indexOf(level) ?? 0
  }
  return heights
}

/**
 * Collections that a serving node needs of every followed author: the streams, what feeds show beside them, and the wraps
 * of keys to what both keep for followers.
 */
export function carriedCollections(schema: Schema): readonly string[] {
  const carried = new Set<string>()
  for (const collection of schema.collections.values()) {
    if (collection.stream || isReaderCollection(collection.name)) carried.add(collection.name)
  }
  for (const view of Object.values(schema.document.views ?? {})) {
    for (const path of view.feed?.with ?? []) carried.add(path.slice(0, path.indexOf('.')))
  }
  return [...carried].toSorted()
}
