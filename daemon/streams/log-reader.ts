import { encodeRecord, withholdSections } from '../../protocol/record/wire.ts'
import type { IdentityId, SectionHeader, VerifiedRecord } from '../../protocol/record/types.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { Store, StoredRecord } from '../../storage/types.ts'

export interface LogRecord {
  readonly position: number
  readonly record: VerifiedRecord
  readonly bytes: Uint8Array
}

/** Entries of an arrival log after a position, as records; `through` is how far was read. */
export async function readLog(
  store: Store,
  owner: IdentityId,
  after: number,
  limit: number,
): Promise<{ through: number; records: LogRecord[] }> {
  const entries = await store.records.log(owner, after, limit)
  const stored = await store.records.getMany(
    owner,
    entries.map(({ ref }) => ref),
  )
  const records = entries.flatMap(({ position }, i) => {
    const one = stored[i]
    return one === undefined ? [] : [{ position, record: decodeStored(one), bytes: one.bytes }]
  })
  return { through: entries.at(-1)?.position ?? after, records }
}

/** What leaves for readers: sealed for the owner's own devices, it is of no use to anybody else. */
export function carriedBytes({ record, bytes }: { record: VerifiedRecord; bytes: Uint8Array }): Uint8Array {
  const isCarried = (section: SectionHeader): boolean => section.audience !== 'private'
  if (record.header.sections.every(isCarried)) return bytes
  return encodeRecord(withholdSections(record, isCarried))
}

export function carriedStored(stored: StoredRecord): Uint8Array {
  return carriedBytes({ record: decodeStored(stored), bytes: stored.bytes })
}
