import { equalBytes } from '../bytes.ts'
import { isReaderCollection } from '../readers/collections.ts'
import { compatibleFields } from './compatible-fields.ts'
import { compatibleRollups, compatibleViews } from './compatible-views.ts'
import { type Problem, Problems } from './problem.ts'
import type { Collection, Schema } from './schema.ts'

export type Compatibility =
  | { readonly ok: true }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/**
 * May `next` take the place of `old`? Apps that know only `old` must go on reading what `next` writes, and nothing
 * that was written under `old` may come to be read, searched or streamed further than its author agreed to.
 * Additions that may be left out pass.
 */
export function compatible(old: Schema, next: Schema): Compatibility {
  if (equalBytes(old.hash, next.hash)) return { ok: true }
  const problems = new Problems()
  if (old.id !== next.id) problems.add('id', `was ${old.id}`, 'Keep the id, or publish it as another app')
  if (next.version <= old.version) {
    problems.add(
      'version',
      `is ${next.version}, the published one ${old.version}`,
      `Raise it to ${old.version + 1}`,
    )
  }
  if (canonical(old.document.shard ?? 'owner') !== canonical(next.document.shard ?? 'owner')) {
    problems.add('shard', 'was changed, so old records could not be found', 'Put it back')
  }
  compatibleHierarchies(problems, old, next)
  for (const [name, collection] of old.collections) {
    // Those of readers follow from the fields, and are in no document.
    if (isReaderCollection(name)) continue
    const path = `collections.${name}`
    const successor = next.collections.get(name)
    if (successor === undefined) problems.add(path, 'was removed, and old apps read it', 'Put it back')
    else compatibleCollection(problems, path, collection, successor)
  }
  compatibleViews(problems, old, next)
  compatibleRollups(problems, old, next)
  return problems.list.length === 0 ? { ok: true } : { ok: false, problems: problems.list }
}

function compatibleHierarchies(problems: Problems, old: Schema, next: Schema): void {
  for (const [name, hierarchy] of old.hierarchies) {
    const path = `hierarchies.${name}`
    const successor = next.hierarchies.get(name)
    if (successor === undefined) {
      problems.add(path, 'was removed, and old records name it', 'Put it back')
      continue
    }
    // Records hold depths, not names: a level between two others would lift every old record by one.
    if (!hierarchy.levels.every((level, depth) => successor.levels[depth] === level)) {
      problems.add(
        `${path}.levels`,
        'were changed, and old records count them',
        'Keep them; new ones go below the last',
      )
    }
    if (hierarchy.leaf !== successor.leaf) {
      problems.add(
        `${path}.leaf`,
        `was ${hierarchy.leaf}, which places every shard`,
        `Put ${hierarchy.leaf} back`,
      )
    }
  }
}

function compatibleCollection(problems: Problems, path: string, old: Collection, next: Collection): void {
  if (old.private !== next.private) {
    const message = next.private
      ? 'was made private, and old apps could not read it'
      : 'is no longer private, which would show what was promised to be sealed'
    problems.add(`${path}.private`, message, 'Put it back, or declare another collection')
  }
  if (canonical(old.key) !== canonical(next.key)) {
    problems.add(`${path}.key`, 'was changed, so old items would have other keys', 'Put it back')
  }
  if (old.merge !== next.merge) {
    problems.add(`${path}.merge`, `was ${old.merge}, and old records merge so`, 'Put it back')
  }
  if (!old.stream && next.stream) {
    problems.add(
      `${path}.stream`,
      'was turned on, which would send out what did not go out before',
      'Put it back, or declare another collection',
    )
  }
  if (old.stream && !next.stream)
    problems.add(`${path}.stream`, 'was turned off, and old feeds would end', 'Put it back')
  compatibleFollows(problems, `${path}.follows`, old, next)
  compatibleFields(problems, `${path}.fields`, old, next)
}

/** Old follow records were made for certain streams; they may mean neither more nor less. */
function compatibleFollows(problems: Problems, path: string, old: Collection, next: Collection): void {
  if (old.follows === undefined && next.follows === undefined) return
  if (old.follows === undefined)
    problems.add(
      path,
      'was added, so old records would become follows',
      'Remove it, or declare another collection',
    )
  else if (next.follows === undefined)
    problems.add(path, 'was removed, and old feeds would end', 'Put it back')
  else if (old.follows.field !== next.follows.field)
    problems.add(`${path}.field`, `was ${old.follows.field}`, 'Put it back')
  else {
    const lost = old.follows.streams.filter((stream) => !next.follows?.streams.includes(stream))
    if (lost.length > 0) problems.add(`${path}.streams`, `no longer has ${lost.join(', ')}`, 'Put it back')
  }
}

/** Key order means nothing: both documents come from canonical bytes, which sort it. */
function canonical(value: unknown): string {
  return JSON.stringify(value)
}
