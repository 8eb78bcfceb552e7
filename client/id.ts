import { fromHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'

/** Ids are bytes in code and lower-case hex in text; apps may hand in either. */
export function idOf(id: Uint8Array | string, lengthBytes: number | undefined): Uint8Array {
  const bytes = typeof id === 'string' ? fromHex(id, lengthBytes) : id
  if (bytes !== undefined && (lengthBytes === undefined || bytes.length === lengthBytes)) return bytes
  throw new OnehopError('BAD_REQUEST', 'an id is lower-case hex: two digits a byte')
}
