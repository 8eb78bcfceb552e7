import { toHex } from '../protocol/bytes.ts'
import type { SignedRecord } from '../protocol/record/types.ts'
import { keyNames } from './key-store.ts'

/** Sorts as the records were written. */
export function outboxName({ header, id }: Pick<SignedRecord, 'header' | 'id'>): string {
  return `${keyNames.outbox}${header.clock.toString(16).padStart(16, '0')}/${toHex(id)}`
}
