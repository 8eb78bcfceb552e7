import { utf8Length } from '../codec-measure.ts'
import { limits } from '../limits.ts'
import { isScope, scopeDepth, scopeHierarchy } from '../scope.ts'
import type { FieldDocument, HierarchyDocument, ScalarType, TypeDocument } from './document.ts'
import { imageType } from './image-type.ts'
import { typeRules } from './type-rules.ts'

export type Hierarchies = ReadonlyMap<string, HierarchyDocument>

/** What is wrong with a value, and what would be right. */
interface Fault {
  /** Within the value, such as `[3]`. */
  readonly at: string
  readonly message: string
  readonly fix: string
}

/** Undefined when the value fits. */
export function checkFieldValue(
  field: FieldDocument,
  hierarchies: Hierarchies,
  value: unknown,
): Fault | undefined {
  const { type, of } = field
  if (type !== 'list' && type !== 'map') return checkScalar({ ...field, type }, hierarchies, value)
  if (of === undefined) return fault('has no entry type', 'Mend the schema')
  const entries = type === 'list' ? listEntries(value) : mapEntries(value)
  if (entries === undefined)
    return fault(`is not a ${type}`, type === 'list' ? 'Give an array' : 'Give an object')
  const max = field.max ?? typeRules[type].maxDefault ?? 0
  if (entries.length > max)
    return fault(`has ${entries.length} entries, at most ${max} are allowed`, 'Remove some')
  for (const [name, entry] of entries) {
    const wrong = checkScalar(of, hierarchies, entry)
    if (wrong !== undefined) return { ...wrong, at: name }
  }
  return undefined
}

function listEntries(value: unknown): [string, unknown][] | undefined {
  return Array.isArray(value) ? value.map((entry, index) => [`[${index}]`, entry]) : undefined
}

function mapEntries(value: unknown): [string, unknown][] | undefined {
  if (!isBag(value)) return undefined
  const entries = Object.entries(value)
  const isNamed = entries.every(([name]) => name.isWellFormed() && utf8Length(name) <= limits.nameBytesMax)
  return isNamed ? entries.map(([name, entry]) => [`.${name}`, entry]) : undefined
}

function checkScalar(type: TypeDocument, hierarchies: Hierarchies, value: unknown): Fault | undefined {
  const max = type.max ?? typeRules[type.type].maxDefault
  const check = scalarChecks[type.type]
  return check({ value, type, max, hierarchies })
}

interface Check {
  readonly value: unknown
  readonly type: TypeDocument
  readonly max: number | undefined
  readonly hierarchies: Hierarchies
}

const scalarChecks: Readonly<Record<ScalarType, (check: Check) => Fault | undefined>> = {
  text: ({ value, max }) => {
    if (typeof value !== 'string') return fault('is not a text', 'Give a string')
    if (!value.isWellFormed()) return fault('has half a character', 'Cut texts between characters')
    return tooLong(utf8Length(value), max)
  },
  integer: (check) =>
    Number.isSafeInteger(check.value)
      ? checkRange(check)
      : fault('is not a whole number', 'Give a whole number up to 2^53'),
  number: (check) =>
    Number.isFinite(check.value) ? checkRange(check) : fault('is not a number', 'Give a finite number'),
  time: (check) =>
    Number.isSafeInteger(check.value)
      ? checkRange(check)
      : fault('is not a time', 'Give whole Unix milliseconds'),
  boolean: ({ value }) =>
    typeof value === 'boolean' ? undefined : fault('is not true or false', 'Give a boolean'),
  bytes: ({ value, max }) =>
    value instanceof Uint8Array ? tooLong(value.length, max) : fault('is not bytes', 'Give a Uint8Array'),
  image: ({ value, max }) => {
    if (!(value instanceof Uint8Array)) return fault('is not a picture', 'Give its bytes as a Uint8Array')
    if (imageType(value) === undefined)
      return fault('is not a picture', 'Give a JPEG, PNG, WebP, GIF or AVIF')
    return tooLong(value.length, max)
  },
  blob: ({ value, max }) => {
    const isFit =
      hasKeys(value, ['hash', 'size', 'mime'], ['key']) &&
      isBytes(value['hash'], 32) &&
      Number.isSafeInteger(value['size']) &&
      (value['size'] as number) >= 0 &&
      typeof value['mime'] === 'string' &&
      mimePattern.test(value['mime']) &&
      (value['key'] === undefined || isBytes(value['key'], 32))
    if (!isFit) return fault('does not name a file', 'Give { hash, size, mime, key? } as the upload answered')
    return tooLong(value['size'] as number, max)
  },
  user: ({ value }) =>
    isBytes(value, 32) ? undefined : fault('is not an identity', 'Give the 32 bytes of its id'),
  scope: ({ value, type, hierarchies }) => {
    const hierarchy = type.hierarchy ?? ''
    if (!isScope(value) || scopeHierarchy(value) !== hierarchy) {
      return fault(`is not a scope of ${hierarchy}`, `Give a path such as /${hierarchy}/...`)
    }
    const depthMax = (hierarchies.get(hierarchy)?.levels.length ?? 1) - 1
    return scopeDepth(value) <= depthMax
      ? undefined
      : fault(`is deeper than ${hierarchy}`, `Give at most ${depthMax} parts after /${hierarchy}`)
  },
  record: ({ value, type }) => {
    const isFit =
      hasKeys(value, ['owner', 'collection', 'key']) &&
      isBytes(value['owner'], 32) &&
      value['key'] instanceof Uint8Array &&
      value['key'].length <= limits.recordKeyBytesMax &&
      typeof value['collection'] === 'string' &&
      utf8Length(value['collection']) <= limits.nameBytesMax &&
      (type.collection === undefined || type.collection === value['collection'])
    const wanted = type.collection === undefined ? 'collection' : `collection: '${type.collection}'`
    return isFit ? undefined : fault('does not name an item', `Give { owner, ${wanted}, key }`)
  },
}

const mimePattern = /^[a-z0-9.+-]{1,60}\/[a-z0-9.+-]{1,60}$/

function checkRange({ value, type, max }: Check): Fault | undefined {
  const given = value as number
  if (type.min !== undefined && given < type.min)
    return fault(`is ${given}, below ${type.min}`, `Give at least ${type.min}`)
  if (max !== undefined && given > max) return fault(`is ${given}, above ${max}`, `Give at most ${max}`)
  return undefined
}

function tooLong(length: number, max: number | undefined): Fault | undefined {
  if (max === undefined || length <= max) return undefined
  return fault(`has ${length} bytes, at most ${max} are allowed`, 'Make it shorter')
}

function fault(message: string, fix: string): Fault {
  return { at: '', message, fix }
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length
}

function isBag(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  )
}

function hasKeys(
  value: unknown,
  required: readonly string[],
  optional: readonly string[] = [],
): value is Readonly<Record<string, unknown>> {
  if (!isBag(value)) return false
  const keys = Object.keys(value)
  return (
    required.every((key) => keys.includes(key)) &&
    keys.every((key) => required.includes(key) || optional.includes(key))
  )
}
