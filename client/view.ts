import { equalBytes, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { decodeViewAnswer } from '../protocol/query/view-answer.ts'
import type { FeedPart } from '../protocol/query/view-answer.ts'
import type { IdentityId, RecordRef } from '../protocol/record/types.ts'
import type { CollectionName } from '../protocol/schema/record-of.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { LivePosition } from '../protocol/api/messages.ts'
import type { AppParts } from './app-parts.ts'
import type { ListOptions } from './collection.ts'
import type { Item, Page, ValueIn } from './item.ts'

/** An item of a page: sections that the page does not show may be missing. */
export type Shown<S extends Schema, C extends CollectionName<S>> = Item<Partial<ValueIn<S, C>>>
type OfCollections<S extends Schema> = { readonly [C in CollectionName<S>]?: Shown<S, C> }

export interface Author<S extends Schema> {
  readonly id: IdentityId
  /** What the view shows of each author, by collection. */
  readonly own: OfCollections<S>
}

export type FeedItem<S extends Schema> = {
  [C in CollectionName<S>]: Omit<Shown<S, C>, 'collection'> & {
    readonly collection: C
    readonly author: Author<S>
  }
}[CollectionName<S>]

/** A page's data, verified: from one node, in one request. */
export interface View<S extends Schema> {
  readonly own: OfCollections<S>
  readonly latest: { readonly [C in CollectionName<S>]?: Page<Partial<ValueIn<S, C>>> }
  readonly feed:
    | {
        /** Newest first. */
        readonly items: readonly FeedItem<S>[]
        /** By id in hex. */
        readonly authors: ReadonlyMap<string, Author<S>>
        readonly more: RecordRef | undefined
      }
    | undefined
  readonly counts: Readonly<Record<string, number>>
  /** How many other nodes had to be asked. */
  readonly requestsBetweenNodes: number
  readonly asOf: bigint
  /** What was left out because it did not verify, one line each. */
  readonly problems: readonly string[]
}

export async function readView<S extends Schema>(
  parts: AppParts,
  name: string,
  options: ListOptions = {},
): Promise<View<S>> {
  const { app, reader, seen } = parts
  const owner = parts.owner(options.owner)
  const token = seen.of(owner)
  const { limit, before, after } = options
  const reply = await parts.callAbout(
    owner,
    'view.get',
    {
      owner,
      app,
      view: name,
      ...(limit === undefined ? {} : { limit }),
      ...(before && { before }),
      ...(after && { after }),
      ...(token && { seen: token }),
    },
    options,
  )
  const answer = decodeViewAnswer(reply.view)
  // The logs of everybody on the page at once; one after the other they would cost a round trip each.
  await parts.identities.gather([owner, ...(answer.feed?.authors ?? []).map(({ id }) => id)], options)

  const problems: string[] = []
  const read = async (
    records: readonly Uint8Array[],
    collection: string,
  ): Promise<Omit<Page<unknown>, 'more'>> => {
    const verified = await reader.records(records, { app, owner, collection }, options)
    let leftOut = 0
    const items = verified.flatMap((record, i) => {
      if (record !== undefined) return reader.item(record, collection) ?? []
      leftOut++
      problems.push(`${collection} ${i + 1}: signed by its device after it was revoked`)
      return []
    })
    return { items, leftOut }
  }
  const own: Record<string, Item<unknown>> = {}
  for (const { record, collection } of answer.own) {
    const item = record && (await read([record], collection)).items[0]
    if (item !== undefined) own[collection] = item
  }
  const latest: Record<string, Page<unknown>> = {}
  for (const { collection, records, more } of answer.latest)
    latest[collection] = { ...(await read(records, collection)), more }
  const stream = parts.schema.document.views?.[name]?.feed?.of
  const feed =
    answer.feed === undefined || stream === undefined
      ? undefined
      : { ...(await readFeed(parts, answer.feed, stream, problems, options)), more: answer.feed.more }
  return {
    own,
    latest,
    feed,
    counts: answer.counts,
    requestsBetweenNodes: Math.max(reply.requestsBetweenNodes, answer.askedNodes),
    asOf: answer.asOf,
    problems,
  } as unknown as View<S>
}

async function readFeed(
  parts: AppParts,
  feed: FeedPart,
  stream: string,
  problems: string[],
  options: ListOptions,
): Promise<{ readonly items: readonly Item<unknown>[]; readonly authors: ReadonlyMap<string, object> }> {
  const { app, reader, schema } = parts
  const authors: { readonly id: IdentityId; readonly own: Record<string, Item<unknown>> }[] = []
  for (const { id, records } of feed.authors) {
    const own: Record<string, Item<unknown>> = {}
    for (const verdict of await reader.verdicts(records, { app, owner: id }, options)) {
      if (!verdict.ok) {
        problems.push(`of author ${toHex(id)}: ${verdict.message}`)
        continue
      }
      const { collection } = verdict.record.header
      const item = schema.collections.has(collection) ? reader.item(verdict.record, collection) : undefined
      if (item !== undefined) own[collection] = item
    }
    authors.push({ id, own })
  }
  const encoded = feed.items.map(({ record }) => record)
  const verdicts = await reader.verdicts(encoded, { app, collection: stream }, options)
  const items = verdicts.flatMap((verdict, i) => {
    const author = authors[feed.items[i]?.author ?? -1]
    if (!verdict.ok) {
      problems.push(`item ${i + 1}: ${verdict.message}`)
      return []
    }
    if (author === undefined || !equalBytes(author.id, verdict.record.header.owner)) {
      problems.push(`item ${i + 1}: shown under an author who did not write it`)
      return []
    }
    const item = reader.item(verdict.record, stream)
    return item === undefined ? [] : [{ ...item, author }]
  })
  return { items, authors: new Map(authors.map((author) => [toHex(author.id), author])) }
}

export interface Feed<S extends Schema> {
  readonly items: readonly Shown<S, CollectionName<S>>[]
  readonly more: RecordRef | undefined
  /** Where a live query goes on. */
  readonly position: LivePosition | undefined
  readonly requestsBetweenNodes: number
  readonly problems: readonly string[]
}

/** The newest of a stream by everybody whom this identity follows. */
export async function readFeedList<S extends Schema>(
  parts: AppParts,
  stream: string,
  options: ListOptions = {},
): Promise<Feed<S>> {
  const { app, reader, seen } = parts
  const owner = parts.self()
  const token = seen.of(owner)
  const { limit, before, after } = options
  const reply = await parts.callAbout(
    owner,
    'feed.list',
    {
      owner,
      app,
      collection: stream,
      ...(limit === undefined ? {} : { limit }),
      ...(before && { before }),
      ...(after && { after }),
      ...(token && { seen: token }),
    },
    options,
  )
  const problems: string[] = []
  const verdicts = await reader.verdicts(reply.records, { app, collection: stream }, options)
  const items = verdicts.flatMap((verdict, i) => {
    if (verdict.ok) return reader.item(verdict.record, stream) ?? []
    problems.push(`item ${i + 1}: ${verdict.message}`)
    return []
  })
  return {
    items: items as unknown as Feed<S>['items'],
    more: reply.more ?? undefined,
    position: reply.position ?? undefined,
    requestsBetweenNodes: reply.requestsBetweenNodes,
    problems,
  }
}

/** The stream of the schema, where it has one alone. */
export function streamOf(schema: Schema, given: string | undefined): string {
  const streams = [...schema.collections.values()].filter(({ stream }) => stream).map(({ name }) => name)
  const [only] = streams
  if (given !== undefined && streams.includes(given)) return given
  if (given === undefined && only !== undefined && streams.length === 1) return only
  throw new OnehopError(
    'UNKNOWN_COLLECTION',
    `name one of the streams of ${schema.id}: ${streams.join(', ') || 'it has none'}`,
  )
}
