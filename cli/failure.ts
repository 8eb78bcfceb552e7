/** How a command ends badly: what happened, its code, and the way out. */
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import { exitCodes, exitOfCode } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'
import type { Output } from './output.ts'

/** The command line itself is wrong. */
export class UsageError extends OnehopError {
  static readonly generalHelp = 'onehop help'

  constructor(message: string, help = UsageError.generalHelp) {
    super('BAD_REQUEST', message, { help })
  }
}

/** A person has to do something first; `help` is the command that does it. */
export class NeedsAction extends OnehopError {}

function exitCodeOf(error: OnehopError): ExitCode {
  if (error instanceof UsageError) return exitCodes.usage
  if (error instanceof NeedsAction) return exitCodes.needsAction
  return exitOfCode[error.code] ?? exitCodes.failed
}

/** Prints any thrown thing and answers the exit code that it means. */
export function reportFailure(output: Output, thrown: unknown): ExitCode {
  const error = asOnehopError(thrown)
  const { code, message, retryable, help } = error
  if (output.json) {
    output.line({ error: { code, message, retryable, help } })
  } else {
    const [what, ...rest] = message.split('\n')
    output.words(`${output.red('error:')} ${what} ${output.dim(`(${code})`)}`)
    for (const line of rest) output.words(`  ${line}`)
    output.words(`${output.dim('help:')}  ${help}`)
    // A fault of ours is worth nothing without its place.
    if (code === 'INTERNAL' && error.cause instanceof Error && error.cause.stack !== undefined)
      output.words(output.dim(error.cause.stack))
  }
  return exitCodeOf(error)
}
