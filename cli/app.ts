/** An app on the command line: a schema, the device of this command line, and the node that answers. */
import { connect } from '../client/connect.ts'
import type { App } from '../client/connect.ts'
import { openIdentity } from '../client/identity.ts'
import { fromHex } from '../protocol/bytes.ts'
import type { Collection, Schema } from '../protocol/schema/schema.ts'
import type { Call, Option } from './command.ts'
import { openSchema, schemaOption } from './schema-file.ts'

export const appOptions = {
  schema: schemaOption,
  node: { type: 'string', value: 'URL', help: 'ask this node, not the one that runs here' },
} as const satisfies Readonly<Record<string, Option>>

export interface OpenApp extends AsyncDisposable {
  readonly app: App<Schema>
  readonly schema: Schema
}

export async function openApp({ flags, context }: Call): Promise<OpenApp> {
  const schema = await openSchema(flags.text('schema'), context.environment)
  const node = flags.text('node') ?? (await context.daemon()).runtime.http
  const crypto = await context.crypto()
  const keys = context.keys()
  const identity = await openIdentity({ keys, crypto })
  const app = await connect({
    schema,
    node,
    keys,
    crypto,
    clock: context.clock,
    signal: context.signal,
    ...(identity === undefined ? {} : { identity }),
  })
  return { app, schema, [Symbol.asyncDispose]: () => app.close() }
}

/** A key as it is typed: the value of the collection's key field, or the hex of an item that was printed. */
export function keyFromText(collection: Collection, text: string): string | number | Uint8Array {
  if (typeof collection.key === 'string') return fromHex(text) ?? text
  const type = collection.fields.get(collection.key.field)?.document.type
  if (
    (type === 'integer' || type === 'time' || type === 'number') &&
    text.trim() !== '' &&
    Number.isFinite(Number(text))
  )
    return Number(text)
  if (type === 'user' || type === 'bytes') return fromHex(text) ?? text
  return text
}
