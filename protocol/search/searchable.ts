import type { Fields, FieldValue, SectionHeader } from '../record/types.ts'

/** The text of one record that may be searched from some depth of a hierarchy on downwards. */
export interface Layer {
  /** The smallest scope depth at which this text may be searched: 0 everywhere, 1 below the root, and so on. */
  readonly height: number
  readonly text: string
}

/** A section as it arrived: its line in the header, and its fields unless it was withheld. */
export interface OpenSection {
  readonly header: SectionHeader
  readonly fields: Fields | undefined
}

/**
 * What may be searched of a record in one hierarchy: all text of its open public sections, field names in order of
 * their code units, one layer for each height. No schema is asked: the signed header says how far a section climbs.
 */
export function searchableLayers(sections: readonly OpenSection[], hierarchy: string): Layer[] {
  const layers = new Map<number, Fields[]>()
  for (const { header, fields } of sections) {
    if (fields === undefined || !mayClimb(header, hierarchy)) continue
    const height = header.heights[hierarchy] as number
    layers.set(height, [...(layers.get(height) ?? []), fields])
  }
  return [...layers]
    .sort(([a], [z]) => a - z)
    .map(([height, parts]) => ({ height, text: parts.flatMap(textsOf).join('\n') }))
}

/** Whether a section may be sent to an aggregator at this depth (any depth when not given). */
export function mayClimb(
  header: SectionHeader,
  hierarchy: string,
  depth = Number.POSITIVE_INFINITY,
): boolean {
  if (header.audience !== 'public' || header.epoch !== 0) return false
  return Object.hasOwn(header.heights, hierarchy) && (header.heights[hierarchy] as number) <= depth
}

function textsOf(value: FieldValue | Fields): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return []
  if (Array.isArray(value)) return (value as readonly FieldValue[]).flatMap(textsOf)
  const map = value as Fields
  return Object.keys(map)
    .sort()
    .flatMap((name) => textsOf(map[name] as FieldValue))
}
