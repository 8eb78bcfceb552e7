/** An app on the command line: a schema, the device of this command line, and the node that answers. */
import { addressUrl } from '../client/address.ts'
import { connect } from '../client/connect.ts'
import type { App } from '../client/connect.ts'
import { httpTransport } from '../client/http.ts'
import { openIdentity } from '../client/identity/identity.ts'
import type { Transport } from '../client/transport.ts'
import { fromHex } from '../protocol/bytes.ts'
import type { Collection, Schema } from '../protocol/schema/schema.ts'
import type { Call, Option } from './command.ts'
import { UsageError } from './failure.ts'
import { findOwnSchema } from './own-schema.ts'
import { openSchema, schemaOption } from './schema-file.ts'

export const appOptions = {
  schema: schemaOption,
  node: { type: 'string', value: 'URL', help: 'ask this node and no other' },
} as const satisfies Readonly<Record<string, Option>>

export interface OpenApp extends AsyncDisposable {
  readonly app: App<Schema>
  readonly schema: Schema
}

/** `collection`: what it is opened for, by which a schema is found that was not applied here. */
export async function openApp({ flags, context }: Call, collection?: string): Promise<OpenApp> {
  const crypto = await context.crypto()
  const keys = context.keys()
  const identity = await openIdentity({ keys, crypto })
  const named = flags.text('node')
  const find = async (app: string): Promise<Schema | undefined> => {
    if (identity === undefined || collection === undefined) return undefined
    const transport = named === undefined ? undefined : await namedNode(named, context.signal)
    try {
      const { call } = transport ?? (await context.daemon())
      return await findOwnSchema({ call, identity, crypto, signal: context.signal }, app, collection)
    } finally {
      await transport?.close()
    }
  }
  const schema = await openSchema(flags.text('schema'), context.environment, find)
  const way =
    named === undefined
      ? { node: (await context.daemon()).runtime.http }
      : { transport: await namedNode(named, context.signal) }
  const app = await connect({
    schema,
    ...way,
    keys,
    crypto,
    clock: context.clock,
    signal: context.signal,
    ...(identity === undefined ? {} : { identity }),
  })
  return { app, schema, [Symbol.asyncDispose]: () => app.close() }
}

/**
 * One connection, and not a first address for looking up who holds the person's records: whoever names a node wants to
 * know what that one says. Throws UNREACHABLE; writing into the outbox instead would look as if it had been asked.
 */
async function namedNode(text: string, signal: AbortSignal): Promise<Transport> {
  const address = addressUrl(text)
  if (address === undefined)
    throw new UsageError('--node takes an address such as http://192.168.1.5:4180', 'onehop status shows it.')
  const transport = httpTransport({ address })
  await transport.call('node.info', {}, { signal })
  return transport
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
