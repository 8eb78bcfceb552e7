import { toHex } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { itemKey } from '../record/merge.ts'
import { readSection } from '../record/section.ts'
import type { Fields, SignedRecord } from '../record/types.ts'
import { withholdSections } from '../record/wire.ts'
import { scopeHierarchy } from '../scope.ts'
import type { Analyser } from './analysis.ts'
import type { SearchDocument } from './document.ts'
import { itemHash } from './log.ts'
import { mayClimb, searchableLayers } from './searchable.ts'

/** The record as it may be sent to an aggregator or a reader at this depth; it verifies none the less. */
export function climbingRecord<R extends SignedRecord>(record: R, hierarchy: string, depth: number): R {
  return withholdSections(record, (section) => mayClimb(section, hierarchy, depth))
}

/** False when nothing of it may be searched at this depth: then it does not climb there at all. */
export function mayRecordClimb(record: SignedRecord, hierarchy: string, depth: number): boolean {
  return (
    record.header.operation === 'put' &&
    record.header.sections.some((section) => mayClimb(section, hierarchy, depth))
  )
}

/**
 * The record as the index of the scope's hierarchy takes it; for a reader, what to check a hit against. Pass verified
 * records only. A section that is no CBOR map was signed as such: it is nobody's text, and no reason to stop.
 */
export function searchDocumentOf(
  sha256: (bytes: Uint8Array) => Uint8Array,
  record: SignedRecord,
  place: { readonly scope: string; readonly analyser: Analyser },
): SearchDocument {
  const { header } = record
  const hierarchy = scopeHierarchy(place.scope)
  const sections = header.sections.map((section, index) => {
    const bytes = record.sections[index]
    const wanted = bytes !== undefined && mayClimb(section, hierarchy)
    return { header: section, fields: wanted ? fieldsOf(bytes) : undefined }
  })
  return {
    key: toHex(itemHash(sha256, { ...header, itemKey: itemKey(record) })),
    id: record.id,
    app: header.app,
    collection: header.collection,
    scope: place.scope,
    analyser: place.analyser,
    layers: searchableLayers(sections, hierarchy),
  }
}

function fieldsOf(bytes: Uint8Array): Fields | undefined {
  try {
    return readSection(bytes)
  } catch (error) {
    if (error instanceof OnehopError && (error.code === 'BAD_MESSAGE' || error.code === 'TOO_LARGE'))
      return undefined
    throw error
  }
}
