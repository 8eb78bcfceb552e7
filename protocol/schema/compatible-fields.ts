import type { FieldAudience } from './document.ts'
import type { Problems } from './problem.ts'
import type { Collection, Field } from './schema.ts'
import { isFieldType, isNumeric, typeRules } from './type-rules.ts'

export function compatibleFields(problems: Problems, path: string, old: Collection, next: Collection): void {
  for (const [name, field] of old.fields) {
    const successor = next.fields.get(name)
    if (successor === undefined)
      problems.add(`${path}.${name}`, 'was removed, and old apps read it', 'Put it back')
    else compatibleField(problems, `${path}.${name}`, field, successor)
  }
  for (const [name, field] of next.fields) {
    if (!field.required || old.fields.has(name)) continue
    problems.add(`${path}.${name}.required`, 'is new, and old records lack it', 'Make the field optional')
  }
}

function compatibleField(problems: Problems, path: string, old: Field, next: Field): void {
  for (const key of ['type', 'hierarchy', 'collection'] as const) {
    const [was, is] = [old.document[key], next.document[key]]
    if (was !== is)
      problems.add(`${path}.${key}`, `was ${was ?? 'not there'}`, 'Put it back, or declare another field')
  }
  const [entry, successor] = [JSON.stringify(old.document.of), JSON.stringify(next.document.of)]
  if (entry !== successor) problems.add(`${path}.of`, `was ${entry}`, 'Put it back, or declare another field')
  compatibleBounds(problems, path, old, next)
  if (next.required && !old.required) {
    problems.add(`${path}.required`, 'was added, and old records may lack it', 'Leave the field optional')
  }
  if (old.required && !next.required) {
    problems.add(`${path}.required`, 'was removed, and old apps count on a value', 'Leave the field required')
  }
  compatibleAudience(problems, path, old, next)
  compatibleSearch(problems, path, old, next)
}

/** Wider bounds pass: readers bound records, not fields. */
function compatibleBounds(problems: Problems, path: string, old: Field, next: Field): void {
  const [maxWas, maxIs] = [maxOf(old), maxOf(next)]
  if (maxIs < maxWas) {
    problems.add(
      `${path}.max`,
      `was ${maxWas === Infinity ? 'without bound' : maxWas}, and old records may reach it`,
      'Put it back, or raise it',
    )
  }
  const [minWas, minIs] = [old.document.min ?? -Infinity, next.document.min ?? -Infinity]
  if (minIs > minWas) {
    problems.add(
      `${path}.min`,
      `was ${minWas === -Infinity ? 'without bound' : minWas}, and old records may reach it`,
      'Put it back, or lower it',
    )
  }
}

function maxOf({ document }: Field): number {
  const fallback =
    isFieldType(document.type) && !isNumeric(document.type) ? typeRules[document.type].maxDefault : undefined
  return document.max ?? fallback ?? Infinity
}

const width: Readonly<Record<FieldAudience, number>> = { private: 0, followers: 1, public: 2 }

function compatibleAudience(problems: Problems, path: string, old: Field, next: Field): void {
  if (width[next.audience] > width[old.audience]) {
    problems.add(
      `${path}.audience`,
      `was ${old.audience}, and ${next.audience} would show it to more people`,
      'Put it back, or declare another field',
    )
  }
  if (width[next.audience] < width[old.audience] && old.required) {
    problems.add(`${path}.audience`, `was ${old.audience}, and old apps count on reading it`, 'Put it back')
  }
}

function compatibleSearch(problems: Problems, path: string, old: Field, next: Field): void {
  for (const [hierarchy, height] of Object.entries(next.heights)) {
    const was = Object.hasOwn(old.heights, hierarchy) ? old.heights[hierarchy] : undefined
    if (was !== undefined && height >= was) continue
    const message =
      was === undefined
        ? 'was added, and it could not be searched before'
        : 'was raised above where it could be searched before'
    problems.add(`${path}.search.${hierarchy}`, message, 'Put it back, or declare another field')
  }
}
