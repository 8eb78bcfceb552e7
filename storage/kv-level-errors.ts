import { OnehopError } from '../protocol/errors.ts'
import type { ErrorCode } from '../protocol/errors.ts'

/** A card that wears out turns itself read-only, or its file system does after the first fault. */
const failingDisk =
  'Look at the disk (dmesg): mount it for writing, or copy the state folder to another. A node that runs goes on reading.'

/** What LevelDB and the file system say, as one of our codes. LevelDB gives its reasons as text only. */
export function asStoreError(cause: unknown, location: string, holderPid?: number): OnehopError {
  if (cause instanceof OnehopError) return cause
  const reasons: string[] = []
  for (let error = cause; error instanceof Error; error = error.cause) {
    reasons.push(`${'code' in error ? String(error.code) : ''} ${error.message}`)
  }
  const text = reasons.join(': ')
  const fail = (code: ErrorCode, message: string, help?: string): OnehopError =>
    new OnehopError(code, `${message}: ${location}`, { cause, ...(help === undefined ? {} : { help }) })
  if (/LEVEL_LOCKED/.test(text)) {
    const holder = holderPid === undefined ? 'another process' : `process ${holderPid}`
    return fail('STORE_LOCKED', `${holder} has the store open`)
  }
  if (/ENOSPC|EDQUOT|No space left|quota exceeded/i.test(text)) return fail('STORE_FULL', 'the disk is full')
  if (/EROFS|Read-only file/i.test(text))
    return fail('STORE_UNWRITABLE', 'the disk takes no writes', failingDisk)
  if (/\bEIO\b|Input\/output error/i.test(text))
    return fail('STORE_UNWRITABLE', 'the disk fails', failingDisk)
  if (/EACCES|EPERM|ENOTDIR|EEXIST|Permission denied|not permitted|Not a directory/i.test(text)) {
    return fail('STORE_UNWRITABLE', 'the store cannot be written')
  }
  // A file of the database itself that is not there: its manifest, a table.
  if (/LEVEL_CORRUPTION|Corruption|does not exist|missing files|\/level\/[^:]*: No such file/i.test(text)) {
    return fail('STORE_CORRUPT', 'the store is damaged')
  }
  if (/LEVEL_DATABASE_NOT_OPEN|LEVEL_ITERATOR_NOT_OPEN|LEVEL_BATCH_NOT_OPEN/.test(text)) {
    return /LEVEL_IO_ERROR/.test(text)
      ? fail('STORE_UNWRITABLE', `the store cannot be opened (${reasons.at(-1)})`)
      : new OnehopError('CLOSED', 'the store is closed', { cause })
  }
  return fail('STORE_UNWRITABLE', `the store failed (${reasons.at(-1) ?? String(cause)})`)
}
