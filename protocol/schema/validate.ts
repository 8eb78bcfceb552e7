import { decode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { readerCollections } from '../readers/collections.ts'
import { DocumentReader, joinPath, own } from './document-reader.ts'
import type { SchemaDocument } from './document.ts'
import { schemaBytes, schemaHash } from './hash.ts'
import { Outline } from './outline.ts'
import { type Problem, Problems, describeProblems } from './problem.ts'
import { type Schema, compileCollections } from './schema.ts'
import { validateCollection } from './validate-collection.ts'
import { validateRollup } from './validate-rollup.ts'
import { validateView } from './validate-view.ts'

export type SchemaVerdict =
  | { readonly ok: true; readonly schema: Schema }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** Anything at all as a schema, or everything that is wrong with it. Never throws. */
export function validateSchema(document: unknown): SchemaVerdict {
  const problems = new Problems()
  validateDocument(new DocumentReader(problems), document)
  if (problems.list.length > 0) return { ok: false, problems: problems.list }
  const checked = document as SchemaDocument
  let bytes: Uint8Array
  try {
    bytes = schemaBytes(checked)
  } catch (error) {
    // Every part was checked above; what remains is the size of the whole.
    const message = error instanceof Error ? error.message : String(error)
    return {
      ok: false,
      problems: [{ path: '', message, fix: `Keep it below ${limits.schemaBytesMax} bytes` }],
    }
  }
  const schema = compileSchema(bytes)
  if (schema.collections.size > limits.schemaCollectionsMax) {
    const message = 'are too many beside the two that hold the readers of what is kept for followers'
    const fix = `Keep at most ${limits.schemaCollectionsMax - Object.keys(readerCollections).length}`
    return { ok: false, problems: [{ path: 'collections', message, fix }] }
  }
  return { ok: true, schema }
}

/** Throws BAD_SCHEMA with all problems, one on each line. */
export function parseSchema(document: unknown): Schema {
  const verdict = validateSchema(document)
  if (verdict.ok) return verdict.schema
  throw new OnehopError('BAD_SCHEMA', describeProblems(verdict.problems))
}

/** From the bytes that nodes exchange. Throws BAD_MESSAGE, TOO_LARGE or BAD_SCHEMA. */
export function decodeSchema(bytes: Uint8Array): Schema {
  return parseSchema(decode(bytes, { bytesMax: limits.schemaBytesMax }))
}

/** Read back from its canonical bytes, so that nobody can change it through the object that was handed in. */
function compileSchema(bytes: Uint8Array): Schema {
  const document = decode(bytes, { bytesMax: limits.schemaBytesMax }) as SchemaDocument
  return {
    document,
    id: document.id,
    version: document.version,
    bytes,
    hash: schemaHash(bytes),
    hierarchies: new Map(Object.entries(document.hierarchies ?? {})),
    collections: compileCollections(document),
  }
}

const documentKeys = [
  'onehop',
  'id',
  'version',
  'title',
  'shard',
  'hierarchies',
  'collections',
  'views',
  'rollups',
] as const

/** Starts with a letter; at least one dot keeps apps of different makers apart. */
const idPattern = /^[a-z][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+$/

function validateDocument(reader: DocumentReader, value: unknown): void {
  const document = reader.object(value, '', documentKeys)
  if (document === undefined) return
  const { problems } = reader
  const outline = new Outline(document)
  if (own(document, 'onehop') !== 1) {
    problems.add('onehop', 'must be 1, the format of this document', 'Write "onehop": 1')
  }
  const { id, title } = document
  if (typeof id !== 'string' || !idPattern.test(id) || id.length > limits.nameBytesMax) {
    problems.add(
      'id',
      'is not a dotted name',
      `Use one such as "example.microblog", at most ${limits.nameBytesMax} letters`,
    )
  }
  reader.integer(document['version'], 'version', 1, Number.MAX_SAFE_INTEGER)
  if (
    title !== undefined &&
    (typeof title !== 'string' || title === '' || title.length > 100 || !title.isWellFormed())
  ) {
    problems.add('title', 'is not a short text', 'Use 1 to 100 letters')
  }
  if (document['hierarchies'] !== undefined) validateHierarchies(reader, outline, document['hierarchies'])
  const collections = reader.named(document['collections'], 'collections', limits.schemaCollectionsMax)
  for (const [name, collection, path] of collections)
    validateCollection(reader, outline, name, collection, path)
  if (document['shard'] !== undefined) validateShard(reader, outline, document['shard'])
  if (document['views'] !== undefined) {
    const views = reader.named(document['views'], 'views', limits.schemaViewsMax)
    for (const [, view, path] of views) validateView(reader, outline, view, path)
  }
  if (document['rollups'] !== undefined) {
    const rollups = reader.named(document['rollups'], 'rollups', limits.schemaRollupsMax)
    for (const [, rollup, path] of rollups) validateRollup(reader, outline, rollup, path)
  }
}

function validateHierarchies(reader: DocumentReader, outline: Outline, value: unknown): void {
  for (const [name, hierarchy, path] of reader.named(value, 'hierarchies', limits.hierarchiesMax)) {
    // It is the first segment of scope paths, which have no capital letters.
    if (name !== name.toLowerCase())
      reader.problems.add(path, 'has capital letters', `Write ${name.toLowerCase()}`)
    const bag = reader.object(hierarchy, path, ['levels', 'leaf'])
    if (bag === undefined) continue
    const levels = reader.array(bag['levels'], `${path}.levels`, limits.scopeDepthMax + 1)
    levels.forEach((level, index) => {
      const isName =
        typeof level === 'string' && /^[a-z][A-Za-z0-9]*$/.test(level) && level.length <= limits.nameBytesMax
      if (!isName) reader.problems.add(`${path}.levels[${index}]`, 'is not a name', 'Use letters and digits')
      else if (levels.indexOf(level) !== index)
        reader.problems.add(`${path}.levels[${index}]`, 'is there twice', 'Rename it')
    })
    validateLeaf(reader, outline, name, bag['leaf'], `${path}.leaf`)
  }
}

/** One current place for each shard, that any node can read. */
function validateLeaf(
  reader: DocumentReader,
  outline: Outline,
  hierarchy: string,
  value: unknown,
  path: string,
): void {
  const cut = reader.fieldPath(value, path)
  if (cut === undefined) return
  const name = reader.oneOf(cut[0], path, [...outline.collections.keys()])
  const collection = name === undefined ? undefined : outline.collections.get(name)
  if (collection === undefined) return
  const field = collection.fields.get(reader.oneOf(cut[1], path, [...collection.fields.keys()]) ?? '')
  if (field === undefined) return
  if (field.type !== 'scope' || field.hierarchy !== hierarchy) {
    reader.problems.add(
      path,
      `${cut[1]} is not a scope of ${hierarchy}`,
      `Set "type": "scope", "hierarchy": "${hierarchy}" on it`,
    )
  }
  if (!collection.single)
    reader.problems.add(path, `${name} may have many items`, `Set "key": "single" on ${name}`)
  if (field.audience !== 'public') {
    reader.problems.add(path, 'nodes cannot read it', `Set "audience": "public" on ${cut.join('.')}`)
  }
}

function validateShard(reader: DocumentReader, outline: Outline, value: unknown): void {
  if (value === 'owner') return
  if (typeof value !== 'object' || value === null) {
    reader.problems.add(
      'shard',
      'is not a shard rule',
      'Use "owner", {"scope": HIERARCHY} or {"field": NAME}',
    )
    return
  }
  const shard = reader.object(value, 'shard', ['scope', 'field'])
  if (shard === undefined) return
  if ((shard['scope'] === undefined) === (shard['field'] === undefined)) {
    reader.problems.add('shard', 'names not exactly one thing', 'Give either "scope" or "field"')
  } else if (shard['scope'] !== undefined) {
    reader.oneOf(shard['scope'], 'shard.scope', [...outline.hierarchies.keys()])
  } else validateShardField(reader, outline, shard['field'])
}

/** Every record must say in the open which shard it belongs to. */
function validateShardField(reader: DocumentReader, outline: Outline, name: unknown): void {
  for (const [collectionName, collection] of outline.collections) {
    if (collection.private) continue
    const path = joinPath(joinPath('collections', collectionName), 'fields')
    const field = typeof name === 'string' ? collection.fields.get(name) : undefined
    const isFit =
      field?.required === true &&
      field.audience === 'public' &&
      ['text', 'scope', 'user'].includes(String(field.type))
    if (isFit) continue
    reader.problems.add(
      path,
      `lacks the shard's field ${typeof name === 'string' ? name : ''}`,
      'Declare it as a required public text, scope or user, or change "shard"',
    )
  }
}
