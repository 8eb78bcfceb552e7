/**
 * Nobody lives on a fresh node. A phone whose page comes over plain http, as on most home networks, asks for the rights
 * of an app, which somebody who lives here has to give: so the person at the terminal is asked first.
 */
import { openIdentity } from '../client/identity/identity.ts'
import { asOnehopError } from '../protocol/errors.ts'
import { parseArguments } from './arguments.ts'
import { init } from './commands/init.ts'
import type { Call, Context } from './command.ts'
import { createContext } from './context.ts'
import type { Daemon } from './daemon.ts'
import { askLine } from './question.ts'

/** Resolves when somebody lives here, or the person at the terminal would rather not. Rejects when they left. */
export async function welcomeFirstPerson(call: Call, node: Pick<Daemon, 'call'>): Promise<void> {
  const { context, output } = call
  const { signal } = context
  const { people } = await node.call('admin.status', { limit: 0, brief: true }, { signal })
  if (people > 0) return
  const identity = await openIdentity({ keys: context.keys(), crypto: await context.crypto() })
  output.words(`\n${output.bold('Nobody lives on this node yet.')}`)
  if (context.stdin.isTTY !== true || !output.watched) {
    output.words(
      `Before a phone is paired, run in another terminal: ${output.bold(`onehop init${identity === undefined ? ' --user NAME' : ''}`)}`,
    )
    output.words('That makes the person who admits the phone: its page comes over plain http.')
    return
  }
  output.words('A phone on your network is admitted by somebody who lives here, so that comes first.')
  if (identity === undefined) {
    const name = await askLine(context, 'Your name, for the people you share with (Enter to skip): ')
    if (name === '') sayLater(call, 'onehop init --user NAME')
    else await initHere(call, [`--user=${name}`])
    return
  }
  const answer = await askLine(context, 'Shall it be the person of this command line? (Y/n) ')
  if (/^n/i.test(answer)) sayLater(call, 'onehop init')
  else await initHere(call, [])
}

function sayLater({ output }: Call, command: string): void {
  output.words(`You can do it later: ${command}. Until then only a phone over https can be paired.`)
}

/** What `onehop init` does, on the node that has just started. That it fails does not concern the node. */
async function initHere(call: Call, args: readonly string[]): Promise<void> {
  const { output, flags, context } = call
  const argv = [
    'init',
    ...args,
    ...['config', 'state', 'set'].flatMap((name) => flags.texts(name).map((text) => `--${name}=${text}`)),
  ]
  try {
    const given = parseArguments(argv, [init])
    await init.run({ ...call, ...given, context: afresh(context, given.flags) })
  } catch (error) {
    if (context.signal.aborted) throw error
    const { message, help } = asOnehopError(error)
    output.words(`${output.red('error:')} ${message}\n${help}`)
  }
}

/** Looks for the running node anew: when this process began there was none. */
function afresh({ environment, signal, stdin, clock }: Context, flags: Call['flags']): Context {
  return createContext({ environment, signal, stdin, clock, flags })
}
