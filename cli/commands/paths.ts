import type { Command } from '../command.ts'
import { statePaths } from '../config.ts'
import { exitCodes } from '../exit-code.ts'
import { importsPath } from '../import/journal.ts'
import { cliDevicePath } from '../key-store.ts'
import { columns } from '../output.ts'
import { schemaFolder } from '../schema-file.ts'

const names = {
  config: 'config file',
  state: 'state folder',
  store: 'records',
  blobs: 'pictures and files',
  adminToken: 'admin token',
  runtime: 'where the node answers',
  cliDevice: 'key file of this command line',
  schemas: 'schemas applied here',
  imports: 'what was imported',
} as const

export const paths: Command = {
  name: 'paths',
  summary: 'where everything lies on this machine',
  operands: [],
  options: {},
  examples: [['onehop paths', 'to know what to back up: the state folder and the key file']],
  async run({ context, output }) {
    const state = statePaths(context.config().config.state)
    const found = {
      config: context.configPath,
      state: state.path,
      store: state.store,
      blobs: state.blobs,
      adminToken: state.adminToken,
      runtime: state.runtime,
      cliDevice: cliDevicePath(context.environment),
      schemas: schemaFolder(context.environment),
      imports: importsPath(context.environment),
    }
    if (output.json) output.line(found)
    else
      output.data(
        columns(Object.entries(found).map(([name, path]) => [names[name as keyof typeof found], path])),
      )
    return exitCodes.ok
  },
}
