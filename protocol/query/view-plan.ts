import { OnehopError } from '../errors.ts'
import type { SectionHeader } from '../record/types.ts'
import { nearestWord } from '../schema/problem.ts'
import type { Collection, Schema } from '../schema/schema.ts'
import { sectionKind } from '../schema/sections.ts'

/** What a node reads from its own store to answer a view, whatever the app. */
export interface ViewPlan {
  readonly name: string
  /** Collections with one item: its winner. */
  readonly own: readonly string[]
  readonly latest: readonly { readonly collection: string; readonly limit: number }[]
  readonly feed: FeedPlan | undefined
  readonly counts: readonly { readonly name: string; readonly collection: string }[]
}

export interface FeedPlan {
  readonly collection: string
  readonly latest: number
  /** Whose records say whom the page's owner follows, and the field that does. */
  readonly follows: readonly { readonly collection: string; readonly field: string }[]
  /** Of each author once: the winner of these collections. */
  readonly authors: readonly { readonly collection: string; readonly withheld: SectionKinds }[]
  readonly withheld: SectionKinds
}

/** Kinds of section that a page does not show, so that they need not travel. */
export type SectionKinds = ReadonlySet<string>

/** Throws UNKNOWN_VIEW. */
export function planView(schema: Schema, name: string): ViewPlan {
  const views = new Map(Object.entries(schema.document.views ?? {}))
  const view = views.get(name)
  if (view === undefined) {
    const near = nearestWord(name, [...views.keys()])
    const hint = near === undefined ? '' : `, did you mean ${near}?`
    throw new OnehopError(
      'UNKNOWN_VIEW',
      `${schema.id} has no view ${JSON.stringify(name.slice(0, 64))}${hint}`,
    )
  }
  const { feed } = view
  return {
    name,
    own: view.own ?? [],
    latest: view.latest ?? [],
    feed: feed && planFeed(schema, feed.of, feed),
    counts: Object.entries(view.counts ?? {}).map(([count, collection]) => ({ name: count, collection })),
  }
}

/** Every collection whose records a view may show, each once. */
export function viewCollections({ own, latest, feed, counts }: ViewPlan): readonly string[] {
  const named = [...latest, ...counts, ...(feed === undefined ? [] : [feed, ...feed.authors])]
  return [...new Set([...own, ...named.map(({ collection }) => collection)])]
}

/** The plan of a feed outside a view. Throws UNKNOWN_COLLECTION. */
export function planFeed(
  schema: Schema,
  name: string,
  shows: { readonly latest: number; readonly with?: readonly string[]; readonly fields?: readonly string[] },
): FeedPlan {
  const stream = schema.collections.get(name)
  if (stream?.stream !== true) {
    throw new OnehopError(
      'UNKNOWN_COLLECTION',
      `${schema.id} has no stream ${JSON.stringify(name.slice(0, 64))}`,
    )
  }
  return {
    collection: name,
    latest: shows.latest,
    follows: followsOf(schema, name),
    authors: authorsOf(schema, shows.with ?? []),
    withheld: shows.fields === undefined ? new Set() : unshown(stream, shows.fields),
  }
}

function followsOf(schema: Schema, stream: string): { collection: string; field: string }[] {
  return [...schema.collections.values()].flatMap(({ name, follows }) =>
    follows?.streams.includes(stream) === true ? [{ collection: name, field: follows.field }] : [],
  )
}

function authorsOf(
  schema: Schema,
  paths: readonly string[],
): { collection: string; withheld: SectionKinds }[] {
  const shown = new Map<string, string[]>()
  for (const path of paths) {
    const [collection = '', field = ''] = path.split('.')
    shown.set(collection, [...(shown.get(collection) ?? []), field])
  }
  return [...shown].flatMap(([name, fields]) => {
    const collection = schema.collections.get(name)
    return collection === undefined ? [] : [{ collection: name, withheld: unshown(collection, fields) }]
  })
}

/** Named are those to leave out, not those to keep: a record of a newer schema may have kinds unknown here. */
function unshown(collection: Collection, shown: readonly string[]): SectionKinds {
  const kinds = new Set([...collection.fields.values()].map(sectionKind))
  for (const name of shown) {
    const field = collection.fields.get(name)
    if (field !== undefined) kinds.delete(sectionKind(field))
  }
  return kinds
}

/** Does a page with this plan show the section? */
export function isShown(withheld: SectionKinds, section: SectionHeader): boolean {
  return withheld.size === 0 || !withheld.has(sectionKind(section))
}
