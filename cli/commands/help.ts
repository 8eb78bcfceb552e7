import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { commandHelp, overview } from '../help.ts'
import { nearestWord } from '../../protocol/schema/problem.ts'

/** The table is read when the command runs: it holds this command too. */
async function table(): Promise<readonly Command[]> {
  const { commands } = await import('./index.ts')
  return commands
}

export const help: Command = {
  name: 'help',
  summary: 'all commands, or one of them with examples',
  operands: ['[COMMAND]', '[WORD]'],
  options: {},
  examples: [
    ['onehop help', 'all commands'],
    ['onehop help schema check', 'one of them'],
  ],
  async run({ operands, output }) {
    const commands = await table()
    const wanted = operands.join(' ')
    const found = commands.filter(({ name }) => name === wanted || name.startsWith(`${wanted} `))
    if (wanted !== '' && found.length === 0) {
      const near = nearestWord(
        wanted,
        commands.map(({ name }) => name),
      )
      throw new UsageError(
        `there is no command ${JSON.stringify(wanted)}`,
        near === undefined ? 'onehop help lists all commands.' : `Did you mean: onehop help ${near}`,
      )
    }
    if (output.json) {
      for (const { name, summary, operands: takes, options, examples } of wanted === '' ? commands : found)
        output.line({ name, summary, operands: takes, options, examples })
    } else if (wanted === '') output.data(overview(commands, output))
    else output.data(found.map((command) => commandHelp(command, output)).join('\n\n'))
    return exitCodes.ok
  },
}
