import { hash } from 'node:crypto'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { encodeHeader } from '../../protocol/record/header.ts'
import type { RecordHeader, VerifiedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import type { IncomingRecord } from '../../storage/types.ts'

export function sha256(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', bytes, 'buffer'))
}

/** 32 bytes that stand for a name. */
export function id(name: string): Uint8Array {
  return sha256(new TextEncoder().encode(name))
}

export interface PlainRecord extends Partial<Omit<RecordHeader, 'sections'>> {
  readonly sections?: readonly Uint8Array[]
}

/** A record as the store takes it; its signature is nonsense, which the store never looks at. */
export function incomingRecord(plain: PlainRecord): IncomingRecord {
  const operation = plain.operation ?? 'put'
  const sections = operation === 'delete' ? [] : (plain.sections ?? [new Uint8Array(40).fill(7)])
  const owner = plain.owner ?? id('ada')
  const header: RecordHeader = {
    app: 'town.example',
    collection: 'posts',
    key: new Uint8Array(0),
    merge: 'append',
    device: id('phone'),
    number: 1,
    clock: 1n,
    schema: id('schema'),
    expiresMs: undefined,
    ...plain,
    owner,
    author: plain.author ?? owner,
    operation,
    sections: sections.map((bytes) => ({
      audience: 'public',
      heights: {},
      epoch: 0,
      length: bytes.length,
      hash: sha256(bytes),
    })),
  }
  const headerBytes = encodeHeader(header)
  const message = signedMessage(contexts.record, headerBytes)
  const signed = {
    header,
    headerBytes,
    message,
    signature: new Uint8Array(64),
    sections,
    id: sha256(message),
  }
  return { record: signed as unknown as VerifiedRecord, bytes: encodeRecord(signed) }
}

/** The same record with only the sections of these indexes. */
export function withSections(incoming: IncomingRecord, ...indexes: readonly number[]): IncomingRecord {
  const record = {
    ...incoming.record,
    sections: incoming.record.sections.map((bytes, i) => (indexes.includes(i) ? bytes : undefined)),
  } as VerifiedRecord
  return { record, bytes: encodeRecord(record) }
}
