import { text as readAll } from 'node:stream/consumers'
import { toHex } from '../../protocol/bytes.ts'
import { collectionOf } from '../../protocol/schema/check-item.ts'
import { itemFromJson } from '../../protocol/schema/json-value.ts'
import { appOptions, openApp } from '../app.ts'
import type { Command } from '../command.ts'
import { exitCodes } from '../exit-code.ts'
import { UsageError } from '../failure.ts'
import { requireIdentity } from '../owner.ts'
import { counted, shortId } from '../units.ts'

export const put: Command = {
  name: 'put',
  summary: 'write a record',
  operands: ['COLLECTION', 'JSON'],
  options: {
    ...appOptions,
    durable: { type: 'boolean', help: 'wait until two nodes have it on disk' },
  },
  examples: [
    ['onehop put posts \'{"text": "hello"}\'', 'a post'],
    ['onehop put profile \'{"name": "Ada", "place": "/geo/europe/gb/london"}\'', 'the one profile'],
    ['onehop put notes - < note.json', 'JSON from standard input'],
  ],
  notes: 'Bytes, images and users are lower-case hex in JSON.',
  async run(call) {
    const {
      operands: [name = '', json = ''],
      context,
      output,
      flags,
    } = call
    await requireIdentity(context)
    const text = json === '-' ? await readAll(context.stdin) : json
    await using opened = await openApp(call)
    const { app, schema } = opened
    collectionOf(schema, name)
    const value = itemFromJson(schema, name, parseJson(text))
    const write = await app.collection(name).put(value)
    const { address } = await write.accepted
    const copies = flags.on('durable') ? (await write.durable).copies : undefined
    const { id, key, number } = write.local
    if (output.json) {
      output.line({
        id: toHex(id),
        key: toHex(key),
        number,
        outcome: copies === undefined ? 'accepted' : 'durable',
        address,
        ...(copies === undefined ? {} : { copies }),
      })
    } else {
      output.data(toHex(id))
      output.words(
        copies === undefined
          ? `${output.green('Stored')} at ${address} as number ${number} of ${shortId(app.owner ?? id)}.`
          : `${output.green('Stored')} on ${counted(copies, 'node')}.`,
      )
    }
    return exitCodes.ok
  },
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new UsageError(
      `not JSON: ${(cause as Error).message}`,
      `Quote it for the shell: '{"text": "hello"}'`,
    )
  }
}
