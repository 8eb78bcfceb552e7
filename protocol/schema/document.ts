/**
 * The document that an app's author writes. Everything a node does for an app follows from it: where records
 * are kept and in how many copies, who may read each field, how far up it may be searched, what streams to
 * followers, what a page shows. The reference with an example is in protocol/README.md.
 */
export interface SchemaDocument {
  /** The format of this document. */
  readonly onehop: 1
  /** A dotted name that is the app's alone, such as `example.microblog`. */
  readonly id: string
  /** From 1; every published change raises it. */
  readonly version: number
  readonly title?: string
  readonly shard?: ShardRule
  readonly hierarchies?: Readonly<Record<string, HierarchyDocument>>
  readonly collections: Readonly<Record<string, CollectionDocument>>
  readonly views?: Readonly<Record<string, ViewDocument>>
  readonly rollups?: Readonly<Record<string, RollupDocument>>
}

/** What all records of one shard share: their owner (the default), a scope of a hierarchy, or a field's value. */
export type ShardRule = 'owner' | { readonly scope: string } | { readonly field: string }

export interface HierarchyDocument {
  /** Names of the depths, from the root (depth 0) down. */
  readonly levels: readonly string[]
  /** `collection.field` whose current value is the one place of a shard in this hierarchy. */
  readonly leaf: string
}

/**
 * How an item gets its key. `single`: one item per owner. `none`: every record is an item of its own.
 * `random`: the app draws a key. `{field}`: one item per value of that field.
 */
export type KeyRule = 'single' | 'none' | 'random' | { readonly field: string }
export type MergeRule = 'register' | 'append'
export type FieldAudience = 'public' | 'followers' | 'private'
export type Importance = 'low' | 'normal' | 'high'

export interface CollectionDocument {
  readonly key: KeyRule
  /** `append` when the key is `none`, else `register`; may be said again, never otherwise. */
  readonly merge?: MergeRule
  /** Sealed for the owner's devices whole, name and keys included. */
  readonly private?: boolean
  /** New records go out to those who follow their owner. */
  readonly stream?: boolean
  /** Copies beside the home node: 0 to 8, 3 when not said. */
  readonly replicate?: number
  /** Each record means: the owner follows the user in this field, in these streams (all when not said). */
  readonly follows?: { readonly field: string; readonly streams?: readonly string[] }
  /** Records hide themselves this many days after they were written. */
  readonly expires?: number
  /** What is carried first and dropped last when links or disks are short. */
  readonly importance?: Importance
  /** For fields that do not say their own; `public` when not said. */
  readonly audience?: FieldAudience
  readonly fields: Readonly<Record<string, FieldDocument>>
}

export type ScalarType =
  | 'text'
  | 'integer'
  | 'number'
  | 'boolean'
  | 'time'
  | 'bytes'
  | 'image'
  | 'blob'
  | 'user'
  | 'scope'
  | 'record'
export type FieldType = ScalarType | 'list' | 'map'

/** What one value looks like. */
export interface TypeDocument {
  readonly type: ScalarType
  /** text, bytes, image: bytes (of UTF-8); integer, number, time: the value; blob: bytes of the file. */
  readonly max?: number
  /** integer, number, time: the smallest value. */
  readonly min?: number
  /** scope: the hierarchy it must lie in. */
  readonly hierarchy?: string
  /** record: the collection it must lie in. */
  readonly collection?: string
}

export interface FieldDocument extends Omit<TypeDocument, 'type'> {
  readonly type: FieldType
  /** list and map: how each entry looks; `max` then counts entries. */
  readonly of?: TypeDocument
  readonly required?: boolean
  readonly audience?: FieldAudience
  /** For each hierarchy the highest level at which this field may be searched; only public fields may be. */
  readonly search?: Readonly<Record<string, string>>
}

/** A page's data, answered whole by one node. The page is somebody's: all parts are about that person. */
export interface ViewDocument {
  /** Their current record of each of these collections (key `single`). */
  readonly own?: readonly string[]
  /** The newest records of a stream by everybody they follow. */
  readonly feed?: FeedDocument
  /** Their own newest records. */
  readonly latest?: readonly LatestDocument[]
  /** Name in the answer -> collection whose items of theirs are counted. */
  readonly counts?: Readonly<Record<string, string>>
}

export interface FeedDocument {
  readonly of: string
  readonly latest: number
  /** `collection.field` of each author that the page shows; the collection has the key `single`. */
  readonly with?: readonly string[]
  /** Fields of the stream that the page shows; all when not said. */
  readonly fields?: readonly string[]
}

export interface LatestDocument {
  readonly collection: string
  readonly limit: number
}

/** Kept exact at every aggregator of the hierarchy up to the height at which the field may be searched. */
export type RollupDocument =
  | { readonly count: string; readonly by: string }
  | { readonly sum: string; readonly by: string }
  | { readonly histogram: string; readonly by: string; readonly step: number }
  | { readonly top: string; readonly by: string; readonly limit: number }
