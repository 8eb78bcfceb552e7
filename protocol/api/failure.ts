/** How an error looks on the wire: {code, message, retryable, help}. */
import { OnehopError, errorTable, isErrorCode } from '../errors.ts'
import type { ErrorCode } from '../errors.ts'
import { boolean, fields, text } from './fields.ts'
import type { Form, Typed } from './fields.ts'

const failure = fields({ code: text(64), message: text(4096), retryable: boolean(), help: text(1024) })
export type Failure = Typed<typeof failure>

const messageLengthMax = 1000

/** The cause stays behind: it may hold paths and names that are none of the caller's business. */
export function toFailure(error: OnehopError): Failure {
  return {
    code: error.code,
    message: error.code === 'INTERNAL' ? 'the node met a fault' : error.message.slice(0, messageLengthMax),
    retryable: error.retryable,
    help: error.help.slice(0, messageLengthMax),
  }
}

/** A code that this release does not know becomes INTERNAL and is named in the message. */
export function fromFailure(value: unknown, form: Form): OnehopError {
  const read = failure(value, '', form)
  if (!isErrorCode(read.code))
    return new OnehopError('INTERNAL', `${read.code}: ${read.message}`, { help: read.help })
  return new OnehopError(read.code, read.message, { help: read.help })
}

export function httpStatus(code: ErrorCode): number {
  return errorTable[code].http
}
