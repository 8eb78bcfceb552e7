import { expect, test } from 'vitest'
import { commands } from '../../cli/commands/index.ts'
import { NeedsAction, reportFailure, UsageError } from '../../cli/failure.ts'
import { commandHelp, overview } from '../../cli/help.ts'
import { itemText } from '../../cli/item-output.ts'
import { columns, createOutput, safeText } from '../../cli/output.ts'
import { formatBytes, formatCountdown, formatDuration } from '../../cli/units.ts'
import { OnehopError } from '../../protocol/errors.ts'

function terminal(options: { json?: boolean; tty?: boolean; environment?: NodeJS.ProcessEnv } = {}) {
  const written = { stdout: '', stderr: '' }
  const stream = (name: 'stdout' | 'stderr') => ({
    isTTY: options.tty ?? false,
    columns: 100,
    write: (text: string) => (written[name] += text),
  })
  const output = createOutput({
    json: options.json ?? false,
    stdout: stream('stdout'),
    stderr: stream('stderr'),
    environment: options.environment ?? {},
  })
  return { output, written }
}

test('colours only where both streams are a terminal and nobody said no', () => {
  expect(terminal({ tty: true }).output.red('x')).toBe('\u001b[31mx\u001b[39m')
  expect(terminal().output.red('x')).toBe('x')
  expect(terminal({ tty: true, environment: { NO_COLOR: '1' } }).output.red('x')).toBe('x')
  expect(terminal({ tty: true, environment: { NO_COLOR: '' } }).output.painted).toBe(true)
  expect(terminal({ tty: true, environment: { TERM: 'dumb' } }).output.painted).toBe(false)
})

test('an error says what, its code and the way out, on standard error', () => {
  const { output, written } = terminal()
  expect(reportFailure(output, new OnehopError('NOT_RUNNING', 'no daemon runs on /x'))).toBe(3)
  expect(written.stdout).toBe('')
  expect(written.stderr).toBe(
    'error: no daemon runs on /x (NOT_RUNNING)\nhelp:  Start the daemon: onehop start.\n',
  )
})

test('with --json an error is one line of standard output', () => {
  const { output, written } = terminal({ json: true })
  expect(reportFailure(output, new UsageError('put needs JSON', 'See: onehop put --help'))).toBe(2)
  expect(written.stderr).toBe('')
  expect(JSON.parse(written.stdout)).toEqual({
    error: {
      code: 'BAD_REQUEST',
      message: 'put needs JSON',
      retryable: false,
      help: 'See: onehop put --help',
    },
  })
})

test('exit codes follow the error', () => {
  const { output } = terminal()
  const codes = [
    new UsageError('x'),
    new NeedsAction('UNKNOWN_IDENTITY', 'x'),
    new OnehopError('PAIRING_LOCKED', 'x'),
    new OnehopError('PORT_IN_USE', 'x'),
    new TypeError('x'),
  ].map((error) => reportFailure(output, error))
  expect(codes).toEqual([2, 5, 5, 1, 1])
})

test('bytes are hex and u64 decimal text in JSON', () => {
  const { output, written } = terminal({ json: true })
  output.line({ id: Uint8Array.of(1, 255), clock: 2n ** 63n, list: [Uint8Array.of(0)] })
  expect(written.stdout).toBe('{"id":"01ff","clock":"9223372036854775808","list":["00"]}\n')
})

test('strangers cannot move the cursor or turn the text round', () => {
  expect(safeText('a\u001b[2Jb\u0007c\nd\u202ee')).toBe('ab c d e')
})

test('what of an item cannot be read is counted', () => {
  const bytes = new Uint8Array(32)
  const item = { owner: bytes, collection: 'posts', key: bytes, id: bytes, clock: 0n, writtenMs: 0 }
  const text = (withheld: number) => itemText({ ...item, value: { title: 'x' }, withheld }, terminal().output)
  expect(text(0)).toMatch(/title: x$/)
  expect(text(1)).toMatch(/title: x \(1 part that you cannot read\)$/)
  expect(text(2)).toMatch(/\(2 parts that you cannot read\)$/)
})

test('columns count what is seen, not what paints it', () => {
  expect(
    columns([
      ['a', 'b'],
      ['\u001b[1mlonger\u001b[22m', 'c'],
    ]),
  ).toBe('a       b\n\u001b[1mlonger\u001b[22m  c')
})

test('quantities', () => {
  expect([0, 1023, 1536, 200 * 1024 ** 2].map(formatBytes)).toEqual(['0 B', '1023 B', '1.5 KB', '200 MB'])
  expect([400, 61_000, 3_700_000, 50 * 3_600_000, 30 * 86_400_000 - 2_000].map(formatDuration)).toEqual([
    '0 s',
    '1 min 1 s',
    '1 h 1 min',
    '2 days',
    '30 days',
  ])
  expect([299_001, 0].map(formatCountdown)).toEqual(['5:00', '0:00'])
})

test('help of all commands', () => {
  expect(overview(commands, terminal().output)).toMatchSnapshot()
})

test.each(commands.map((command) => [command.name, command] as const))('help of %s', (_, command) => {
  expect(commandHelp(command, terminal().output)).toMatchSnapshot()
})
