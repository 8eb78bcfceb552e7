import { expect, test } from 'vitest'
import { parseArguments } from '../../cli/arguments.ts'
import type { Command } from '../../cli/command.ts'
import { commands } from '../../cli/commands/index.ts'
import { UsageError } from '../../cli/failure.ts'

function refusal(...argv: string[]): UsageError {
  try {
    parseArguments(argv, commands)
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError)
    return error as UsageError
  }
  throw new Error('it was accepted')
}

test('the longest name wins, and options may stand anywhere', () => {
  const { command, operands, flags } = parseArguments(
    ['--state', '/tmp/x', 'schema', 'check', 'app.json', '--json', '--set', 'name=a', '--set=region=/geo'],
    commands,
  )
  expect(command?.name).toBe('schema check')
  expect(operands).toEqual(['app.json'])
  expect(flags.text('state')).toBe('/tmp/x')
  expect(flags.texts('set')).toEqual(['name=a', 'region=/geo'])
  expect(flags.on('json')).toBe(true)
  expect(flags.on('help')).toBe(false)
})

test('one name may begin another: devices, devices revoke, devices ID', () => {
  const named = (...argv: string[]) => parseArguments(argv, commands).command?.name
  expect(named('devices')).toBe('devices')
  expect(named('devices', 'ab'.repeat(32))).toBe('devices')
  expect(named('devices', 'revoke', 'abcd')).toBe('devices revoke')
})

test('after -- nothing is an option', () => {
  const { operands } = parseArguments(['search', '--scope', '/geo', '--', '--json'], commands)
  expect(operands).toEqual(['--json'])
})

test.each([
  [['statsu'], 'there is no command "statsu"', 'Did you mean: onehop status'],
  [['schema', 'chek'], 'schema has no chek', 'Did you mean: onehop schema check'],
  [['schema'], 'schema needs one more word', 'One of: onehop schema check, onehop schema apply.'],
  [['get', 'posts', '--limt', '3'], 'unknown option --limt', 'Did you mean: --limit'],
  [['get'], 'get needs COLLECTION', 'See: onehop get --help'],
  [
    ['get', 'a', 'b', 'c'],
    'get does not take "c"',
    'A value with spaces needs quotes. See: onehop get --help',
  ],
  [['get', 'posts', '--limit'], '--limit needs a value: --limit N', 'See: onehop get --help'],
  [['get', 'posts', '--json=1'], '--json takes no value', 'See: onehop get --help'],
  [['get', 'posts', '--limit', '1', '--limit', '2'], '--limit is given twice', 'See: onehop get --help'],
])('%j is refused with a way out', (argv, message, help) => {
  const error = refusal(...argv)
  expect(error.message).toBe(message)
  expect(error.help).toBe(help)
})

test('a number is a whole one', () => {
  const { flags } = parseArguments(['get', 'posts', '--limit', '1e3'], commands)
  expect(() => flags.count('limit')).toThrow('--limit needs a whole number, not "1e3"')
})

test('names of the prototype are no options and no commands', () => {
  expect(refusal('get', 'posts', '--constructor').message).toBe('unknown option --constructor')
  expect(refusal('__proto__').message).toContain('there is no command')
})

test('every command has what help needs, and its examples parse', () => {
  const names = commands.map(({ name }: Command) => name)
  expect(new Set(names).size).toBe(names.length)
  for (const command of commands) {
    expect(command.examples.length, command.name).toBeGreaterThan(0)
    for (const [line] of command.examples) {
      const words: string[] = line.match(/'[^']*'|"[^"]*"|\S+/g) ?? []
      const at = words.indexOf('onehop')
      const end = words.findIndex((word, i) => i > at && (word === '|' || word === '<' || word === '>'))
      const argv = words
        .slice(at + 1, end < 0 ? undefined : end)
        .map((word) => word.replace(/^['"]|['"]$/g, ''))
      const parsed = parseArguments(argv, commands)
      expect(parsed.command?.name, line).toBe(command.name)
    }
  }
})
