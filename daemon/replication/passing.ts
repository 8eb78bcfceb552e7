import type { ErrorCode } from '../../protocol/errors.ts'

/** Refusals for want of space or time, which may take long to end. */
export const lacking: ReadonlySet<ErrorCode> = new Set(['NO_QUOTA', 'STORE_FULL', 'STORE_UNWRITABLE', 'BUSY'])

/** Refusals that may end when a log, a clock or some space catches up. */
export const passing: ReadonlySet<ErrorCode> = new Set([
  'CLOCK_AHEAD',
  'UNKNOWN_IDENTITY',
  'NOT_HOSTED',
  ...lacking,
])
