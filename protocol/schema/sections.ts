import type { Fields, SectionHeader } from '../record/types.ts'
import { checkFieldValue } from './check-value.ts'
import { collectionOf } from './check-item.ts'
import type { FieldAudience } from './document.ts'
import type { Problem } from './problem.ts'
import type { Collection, Field, Schema } from './schema.ts'
import type { ItemFieldValue, ItemValue } from './value.ts'

/** The fields of an item that the same people may read and that may be searched from the same heights. */
export interface PlannedSection {
  readonly audience: FieldAudience
  readonly heights: Readonly<Record<string, number>>
  readonly fields: Fields
}

/**
 * Cuts an item that was checked into the sections of a record: as few as audiences and heights allow, those for
 * the most readers first.
 */
export function planSections(
  schema: Schema,
  collectionName: string,
  value: ItemValue,
): readonly PlannedSection[] {
  const collection = collectionOf(schema, collectionName)
  const sections = new Map<string, { first: Field; fields: Record<string, ItemFieldValue> }>()
  for (const field of collection.fields.values()) {
    const fieldValue = Object.hasOwn(value, field.name) ? value[field.name] : undefined
    if (fieldValue === undefined) continue
    const kind = sectionKind(field)
    const section = sections.get(kind) ?? { first: field, fields: {} }
    section.fields[field.name] = fieldValue
    sections.set(kind, section)
  }
  return [...sections]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { first, fields }]) => ({ audience: first.audience, heights: first.heights, fields }))
}

const audienceOrder: readonly unknown[] = ['public', 'followers', 'private']
/** A named group may stand wherever followers may: in the group's own shard, or in that of whoever writes to it. */
const followersPlace = audienceOrder.indexOf('followers')

/** Equal for fields that share a section, and for the sections that hold them. */
export function sectionKind(section: Pick<Field, 'heights'> & { readonly audience: unknown }): string {
  const heights = Object.entries(section.heights).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const isGroup = typeof section.audience === 'object' && section.audience !== null
  return JSON.stringify([isGroup ? followersPlace : audienceOrder.indexOf(section.audience), ...heights])
}

/**
 * The item that some opened sections make up; fields of sections that were withheld are missing. Whoever signed
 * them may have written anything: fields that the schema does not know or whose values do not fit are left out,
 * and so is the second of two that say the same field.
 */
export function mergeSections(schema: Schema, collectionName: string, opened: readonly Fields[]): ItemValue {
  const collection = collectionOf(schema, collectionName)
  const item: Record<string, ItemFieldValue> = {}
  for (const fields of opened) {
    for (const [name, value] of Object.entries(fields)) {
      const field = collection.fields.get(name)
      if (field === undefined || Object.hasOwn(item, name)) continue
      if (checkFieldValue(field.document, schema.hierarchies, value) === undefined)
        item[name] = value as ItemFieldValue
    }
  }
  return item
}

interface Kinds {
  readonly byField: ReadonlyMap<string, string>
  readonly all: ReadonlySet<string>
}

/** A node asks at every write; collections live as long as their schema. */
const kindsByCollection = new WeakMap<Collection, Kinds>()

function kindsOf(collection: Collection): Kinds {
  const known = kindsByCollection.get(collection)
  if (known !== undefined) return known
  const byField = new Map([...collection.fields].map(([name, field]) => [name, sectionKind(field)]))
  const kinds = { byField, all: new Set(byField.values()) }
  kindsByCollection.set(collection, kinds)
  return kinds
}

/** The kind of the section that a field belongs into; undefined for one that the collection has not. */
export function fieldKind(collection: Collection, fieldName: string): string | undefined {
  return kindsOf(collection).byField.get(fieldName)
}

/**
 * Do the sections of a record show no more than its schema allows? A node asks this before it takes a record from
 * a client, so that a faulty app cannot publish what its author marked private.
 */
export function checkSections(
  collection: Collection,
  sections: readonly SectionHeader[],
): readonly Problem[] {
  const kinds = kindsOf(collection).all
  return sections.flatMap((section, index) =>
    kinds.has(sectionKind(section))
      ? []
      : [
          {
            path: `sections[${index}]`,
            message: `${collection.name} has no field of this audience and these heights`,
            fix: 'Cut the record into sections as its schema says',
          },
        ],
  )
}
