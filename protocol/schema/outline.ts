import { own } from './document-reader.ts'

type Bag = Readonly<Record<string, unknown>>

/**
 * What a document says about the things that its other parts refer to by name. Read leniently before anything is
 * checked, so that the order of the parts does not matter and one fault is not reported again wherever the
 * faulty thing is named.
 */
export class Outline {
  readonly hierarchies: ReadonlyMap<string, readonly string[]>
  readonly collections: ReadonlyMap<string, OutlineCollection>

  constructor(document: Bag) {
    const hierarchies = entriesOf(own(document, 'hierarchies'))
    this.hierarchies = new Map(hierarchies.map(([name, raw]) => [name, textsOf(own(raw, 'levels'))]))
    const collections = entriesOf(own(document, 'collections'))
    this.collections = new Map(collections.map(([name, raw]) => [name, new OutlineCollection(raw)]))
  }

  field(collection: string, field: string): OutlineField | undefined {
    return this.collections.get(collection)?.fields.get(field)
  }
}

export class OutlineCollection {
  readonly raw: Bag
  readonly private: boolean
  readonly stream: boolean
  readonly fields: ReadonlyMap<string, OutlineField>

  constructor(raw: Bag) {
    this.raw = raw
    this.private = own(raw, 'private') === true
    this.stream = own(raw, 'stream') === true
    const audience = own(raw, 'audience') ?? 'public'
    this.fields = new Map(
      entriesOf(own(raw, 'fields')).map(([name, field]) => [
        name,
        {
          type: own(field, 'type'),
          of: own(bagOf(own(field, 'of')) ?? {}, 'type'),
          max: own(field, 'max'),
          required: own(field, 'required') === true,
          audience: this.private ? 'private' : (own(field, 'audience') ?? audience),
          hierarchy: own(field, 'hierarchy'),
          collection: own(field, 'collection'),
          search: bagOf(own(field, 'search')) ?? {},
        },
      ]),
    )
  }

  get single(): boolean {
    return own(this.raw, 'key') === 'single'
  }

  /** The field that the key is made of. */
  get keyField(): unknown {
    return own(bagOf(own(this.raw, 'key')) ?? {}, 'field')
  }

  /** Undefined when its records follow nobody; empty when it means all streams. */
  get followedStreams(): readonly string[] | undefined {
    const follows = bagOf(own(this.raw, 'follows'))
    return follows && textsOf(own(follows, 'streams'))
  }
}

export interface OutlineField {
  readonly type: unknown
  readonly of: unknown
  readonly max: unknown
  readonly required: boolean
  readonly audience: unknown
  readonly hierarchy: unknown
  readonly collection: unknown
  readonly search: Bag
}

export function selectCollections(
  outline: Outline,
  want: (collection: OutlineCollection) => boolean,
): string[] {
  return [...outline.collections].filter(([, collection]) => want(collection)).map(([name]) => name)
}

function bagOf(value: unknown): Bag | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Bag) : undefined
}

function entriesOf(value: unknown): [string, Bag][] {
  return Object.entries(bagOf(value) ?? {}).map(([name, raw]) => [name, bagOf(raw) ?? {}])
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : []
}
