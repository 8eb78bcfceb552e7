import type { SchemaDocument, ViewDocument } from './document.ts'
import type { Problems } from './problem.ts'
import type { Schema } from './schema.ts'

/** Old pages ask for old views, and must find every part in them. */
export function compatibleViews(problems: Problems, old: Schema, next: Schema): void {
  const successors = new Map(Object.entries(next.document.views ?? {}))
  for (const [name, view] of Object.entries(old.document.views ?? {})) {
    const path = `views.${name}`
    const successor = successors.get(name)
    if (successor === undefined) problems.add(path, 'was removed, and old apps show it', 'Put it back')
    else compatibleView(problems, path, view, successor)
  }
}

function compatibleView(problems: Problems, path: string, old: ViewDocument, next: ViewDocument): void {
  missing(problems, `${path}.own`, old.own, next.own)
  missing(
    problems,
    `${path}.latest`,
    old.latest?.map((part) => part.collection),
    next.latest?.map((part) => part.collection),
  )
  for (const [name, collection] of Object.entries(old.counts ?? {})) {
    const counted = new Map(Object.entries(next.counts ?? {})).get(name)
    if (counted !== collection) problems.add(`${path}.counts.${name}`, `counted ${collection}`, 'Put it back')
  }
  if (old.feed === undefined) return
  if (next.feed === undefined || next.feed.of !== old.feed.of) {
    problems.add(`${path}.feed`, `was of ${old.feed.of}`, 'Put it back, or declare another view')
    return
  }
  missing(problems, `${path}.feed.with`, old.feed.with, next.feed.with)
  if (next.feed.fields === undefined) return
  if (old.feed.fields === undefined) {
    problems.add(`${path}.feed.fields`, 'was added, and all were shown', 'Remove it')
  } else missing(problems, `${path}.feed.fields`, old.feed.fields, next.feed.fields)
}

function missing(
  problems: Problems,
  path: string,
  old: readonly string[] | undefined,
  next: readonly string[] | undefined,
): void {
  const lost = (old ?? []).filter((name) => !next?.includes(name))
  if (lost.length > 0) problems.add(path, `no longer has ${lost.join(', ')}`, 'Put it back')
}

export function compatibleRollups(problems: Problems, old: Schema, next: Schema): void {
  const rollups = (document: SchemaDocument) => Object.entries(document.rollups ?? {})
  const successors = new Map(rollups(next.document))
  for (const [name, rollup] of rollups(old.document)) {
    const successor = successors.get(name)
    // A longer top list holds the shorter one.
    const kept =
      successor !== undefined &&
      JSON.stringify(withoutLimit(rollup)) === JSON.stringify(withoutLimit(successor))
    if (kept && limitOf(successor) >= limitOf(rollup)) continue
    problems.add(
      `rollups.${name}`,
      successor === undefined ? 'was removed' : 'was changed',
      'Put it back, or declare another',
    )
  }
}

function withoutLimit(rollup: object): object {
  const { limit: _limit, ...rest } = rollup as { limit?: number }
  return rest
}

function limitOf(rollup: object): number {
  return 'limit' in rollup ? Number(rollup.limit) : 0
}
