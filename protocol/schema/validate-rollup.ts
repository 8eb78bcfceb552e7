import { limits } from '../limits.ts'
import { type DocumentReader, joinPath } from './document-reader.ts'
import { type Outline, selectCollections } from './outline.ts'
import { isFieldType } from './type-rules.ts'

const rollupKinds = ['count', 'sum', 'histogram', 'top'] as const
const rollupTypes: Readonly<Record<string, readonly string[]>> = {
  sum: ['integer', 'number'],
  histogram: ['integer', 'number', 'time'],
  top: ['text', 'integer', 'boolean', 'user', 'scope'],
}

export function validateRollup(reader: DocumentReader, outline: Outline, value: unknown, path: string): void {
  const rollup = reader.object(value, path, [...rollupKinds, 'by', 'step', 'limit'])
  if (rollup === undefined) return
  const kinds = rollupKinds.filter((kind) => rollup[kind] !== undefined)
  const kind = kinds[0]
  if (kind === undefined || kinds.length > 1) {
    reader.problems.add(path, `has ${kinds.length} kinds`, `Give exactly one of ${rollupKinds.join(', ')}`)
    return
  }
  const by = reader.oneOf(rollup['by'], `${path}.by`, [...outline.hierarchies.keys()])
  if (kind === 'histogram') reader.integer(rollup['step'], `${path}.step`, 1, Number.MAX_SAFE_INTEGER)
  else if (rollup['step'] !== undefined)
    reader.problems.add(`${path}.step`, `does not belong to ${kind}`, 'Remove it')
  if (kind === 'top') reader.integer(rollup['limit'], `${path}.limit`, 1, limits.listItemsMax)
  else if (rollup['limit'] !== undefined)
    reader.problems.add(`${path}.limit`, `does not belong to ${kind}`, 'Remove it')
  if (by === undefined) return
  if (kind === 'count') validateCount(reader, outline, rollup['count'], by, `${path}.count`)
  else validateRolledField(reader, outline, kind, rollup[kind], by, joinPath(path, kind))
}

/** A roll-up shows at a scope only what may be searched there, so something must be. */
function validateCount(
  reader: DocumentReader,
  outline: Outline,
  value: unknown,
  by: string,
  path: string,
): void {
  const name = reader.oneOf(
    value,
    path,
    selectCollections(outline, (collection) => !collection.private),
  )
  const fields = [...(outline.collections.get(name ?? '')?.fields.values() ?? [])]
  if (name !== undefined && !fields.some((field) => Object.hasOwn(field.search, by))) {
    reader.problems.add(
      path,
      `nothing of ${name} may be searched by ${by}`,
      `Give a field "search": {"${by}": LEVEL}`,
    )
  }
}

function validateRolledField(
  reader: DocumentReader,
  outline: Outline,
  kind: string,
  value: unknown,
  by: string,
  path: string,
): void {
  const cut = reader.fieldPath(value, path)
  if (cut === undefined) return
  const collection = reader.oneOf(cut[0], path, [...outline.collections.keys()])
  if (collection === undefined) return
  const name = reader.oneOf(cut[1], path, [...(outline.collections.get(collection)?.fields.keys() ?? [])])
  const field = name === undefined ? undefined : outline.field(collection, name)
  if (field === undefined) return
  const type = kind === 'top' && field.type === 'list' ? field.of : field.type
  const types = rollupTypes[kind] ?? []
  // A type that is none was noted where it stands.
  if (isFieldType(type) && !types.includes(type)) {
    reader.problems.add(path, `${kind} of ${type} means nothing`, `Name a field of type ${types.join(', ')}`)
  }
  if (!Object.hasOwn(field.search, by)) {
    reader.problems.add(path, `${name} may not be searched by ${by}`, `Give it "search": {"${by}": LEVEL}`)
  }
}
