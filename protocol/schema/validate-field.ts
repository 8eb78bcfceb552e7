import { type DocumentReader, joinPath, own } from './document-reader.ts'
import type { Outline, OutlineField } from './outline.ts'
import { fieldTypes, isNumeric, scalarTypes, typeRules } from './type-rules.ts'

type Bag = Readonly<Record<string, unknown>>

export const audiences = ['public', 'followers', 'private'] as const

const typeKeys = ['type', 'max', 'min', 'hierarchy', 'collection'] as const
const fieldKeys = [...typeKeys, 'of', 'required', 'audience', 'search'] as const

export function validateField(
  reader: DocumentReader,
  outline: Outline,
  field: OutlineField,
  value: unknown,
  path: string,
  inPrivateCollection: boolean,
): void {
  const bag = reader.object(value, path, fieldKeys)
  if (bag === undefined) return
  const type = validateType(reader, outline, bag, path, fieldTypes)
  if (bag['required'] !== undefined) reader.boolean(bag['required'], `${path}.required`)
  if (type === 'list' || type === 'map') validateEntries(reader, outline, bag['of'], `${path}.of`)
  else if (type !== undefined && bag['of'] !== undefined) {
    reader.problems.add(
      `${path}.of`,
      `does not belong to ${type}`,
      'Remove it; only list and map have entries',
    )
  }
  if (bag['audience'] !== undefined) {
    const audience = reader.oneOf(bag['audience'], `${path}.audience`, audiences)
    if (inPrivateCollection && audience !== undefined && audience !== 'private') {
      reader.problems.add(`${path}.audience`, 'the whole collection is private', 'Remove the audience')
    }
  }
  if (bag['search'] !== undefined) validateSearch(reader, outline, field, bag['search'], `${path}.search`)
}

function validateEntries(reader: DocumentReader, outline: Outline, value: unknown, path: string): void {
  if (value === undefined) {
    reader.problems.add(path, 'is missing', 'Say what the entries are, such as { "type": "text" }')
    return
  }
  const bag = reader.object(value, path, typeKeys)
  if (bag !== undefined) validateType(reader, outline, bag, path, scalarTypes)
}

/** What list entries and fields have in common. */
function validateType<const T extends (typeof fieldTypes)[number]>(
  reader: DocumentReader,
  outline: Outline,
  bag: Bag,
  path: string,
  types: readonly T[],
): T | undefined {
  const type = reader.oneOf(bag['type'], `${path}.type`, types)
  if (type === undefined) return undefined
  const min = validateMin(reader, type, bag['min'], `${path}.min`)
  validateMax(reader, type, bag['max'], `${path}.max`, min)
  if (type === 'scope') reader.oneOf(bag['hierarchy'], `${path}.hierarchy`, [...outline.hierarchies.keys()])
  else if (bag['hierarchy'] !== undefined) {
    reader.problems.add(
      `${path}.hierarchy`,
      `does not belong to ${type}`,
      'Remove it, or make the type scope',
    )
  }
  if (bag['collection'] !== undefined) {
    if (type === 'record')
      reader.oneOf(bag['collection'], `${path}.collection`, [...outline.collections.keys()])
    else
      reader.problems.add(
        `${path}.collection`,
        `does not belong to ${type}`,
        'Remove it, or make the type record',
      )
  }
  return type
}

function validateMin(reader: DocumentReader, type: string, min: unknown, path: string): number | undefined {
  if (min === undefined) return undefined
  if (!isNumeric(type)) {
    reader.problems.add(
      path,
      `does not belong to ${type}`,
      'Remove it; only integer, number and time have one',
    )
    return undefined
  }
  return reader.integer(min, path, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
}

function validateMax(
  reader: DocumentReader,
  type: (typeof fieldTypes)[number],
  max: unknown,
  path: string,
  min: number | undefined,
): void {
  if (max === undefined) return
  const { maxMax } = typeRules[type]
  if (maxMax === undefined) {
    reader.problems.add(path, `does not belong to ${type}`, 'Remove it')
    return
  }
  const read = reader.integer(max, path, isNumeric(type) ? Number.MIN_SAFE_INTEGER : 1, maxMax)
  if (read !== undefined && min !== undefined && read < min) {
    reader.problems.add(path, `is ${read}, below min ${min}`, 'Make max at least min')
  }
}

function validateSearch(
  reader: DocumentReader,
  outline: Outline,
  field: OutlineField,
  value: unknown,
  path: string,
): void {
  const search = reader.object(value, path, [...outline.hierarchies.keys()])
  if (search === undefined) return
  if (field.audience !== 'public') {
    reader.problems.add(path, 'only public fields can be searched', 'Remove it, or set "audience": "public"')
  }
  const type = field.type === 'list' ? field.of : field.type
  const rule = scalarTypes.find((known) => known === type)
  if (field.type === 'map' || (rule !== undefined && !typeRules[rule].searchable)) {
    reader.problems.add(
      path,
      `${String(field.type)} cannot be searched`,
      'Remove it; search a text beside it',
    )
  }
  for (const [hierarchy, levels] of outline.hierarchies) {
    const level = own(search, hierarchy)
    if (level !== undefined) reader.oneOf(level, joinPath(path, hierarchy), levels)
  }
}
