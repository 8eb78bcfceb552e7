import type { ErrorCode } from '../../protocol/errors.ts'

/** Refusals that may end when a log, a clock or some space catches up. */
export const passing: ReadonlySet<ErrorCode> = new Set([
  'CLOCK_AHEAD',
  'UNKNOWN_IDENTITY',
  'NOT_HOSTED',
  'NO_QUOTA',
  'STORE_FULL',
  'STORE_UNWRITABLE',
  'BUSY',
])
