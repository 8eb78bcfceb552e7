import { limits } from '../limits.ts'
import type { FieldType, ScalarType } from './document.ts'

/** What the keys of a field may say for each type, and what `max` counts. */
interface TypeRule {
  /** The largest `max`; undefined where the type has none. */
  readonly maxMax: number | undefined
  /** What holds when `max` is not said. */
  readonly maxDefault: number | undefined
  readonly searchable: boolean
  /** May an item's key be made of it? */
  readonly key: boolean
}

const number = { maxMax: Number.MAX_SAFE_INTEGER, maxDefault: undefined }
const entries = { maxMax: limits.listEntriesMax, maxDefault: limits.listEntriesMax }
// Half a record, so that one long text leaves room for a preview.
const bytes = { maxMax: limits.recordBytesMax / 2, maxDefault: 8 * 1024 }

export const typeRules: Readonly<Record<FieldType, TypeRule>> = {
  text: { ...bytes, searchable: true, key: true },
  integer: { ...number, searchable: true, key: true },
  number: { ...number, searchable: true, key: false },
  boolean: { maxMax: undefined, maxDefault: undefined, searchable: true, key: false },
  time: { ...number, searchable: true, key: true },
  bytes: { ...bytes, searchable: false, key: true },
  image: {
    maxMax: limits.previewBytesMax,
    maxDefault: limits.previewBytesMax,
    searchable: false,
    key: false,
  },
  blob: { ...number, searchable: false, key: false },
  user: { maxMax: undefined, maxDefault: undefined, searchable: true, key: true },
  scope: { maxMax: undefined, maxDefault: undefined, searchable: true, key: true },
  record: { maxMax: undefined, maxDefault: undefined, searchable: false, key: true },
  list: { ...entries, searchable: true, key: false },
  map: { ...entries, searchable: false, key: false },
}

export const fieldTypes = Object.keys(typeRules) as FieldType[]
export const scalarTypes = fieldTypes.filter((type): type is ScalarType => type !== 'list' && type !== 'map')

/** Types whose values are numbers, and so may have a smallest one. */
export function isNumeric(type: unknown): boolean {
  return type === 'integer' || type === 'number' || type === 'time'
}

export function isFieldType(type: unknown): type is FieldType {
  return typeof type === 'string' && Object.hasOwn(typeRules, type)
}
