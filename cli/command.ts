/** What a command is made of: one entry in the table of commands, from which parsing and help both follow. */
import type { KeyStore } from '../client/key-store.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import type { Clock } from '../protocol/ports.ts'
import type { Config, Setting } from './config.ts'
import type { Daemon } from './daemon.ts'
import type { ExitCode } from './exit-code.ts'
import type { Output } from './output.ts'
import type { SealedFiles } from './passphrase.ts'

export interface Option {
  readonly type: 'string' | 'boolean'
  /** May be given several times. */
  readonly multiple?: boolean
  readonly short?: string
  /** What stands for the value in help. */
  readonly value?: string
  readonly help: string
}

export interface Command {
  /** One or two words: `put`, `schema check`. */
  readonly name: string
  readonly summary: string
  /** Names of what follows the command; in brackets where it may be left out. */
  readonly operands: readonly string[]
  readonly options: Readonly<Record<string, Option>>
  /** A command line and what it does. */
  readonly examples: readonly (readonly [line: string, does: string])[]
  /** More than options and examples can say. */
  readonly notes?: string
  run(call: Call): Promise<ExitCode>
}

export interface Call {
  readonly operands: readonly string[]
  readonly flags: Flags
  readonly output: Output
  readonly context: Context
}

/** Options as given. Asking for one that the command does not declare is a fault of ours. */
export interface Flags {
  text(name: string): string | undefined
  texts(name: string): readonly string[]
  on(name: string): boolean
  /** A whole number. Throws a UsageError otherwise. */
  count(name: string): number | undefined
}

/** What commands reach beyond themselves, opened when first asked for. */
export interface Context {
  readonly environment: NodeJS.ProcessEnv
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  readonly clock: Clock
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean }
  readonly configPath: string
  config(): { readonly config: Config; readonly settings: readonly Setting[] }
  /** The daemon of this state folder, if one answers. */
  findDaemon(): Promise<Daemon | undefined>
  /** The same; throws NOT_RUNNING when none does. */
  daemon(): Promise<Daemon>
  crypto(): Promise<CryptoProvider>
  /** Opens and closes files that may be sealed under a passphrase. */
  readonly sealed: SealedFiles
  /** Keys of the command-line device. */
  keys(): KeyStore
}
