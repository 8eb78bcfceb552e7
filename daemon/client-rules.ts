/** Rules for what an app may write now. Replicas never ask them again: they take what another holder took. */
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { asOnehopError, type ErrorCode } from '../protocol/errors.ts'
import { clockMs } from '../protocol/record/clock.ts'
import { readSection } from '../protocol/record/section.ts'
import type { SectionHeader, VerifiedRecord } from '../protocol/record/types.ts'
import { checkFieldValue } from '../protocol/schema/check-value.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { checkSections, fieldKind, sectionKind } from '../protocol/schema/sections.ts'
import type { Store } from '../storage/types.ts'
import type { Schemas } from './schemas.ts'

/** The age beyond which a client must sign anew: replicas may have dropped the numbers it would fill. */
const ageMsMax = 60 * 86_400_000

export interface Problem {
  readonly code: ErrorCode
  readonly message: string
}

export interface Writing {
  readonly record: VerifiedRecord
  /** Devices in this shard whose further writes are refused, in hex. */
  readonly doubled: ReadonlySet<string> | undefined
  readonly nowMs: number
}

export function problemOfWriting(
  { records, schemas }: { readonly records: Store['records']; readonly schemas: Pick<Schemas, 'get'> },
  { record, doubled, nowMs }: Writing,
): Problem | undefined {
  return checkNumber(records, record, doubled) ?? checkNow(schemas, record, nowMs)
}

/**
 * A device that uses a number twice was cloned, restored or stolen: it is to enrol a new key. What other nodes took from
 * it comes by them all the same, so that all hold one set. A record that is held is a client's retry.
 */
function checkNumber(
  records: Store['records'],
  { header, id }: VerifiedRecord,
  doubled: ReadonlySet<string> | undefined,
): Problem | undefined {
  const { owner, device, number } = header
  const held = records.byNumber(owner, device, number)
  if (held !== undefined && equalBytes(held.id, id)) return undefined
  const isProven = doubled !== undefined && doubled.size > 0 && doubled.has(toHex(device))
  if (held === undefined && !isProven) return undefined
  if (held !== undefined && records.get(owner, { clock: header.clock, id }) !== undefined) return undefined
  const what = isProven ? 'used a number twice' : `wrote another record as its number ${number}`
  return { code: 'EQUIVOCATION', message: `device ${toHex(device)} ${what}; it has to enrol a new key` }
}

function checkNow(schemas: Pick<Schemas, 'get'>, record: VerifiedRecord, nowMs: number): Problem | undefined {
  const { header, sections } = record
  if (clockMs(header.clock) < nowMs - ageMsMax) {
    return { code: 'EXPIRED', message: 'the record is dated more than 60 days ago; write it again' }
  }
  const withheld = sections.findIndex((section) => section === undefined)
  if (withheld >= 0) return { code: 'BAD_REQUEST', message: `section ${withheld} is missing` }
  const schema = schemas.get(header.schema)
  if (schema === undefined)
    return { code: 'UNKNOWN_SCHEMA', message: `no schema ${toHex(header.schema)} here` }
  return checkAgainst(schema, record)
}

function checkAgainst(schema: Schema, record: VerifiedRecord): Problem | undefined {
  const { header, sections } = record
  if (schema.id !== header.app)
    return { code: 'BAD_REQUEST', message: `the schema is of ${schema.id}, not ${header.app}` }
  if (header.collection.startsWith('~')) {
    // A blinded name: which collection it is only its owner knows; that it is sealed everyone can see.
    const open = header.sections.findIndex((section) => section.audience !== 'private')
    return open < 0
      ? undefined
      : { code: 'BAD_FIELD', message: `section ${open} of a private collection is not sealed` }
  }
  const collection = schema.collections.get(header.collection)
  if (collection === undefined) {
    return { code: 'UNKNOWN_COLLECTION', message: `${schema.id} has no collection ${header.collection}` }
  }
  if (collection.private) {
    return { code: 'BAD_REQUEST', message: `${header.collection} is private: its name must be blinded` }
  }
  if (collection.merge !== header.merge) {
    return {
      code: 'BAD_REQUEST',
      message: `${header.collection} merges by ${collection.merge}, not ${header.merge}`,
    }
  }
  const [problem] = checkSections(collection, header.sections)
  if (problem !== undefined) return { code: 'BAD_FIELD', message: `${problem.path}: ${problem.message}` }
  for (let i = 0; i < sections.length; i++) {
    const section = sections[i]
    if (section === undefined || header.sections[i]?.epoch !== 0) continue
    const kind = sectionKind(header.sections[i] as SectionHeader)
    try {
      for (const [name, value] of Object.entries(readSection(section))) {
        const field = collection.fields.get(name)
        const mismatch = field && checkFieldValue(field.document, schema.hierarchies, value)
        if (field === undefined)
          return { code: 'BAD_FIELD', message: `${header.collection} has no field ${name}` }
        if (mismatch !== undefined)
          return { code: 'BAD_FIELD', message: `${header.collection}.${name}: ${mismatch.message}` }
        // Or a faulty app would publish, in the section of another field, what its author marked private.
        if (fieldKind(collection, name) !== kind)
          return { code: 'BAD_FIELD', message: `${header.collection}.${name} belongs into another section` }
      }
    } catch (error) {
      return { code: asOnehopError(error).code, message: `section ${i}: ${asOnehopError(error).message}` }
    }
  }
  return undefined
}
