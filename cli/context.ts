import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import type { Context, Flags } from './command.ts'
import { configFile, readConfig, statePaths } from './config.ts'
import type { ConfigSources } from './config.ts'
import { loadCrypto } from './crypto.ts'
import { findDaemon, notRunning } from './daemon.ts'
import type { Daemon } from './daemon.ts'
import { UsageError } from './failure.ts'
import { cliDevicePath, fileKeyStore } from './key-store.ts'
import { sealedFiles } from './passphrase.ts'

/** A node that lives answers `node.info` at once, however busy it is. */
const answerWaitMs = 10_000

export interface ContextOptions {
  readonly environment: NodeJS.ProcessEnv
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly stdin: Context['stdin']
  readonly flags: Flags
}

export function createContext({ environment, signal, clock, stdin, flags }: ContextOptions): Context {
  const sources = configSources(flags, environment)
  let config: ReturnType<Context['config']> | undefined
  let daemon: Promise<Daemon | undefined> | undefined
  const readOnce = (): ReturnType<Context['config']> => (config ??= readConfig(sources))
  /** A daemon that has just been killed leaves its file behind: who does not answer does not run. */
  const find = async (): Promise<Daemon | undefined> => {
    const found = await findDaemon(readOnce().config.state)
    if (found === undefined) return undefined
    try {
      await found.call('node.info', {}, { signal, timeoutMs: answerWaitMs })
      return found
    } catch (error) {
      if (error instanceof OnehopError && error.code === 'UNREACHABLE') return undefined
      throw error
    }
  }
  const sealed = sealedFiles({ environment, stdin, signal }, () => loadCrypto())
  const context: Context = {
    environment,
    signal,
    clock,
    stdin,
    configPath: sources.file ?? configFile(environment),
    config: readOnce,
    findDaemon: () => (daemon ??= find()),
    async daemon() {
      const found = await context.findDaemon()
      if (found === undefined) throw notRunning(readOnce().config.state)
      return found
    },
    crypto: () => loadCrypto(),
    sealed,
    keys: () =>
      fileKeyStore(cliDevicePath(environment), clock, {
        files: sealed,
        other: () => statePaths(readOnce().config.state).nodeKey,
      }),
  }
  return context
}

/** --state DIR is short for --set state=DIR, and stronger. */
function configSources(flags: Flags, environment: NodeJS.ProcessEnv): ConfigSources {
  const file = flags.text('config')
  const state = flags.text('state')
  for (const text of flags.texts('set')) {
    if (text.indexOf('=') < 1)
      throw new UsageError(
        `--set ${text}: write it as --set NAME=VALUE`,
        'onehop config show lists the names.',
      )
  }
  const settings = [...flags.texts('set'), ...(state === undefined ? [] : [`state=${JSON.stringify(state)}`])]
  return { ...(file === undefined ? {} : { file }), environment, flags: settings }
}
