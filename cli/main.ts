import { systemClock } from '../client/clock.ts'
import { parseArguments } from './arguments.ts'
import type { Parsed } from './arguments.ts'
import { commands } from './commands/index.ts'
import { createContext } from './context.ts'
import { exitCodes } from './exit-code.ts'
import type { ExitCode } from './exit-code.ts'
import { reportFailure, UsageError } from './failure.ts'
import { commandHelp, overview } from './help.ts'
import { createOutput } from './output.ts'
import type { Output } from './output.ts'
import { packageVersion } from './version.ts'

/** Runs one command and resolves with the process's exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  // `onehop get posts | head -1`: the reader has what it wanted.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? exitCodes.ok : exitCodes.failed)
  })
  // Known before the command line is understood, so that its errors come in the form that was asked for.
  const output = createOutput({
    json: argv.includes('--json'),
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
  })
  try {
    return await runCommand(parseArguments(argv, commands), output)
  } catch (error) {
    return reportFailure(output, error)
  }
}

async function runCommand({ command, operands, flags }: Parsed, output: Output): Promise<ExitCode> {
  if (flags.on('version')) {
    if (output.json) output.line({ version: packageVersion() })
    else output.data(packageVersion())
    return exitCodes.ok
  }
  if (command === undefined) {
    if (flags.on('help')) output.data(overview(commands, output))
    else output.words(overview(commands, output))
    return flags.on('help') ? exitCodes.ok : exitCodes.usage
  }
  if (flags.on('help')) {
    output.data(commandHelp(command, output))
    return exitCodes.ok
  }
  const { signal, stoppedBy, release } = interruption()
  try {
    const context = createContext({
      environment: process.env,
      signal,
      clock: systemClock,
      stdin: process.stdin,
      flags,
    })
    return await command.run({ operands, flags, output, context })
  } catch (error) {
    // The command is known: its own help says more than the list of all.
    if (error instanceof UsageError && error.help === UsageError.generalHelp)
      throw new UsageError(error.message, `See: onehop ${command.name} --help`)
    const stopped = stoppedBy()
    if (stopped === undefined) throw error
    // Who stopped it knows why it did not end well.
    if (output.json) reportFailure(output, error)
    else output.words('\nStopped.')
    return stopped
  } finally {
    release()
  }
}

/** The first SIGINT or SIGTERM asks everything to end; the second does not ask. */
function interruption() {
  const controller = new AbortController()
  let stopped: ExitCode | undefined
  const interrupt = (name: NodeJS.Signals): void => {
    const code = name === 'SIGINT' ? exitCodes.interrupted : exitCodes.terminated
    if (stopped !== undefined) process.exit(code)
    stopped = code
    controller.abort(Object.assign(new Error(`stopped by ${name}`), { name: 'AbortError' }))
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return {
    signal: controller.signal,
    stoppedBy: () => stopped,
    release() {
      process.off('SIGINT', interrupt)
      process.off('SIGTERM', interrupt)
    },
  }
}
