import { limits } from '../limits.ts'
import { type DocumentReader, joinPath } from './document-reader.ts'
import { mergeOf } from './schema.ts'
import type { Outline, OutlineCollection, OutlineField } from './outline.ts'
import { isFieldType, typeRules } from './type-rules.ts'
import { audiences, validateField } from './validate-field.ts'

type Bag = Readonly<Record<string, unknown>>

const collectionKeys = [
  'key',
  'merge',
  'private',
  'stream',
  'replicate',
  'follows',
  'expires',
  'importance',
  'audience',
  'fields',
] as const

const keyWords = ['single', 'none', 'random'] as const

export function validateCollection(
  reader: DocumentReader,
  outline: Outline,
  name: string,
  value: unknown,
  path: string,
): void {
  const bag = reader.object(value, path, collectionKeys)
  const collection = outline.collections.get(name)
  if (bag === undefined || collection === undefined) return
  validateKey(reader, collection, bag, path)
  if (bag['private'] !== undefined) reader.boolean(bag['private'], `${path}.private`)
  if (bag['stream'] !== undefined) reader.boolean(bag['stream'], `${path}.stream`)
  if (bag['replicate'] !== undefined) reader.integer(bag['replicate'], `${path}.replicate`, 0, 8)
  // A hundred years: the expiry stays far inside 48 bits of milliseconds.
  if (bag['expires'] !== undefined) reader.integer(bag['expires'], `${path}.expires`, 1, 36_525)
  if (bag['importance'] !== undefined) {
    reader.oneOf(bag['importance'], `${path}.importance`, ['low', 'normal', 'high'])
  }
  if (bag['audience'] !== undefined) reader.oneOf(bag['audience'], `${path}.audience`, audiences)
  if (bag['follows'] !== undefined)
    validateFollows(reader, outline, collection, bag['follows'], `${path}.follows`)
  if (collection.private) validatePrivate(reader, bag, path)
  validateFields(reader, outline, collection, bag['fields'], `${path}.fields`)
}

function validateFields(
  reader: DocumentReader,
  outline: Outline,
  collection: OutlineCollection,
  value: unknown,
  path: string,
): void {
  const fields = reader.named(value, path, limits.schemaFieldsMax)
  if (fields.length === 0) reader.problems.add(path, 'has no field', 'Declare at least one')
  const sections = new Set<string>()
  for (const [name, document, at] of fields) {
    const field = collection.fields.get(name)
    if (field === undefined) continue
    validateField(reader, outline, field, document, at, collection.private)
    sections.add(kindOf(field))
  }
  if (sections.size > limits.recordSectionsMax) {
    reader.problems.add(
      path,
      `its audiences and search levels make ${sections.size} sections of a record, at most ${limits.recordSectionsMax} fit`,
      'Give more fields the same audience and search levels',
    )
  }
}

/** Equal for fields that will share a section. Levels that are no text were noted where they stand. */
function kindOf(field: OutlineField): string {
  const levels = Object.entries(field.search).filter(([, level]) => typeof level === 'string')
  return [
    typeof field.audience === 'string' ? field.audience : '',
    ...levels.map(([hierarchy, level]) => `${hierarchy}=${String(level)}`).toSorted(),
  ].join()
}

function validateKey(reader: DocumentReader, collection: OutlineCollection, bag: Bag, path: string): void {
  const { key, merge } = bag
  if (typeof key === 'object' && key !== null) validateKeyField(reader, collection, key, `${path}.key`)
  else if (key === undefined) {
    reader.problems.add(`${path}.key`, 'is missing', `Use one of ${keyWords.join(', ')}, or {"field": NAME}`)
  } else reader.oneOf(key, `${path}.key`, keyWords)
  if (merge === undefined) return
  const said = reader.oneOf(merge, `${path}.merge`, ['register', 'append'])
  const meant = mergeOf({ key: key === 'none' ? 'none' : 'single' })
  if (said !== undefined && said !== meant) {
    reader.problems.add(
      `${path}.merge`,
      `is ${said}, but the key makes it ${meant}`,
      said === 'append' ? 'Set "key": "none", or remove merge' : 'Choose another key, or remove merge',
    )
  }
}

function validateKeyField(
  reader: DocumentReader,
  collection: OutlineCollection,
  value: object,
  path: string,
): void {
  const key = reader.object(value, path, ['field'])
  if (key === undefined) return
  const at = `${path}.field`
  const name = reader.oneOf(key['field'], at, [...collection.fields.keys()])
  const field = name === undefined ? undefined : collection.fields.get(name)
  if (field === undefined || !isFieldType(field.type)) return
  const { problems } = reader
  if (!typeRules[field.type].key)
    problems.add(
      at,
      `${field.type} cannot be a key`,
      'Name a text, integer, time, bytes, user, scope or record field',
    )
  if (!field.required) problems.add(at, `${name} may be missing`, `Set "required": true on ${name}`)
  if (!collection.private && field.audience !== 'public') {
    problems.add(
      at,
      `keys are public and ${name} is not`,
      `Make ${name} public, or the whole collection private`,
    )
  }
  const longest = limits.recordKeyBytesMax
  const isLong = typeof field.max !== 'number' || field.max > longest
  if ((field.type === 'text' || field.type === 'bytes') && isLong) {
    problems.add(at, `${name} may be longer than a key`, `Set "max" of ${name} to at most ${longest}`)
  }
  if (field.type === 'record' && field.collection === undefined) {
    problems.add(at, `${name} may lie in any collection`, `Set "collection" of ${name}`)
  }
}

function validateFollows(
  reader: DocumentReader,
  outline: Outline,
  collection: OutlineCollection,
  value: unknown,
  path: string,
): void {
  const bag = reader.object(value, path, ['field', 'streams'])
  if (bag === undefined) return
  const name = reader.oneOf(bag['field'], `${path}.field`, [...collection.fields.keys()])
  const field = name === undefined ? undefined : collection.fields.get(name)
  if (field !== undefined && field.type !== 'user') {
    reader.problems.add(`${path}.field`, `${name} is not a user`, `Set "type": "user" on ${name}`)
  } else if (field !== undefined && collection.keyField !== name) {
    reader.problems.add(path, 'one person could be followed twice', `Set "key": {"field": "${name}"}`)
  }
  const streams = [...outline.collections].filter(([, other]) => other.stream).map(([other]) => other)
  if (streams.length === 0) {
    reader.problems.add(path, 'no collection is a stream', 'Set "stream": true on what is followed')
  } else if (bag['streams'] !== undefined) {
    const named = reader.array(bag['streams'], `${path}.streams`, limits.schemaCollectionsMax)
    named.forEach((stream, index) => reader.oneOf(stream, `${path}.streams[${index}]`, streams))
  }
}

/** What is sealed whole cannot also be read by nodes. */
function validatePrivate(reader: DocumentReader, bag: Bag, path: string): void {
  const reject = (key: string, message: string): void =>
    reader.problems.add(joinPath(path, key), message, `Remove "${key}", or "private"`)
  if (bag['stream'] === true) reject('stream', 'a private collection cannot stream')
  if (bag['follows'] !== undefined) reject('follows', 'a node cannot read follows in a private collection')
  if (bag['audience'] !== undefined && bag['audience'] !== 'private')
    reject('audience', 'the collection is private')
}
