/** Help is made from the table of commands, so that it cannot tell of an option that is not there. */
import { globalOptions } from './arguments.ts'
import type { Command, Option } from './command.ts'
import { columns } from './output.ts'
import type { Output } from './output.ts'

type Paints = Pick<Output, 'bold' | 'dim'>

export function overview(commands: readonly Command[], { bold, dim }: Paints): string {
  return [
    `${bold('onehop')}: everything your apps need, on a box nearby`,
    '',
    `${bold('Usage:')} onehop COMMAND [OPTIONS]`,
    '',
    bold('Commands:'),
    columns(
      commands.map((command) => [usage(command), dim(command.summary)]),
      '  ',
    ),
    '',
    bold('Options of every command:'),
    optionLines(globalOptions, dim),
    '',
    bold('Begin with:'),
    columns(
      [
        ['onehop start', dim('run a node on this machine and show a QR code for a phone')],
        ['onehop init --user Ada', dim('or make an identity for this command line')],
        ['onehop put posts \'{"text": "hello"}\'', dim('write something')],
      ],
      '  ',
    ),
    '',
    bold('Exit codes:'),
    '  0 ok   1 failed   2 usage   3 daemon not running   4 unhealthy   5 needs you',
  ].join('\n')
}

export function commandHelp(command: Command, { bold, dim }: Paints): string {
  const options = Object.keys(command.options).length > 0
  return [
    `${bold(`onehop ${command.name}`)}: ${command.summary}`,
    '',
    `${bold('Usage:')} onehop ${usage(command)}${options ? ' [OPTIONS]' : ''}`,
    ...(options ? ['', bold('Options:'), optionLines(command.options, dim)] : []),
    ...(command.notes === undefined ? [] : ['', command.notes]),
    '',
    bold('Examples:'),
    ...command.examples.map(([line, does]) => `  ${dim(`# ${does}`)}\n  ${line}`),
    '',
    dim(
      `${Object.keys(globalOptions)
        .map((name) => `--${name}`)
        .join(', ')}: see onehop help`,
    ),
  ].join('\n')
}

function usage({ name, operands }: Command): string {
  return [name, ...operands].join(' ')
}

function optionLines(options: Readonly<Record<string, Option>>, dim: (text: string) => string): string {
  return columns(
    Object.entries(options).map(([name, { short, value, multiple, help }]) => [
      `--${name}${value === undefined ? '' : ` ${value}`}${short === undefined ? '' : `, -${short}`}`,
      dim(`${help}${multiple === true ? ' (several times)' : ''}`),
    ]),
    '  ',
  )
}
