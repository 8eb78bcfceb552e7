import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { keepSchema, readSchemaFile } from '../schema-file.ts'
import { describeSchema, summaryOf } from './schema-check.ts'

export const schemaApply: Command = {
  name: 'schema apply',
  summary: 'check a schema and give it to the running node',
  operands: ['FILE'],
  options: {},
  examples: [['onehop schema apply app.json', 'then: onehop put COLLECTION JSON --schema APP']],
  async run({ operands: [file = ''], context, output }) {
    const schema = await readSchemaFile(file)
    const daemon = await context.daemon()
    await daemon.call('schema.put', { schema: schema.bytes }, { signal: context.signal })
    await keepSchema(schema, context.environment)
    if (output.json) output.line({ applied: true, ...summaryOf(schema) })
    else {
      output.data(describeSchema(schema))
      output.words(`The node knows it now. Use it with --schema ${schema.id}.`)
    }
    return exitCodes.ok
  },
}
