import { toHex } from '../../protocol/bytes.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { columns } from '../output.ts'
import { readSchemaFile } from '../schema-file.ts'

export const schemaCheck: Command = {
  name: 'schema check',
  summary: 'say what is wrong with a schema, or what it declares',
  operands: ['FILE'],
  options: {},
  examples: [['onehop schema check app.json', 'every problem with its path and how to mend it']],
  async run({ operands: [file = ''], output }) {
    const schema = await readSchemaFile(file)
    if (output.json) output.line({ ok: true, ...summaryOf(schema) })
    else output.data(describeSchema(schema))
    return exitCodes.ok
  },
}

export function summaryOf(schema: Schema) {
  return {
    app: schema.id,
    version: schema.version,
    hash: toHex(schema.hash),
    bytes: schema.bytes.length,
    collections: Object.keys(schema.document.collections),
    views: Object.keys(schema.document.views ?? {}),
    hierarchies: [...schema.hierarchies.keys()],
  }
}

export function describeSchema(schema: Schema): string {
  const { app, version, hash, collections, views, hierarchies } = summaryOf(schema)
  return columns([
    ['app', `${app}, version ${version}`],
    ['hash', hash],
    ['collections', collections.join(', ')],
    ...(views.length > 0 ? [['views', views.join(', ')]] : []),
    ...(hierarchies.length > 0 ? [['hierarchies', hierarchies.join(', ')]] : []),
  ])
}
