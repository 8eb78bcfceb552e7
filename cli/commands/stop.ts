import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Command } from '../command.ts'
import { isRunning, notRunning } from '../daemon.ts'
import type { Daemon } from '../daemon.ts'
import { exitCodes } from '../exit-code.ts'

const pollMs = 50
const waitSDefault = 30

export const stop: Command = {
  name: 'stop',
  summary: 'close the running daemon and wait until it is gone',
  operands: [],
  options: {
    wait: { type: 'string', value: 'SECONDS', help: `how long to wait for it (${waitSDefault})` },
  },
  examples: [
    ['onehop stop', 'the node of your state folder'],
    ['onehop stop --state /var/lib/onehop', 'another one'],
  ],
  async run({ flags, context, output }) {
    const waitS = flags.count('wait') ?? waitSDefault
    const daemon = await context.findDaemon()
    if (daemon === undefined)
      throw notRunning(
        context.config().config.state,
        'There is nothing to stop. A node of another folder: onehop stop --state DIR',
      )
    const { pid, node } = daemon.runtime
    await ask(daemon, context.signal)
    const startMs = context.clock.monotonicMs()
    while (isRunning(pid)) {
      if (context.clock.monotonicMs() - startMs > waitS * 1000)
        throw new OnehopError('TIMEOUT', `process ${pid} was asked to stop ${waitS} s ago and still runs`, {
          help: `Look at its log, or end it: kill ${pid}`,
        })
      await context.clock.sleep(pollMs, context.signal)
    }
    if (output.json) output.line({ stopped: true, node, pid })
    else output.words(`The node has stopped (process ${pid}).`)
    return exitCodes.ok
  },
}

/** A node that closes at once may cut its own answer short. */
async function ask({ call }: Daemon, signal: AbortSignal): Promise<void> {
  try {
    await call('admin.stop', {}, { signal })
  } catch (error) {
    const { code } = asOnehopError(error)
    if (code !== 'UNREACHABLE' && code !== 'CLOSED') throw error
  }
}
