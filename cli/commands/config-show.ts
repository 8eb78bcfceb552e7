import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { columns } from '../output.ts'

export const configShow: Command = {
  name: 'config show',
  summary: 'every setting, its value and where it comes from',
  operands: [],
  options: {
    running: { type: 'boolean', help: 'those of the running daemon, not those of the next start' },
  },
  examples: [
    ['onehop config show', 'what a daemon started now would use'],
    ['onehop config show --set listen.http=4190', 'what it would use with this option'],
    ['ONEHOP_SET_LISTEN__HTTP=4190 onehop config show', 'or with this variable'],
  ],
  notes: [
    'Later ones win: defaults, the config file, variables ONEHOP_SET_A__B, options --set a.b=VALUE.',
    'The config file is that of --config, else of the variable ONEHOP_CONFIG, else the one that onehop paths shows.',
    'network.bootstrap takes addresses of other nodes, as onehop status prints them there (reached at): a list as JSON.',
  ].join('\n'),
  async run({ flags, context, output }) {
    const settings = flags.on('running')
      ? (await (await context.daemon()).call('admin.config', {}, { signal: context.signal })).settings
      : context.config().settings
    if (output.json) {
      for (const { path, value, source } of settings)
        output.line({ path, value: JSON.parse(value) as unknown, source })
      return exitCodes.ok
    }
    output.data(
      columns(
        settings.map(({ path, value, source }) => [
          path,
          source === 'default' ? output.dim(source) : output.bold(source),
          value,
        ]),
      ),
    )
    output.words(output.dim(`config file: ${context.configPath}`))
    return exitCodes.ok
  },
}
