import type { ErrorCode } from '../protocol/errors.ts'

/** What the process tells whoever started it. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  notRunning: 3,
  unhealthy: 4,
  /** Something waits for a person; the message says what. */
  needsAction: 5,
  /** By Ctrl-C, or a signal to end: 128 and its number, as shells have it. */
  interrupted: 130,
  terminated: 143,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Codes that end otherwise than with `failed`. */
export const exitOfCode: Partial<Record<ErrorCode, ExitCode>> = {
  NOT_RUNNING: exitCodes.notRunning,
  PAIRING_LOCKED: exitCodes.needsAction,
}
