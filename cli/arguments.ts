/** The command line as a command, its operands and its options. Anything unknown is refused, with the nearest known. */
import { parseArgs } from 'node:util'
import { nearestWord } from '../protocol/schema/problem.ts'
import type { Command, Flags, Option } from './command.ts'
import { UsageError } from './failure.ts'

export const globalOptions: Readonly<Record<string, Option>> = {
  json: { type: 'boolean', help: 'one JSON object a line on standard output' },
  config: { type: 'string', value: 'FILE', help: 'read this config file, not that of ONEHOP_CONFIG' },
  state: { type: 'string', value: 'DIR', help: 'the state folder of the daemon that is meant' },
  set: {
    type: 'string',
    multiple: true,
    value: 'NAME=VALUE',
    help: 'change one setting, such as listen.http=4190',
  },
  help: { type: 'boolean', short: 'h', help: 'what a command does, with examples' },
  version: { type: 'boolean', help: 'the release' },
}

export interface Parsed {
  /** Undefined when no command is named. */
  readonly command: Command | undefined
  readonly operands: readonly string[]
  readonly flags: Flags
}

type Token = NonNullable<ReturnType<typeof parseArgs>['tokens']>[number]

export function parseArguments(argv: readonly string[], commands: readonly Command[]): Parsed {
  const command = findCommand(argv, commands)
  const options = { ...globalOptions, ...command?.options }
  const { tokens } = tokenize(argv, options)
  const given = new Map<string, string[]>()
  const positionals: string[] = []
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value)
    if (token.kind === 'option') take(token, options, given, command)
  }
  const operands = positionals.slice(command === undefined ? 0 : command.name.split(' ').length)
  const flags = readFlags(given, options, command)
  if (command !== undefined && !flags.on('help')) checkOperands(command, operands)
  return { command, operands, flags }
}

function tokenize(
  argv: readonly string[],
  options: Readonly<Record<string, Option>>,
): { readonly tokens: readonly Token[] } {
  const config = Object.fromEntries(
    Object.entries(options).map(([name, { type, short, multiple }]) => [
      name,
      { type, multiple: multiple === true, ...(short === undefined ? {} : { short }) },
    ]),
  )
  return parseArgs({ args: [...argv], options: config, strict: false, allowPositionals: true, tokens: true })
}

/** The longest name that the leading words spell. Options may stand before it. */
function findCommand(argv: readonly string[], commands: readonly Command[]): Command | undefined {
  // Every option of every command, so that the value of one is never taken for the command.
  const all = Object.assign(
    {},
    ...commands.map(({ options }) => options),
    globalOptions,
  ) as typeof globalOptions
  const words = tokenize(argv, all).tokens.flatMap((token) =>
    token.kind === 'positional' ? [token.value] : [],
  )
  const [first, second] = words
  if (first === undefined) return undefined
  const named = (name: string): Command | undefined => commands.find((command) => command.name === name)
  const found = (second === undefined ? undefined : named(`${first} ${second}`)) ?? named(first)
  if (found !== undefined) return found
  const family = commands.filter(({ name }) => name.startsWith(`${first} `)).map(({ name }) => name)
  if (family.length > 0) {
    const near = second === undefined ? undefined : nearestWord(`${first} ${second}`, family)
    throw new UsageError(
      second === undefined ? `${first} needs one more word` : `${first} has no ${second}`,
      near === undefined
        ? `One of: ${family.map((name) => `onehop ${name}`).join(', ')}.`
        : `Did you mean: onehop ${near}`,
    )
  }
  const near = nearestWord(first, [...new Set(commands.map(({ name }) => name.split(' ')[0] as string))])
  throw new UsageError(
    `there is no command ${JSON.stringify(first)}`,
    near === undefined ? 'onehop help lists all commands.' : `Did you mean: onehop ${near}`,
  )
}

function take(
  token: Token & { kind: 'option' },
  options: Readonly<Record<string, Option>>,
  given: Map<string, string[]>,
  command: Command | undefined,
): void {
  const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
  const help = command === undefined ? 'onehop help' : `onehop ${command.name} --help`
  if (option === undefined) {
    const near = nearestWord(token.name, Object.keys(options))
    throw new UsageError(
      `unknown option ${token.rawName}`,
      near === undefined ? `See: ${help}` : `Did you mean: --${near}`,
    )
  }
  if (option.type === 'boolean' && token.value !== undefined)
    throw new UsageError(`--${token.name} takes no value`, `See: ${help}`)
  if (option.type === 'string' && token.value === undefined)
    throw new UsageError(
      `--${token.name} needs a value: --${token.name} ${option.value ?? 'VALUE'}`,
      `See: ${help}`,
    )
  const before = given.get(token.name) ?? []
  if (before.length > 0 && option.type === 'string' && option.multiple !== true)
    throw new UsageError(`--${token.name} is given twice`, `See: ${help}`)
  given.set(token.name, [...before, token.value ?? ''])
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const help = `onehop ${command.name} --help`
  const missing = command.operands[operands.length]
  if (missing !== undefined && !missing.startsWith('['))
    throw new UsageError(`${command.name} needs ${missing}`, `See: ${help}`)
  if (operands.length > command.operands.length)
    throw new UsageError(
      `${command.name} does not take ${JSON.stringify(operands[command.operands.length])}`,
      `A value with spaces needs quotes. See: ${help}`,
    )
}

function readFlags(
  given: ReadonlyMap<string, readonly string[]>,
  options: Readonly<Record<string, Option>>,
  command: Command | undefined,
): Flags {
  const of = (name: string): readonly string[] => {
    if (!Object.hasOwn(options, name)) throw new TypeError(`the command declares no --${name}`)
    return given.get(name) ?? []
  }
  return {
    text: (name) => of(name)[0],
    texts: of,
    on: (name) => of(name).length > 0,
    count(name) {
      const text = of(name)[0]
      if (text === undefined) return undefined
      const value = Number(text)
      if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value
      throw new UsageError(
        `--${name} needs a whole number, not ${JSON.stringify(text)}`,
        ...(command === undefined ? [] : [`See: onehop ${command.name} --help`]),
      )
    },
  }
}
