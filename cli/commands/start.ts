import { openIdentity } from '../../client/identity/identity.ts'
import { microblog } from '../../client/microblog.ts'
import type { Daemon } from '../../daemon/start.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { Call, Command } from '../command.ts'
import { adminCall, dashboardLink, runningName } from '../daemon.ts'
import type { Runtime } from '../daemon.ts'
import { cliDevicePath } from '../key-store.ts'
import { exitCodes } from '../exit-code.ts'
import { welcomeFirstPerson } from '../first-person.ts'
import { columns } from '../output.ts'
import { followPairing } from '../pairing-screen.ts'
import { packageVersion } from '../version.ts'
import { capabilitiesOf, pairedWords } from './pair.ts'

export const start: Command = {
  name: 'start',
  summary: 'run a node on this machine until Ctrl-C',
  operands: [],
  options: {
    'no-pair': { type: 'boolean', help: 'show no QR code' },
  },
  examples: [
    ['onehop start', 'asks for your name the first time, then shows a QR code for your phone'],
    ['onehop start --no-pair --json', 'for services: one JSON line when it is ready'],
    [
      'onehop start --state ./second --set listen.http=0 --set listen.tcp=0 --set listen.websocket=0',
      'a second node, on ports that are free',
    ],
  ],
  notes: 'Ctrl-C closes the node cleanly; a second Ctrl-C does not wait.',
  async run(call) {
    const { context, output } = call
    const running = await context.findDaemon()
    if (running !== undefined) {
      if (!output.json) output.words('A node runs on this state folder already.')
      showNode(call, running.runtime, running.dashboard, await runningName(running.call, context.signal))
      return exitCodes.ok
    }
    const { config, settings } = context.config()
    // What a person looks at is the QR code; a service's log keeps everything.
    const quiet =
      output.watched && settings.some(({ path, source }) => path === 'log' && source === 'default')
    // Here alone: a node is a second of loading that no other command should pay.
    const { startDaemon } = await import('../../daemon/start.ts')
    await using daemon = await startDaemon({
      config: quiet ? { ...config, log: 'warn' } : config,
      settings,
      version: packageVersion(),
      keyFile: {
        open: async (text, path) => (await context.sealed.open(text, path)).text,
        async close(text) {
          const sealedBy = await context.sealed.sealedBy(cliDevicePath(context.environment))
          return context.sealed.close({ text, sealedBy })
        },
      },
    })
    const runtime = {
      pid: process.pid,
      node: daemon.node.id,
      http: daemon.local,
      phone: daemon.phone,
      addresses: [...daemon.addresses],
    }
    showNode(call, runtime, dashboardLink(daemon.local, daemon.adminToken), config.name)
    const ending = AbortSignal.any([context.signal, daemon.node.stopped])
    const pairing = call.flags.on('no-pair') || output.json ? undefined : invite(call, daemon, ending)
    await aborted(ending, context.clock)
    await pairing
    if (!output.json) output.words('\nClosing ...')
    return exitCodes.ok
  },
}

function showNode({ context, output }: Call, runtime: Runtime, dashboard: string, name: string): void {
  const { node, pid, phone, addresses } = runtime
  if (output.json) {
    output.line({ node, pid, dashboard, phone, http: runtime.http, addresses })
    return
  }
  const { config } = context.config()
  output.data(
    columns([
      [output.bold('node'), `${name === '' ? '' : `${name} `}${node}`],
      [output.bold('dashboard'), dashboard],
      [output.bold('phone page'), phone],
      [output.bold('state'), config.state],
    ]),
  )
}

/** First somebody who lives here, then their phone. */
async function invite(call: Call, daemon: Daemon, ending: AbortSignal): Promise<void> {
  try {
    const context = { ...call.context, signal: ending }
    await welcomeFirstPerson({ ...call, context }, { call: adminCall(daemon.local, daemon.adminToken) })
  } catch (error) {
    if (ending.aborted) return
    call.output.words(`\n${asOnehopError(error).message}`)
  }
  await invitePhone(call, daemon, ending)
}

/** Opens pairing and goes along with it until it ends; that it ends badly does not concern the node. */
async function invitePhone({ context, output }: Call, daemon: Daemon, ending: AbortSignal): Promise<void> {
  const call = adminCall(daemon.local, daemon.adminToken)
  const leave = new AbortController()
  const signal = AbortSignal.any([ending, leave.signal])
  try {
    await call('admin.pair.open', {}, { signal })
    const identity = await openIdentity({ keys: context.keys(), crypto: await context.crypto() })
    const { stdin, clock } = context
    const capabilities = capabilitiesOf(microblog.id, 30, clock.nowMs())
    const asks = stdin.isTTY === true
    const paired = await followPairing({ call, output, stdin, asks, signal, clock, identity, capabilities })
    output.words(output.green(pairedWords(paired.identity)))
    output.words('The node goes on. Ctrl-C closes it.')
  } catch (error) {
    if (ending.aborted) return
    const { message, help } = asOnehopError(error)
    output.words(`\nNo phone was paired: ${message}.\nThe node goes on. ${help}`)
  }
}

/** Keeps the process alive meanwhile: listeners of a signal do not. */
async function aborted(signal: AbortSignal, clock: Clock): Promise<void> {
  const dayMs = 86_400_000
  while (!signal.aborted) await clock.sleep(dayMs, signal).catch(() => undefined)
}
