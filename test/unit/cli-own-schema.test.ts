import { expect, test } from 'vitest'
import { findOwnSchema } from '../../cli/own-schema.ts'
import { deviceOf, makeIdentity, memoryKeyStore } from '../../client/index.ts'
import type { Transport } from '../../client/transport.ts'
import { toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { signRecord } from '../../protocol/record/sign.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { createPerson, draftBy, seededCrypto } from '../support/people.ts'

const crypto = seededCrypto(43)
const app = 'example.diary'

const version = (number: number, isPrivate = false): Schema =>
  defineSchema({
    onehop: 1,
    id: app,
    version: number,
    collections: {
      days: { key: 'none', ...(isPrivate ? { private: true } : {}), fields: { text: { type: 'text' } } },
    },
  } as never)

/** A node that has these records and answers with these schemas. */
function nodeWith(records: readonly Uint8Array[], schemaOf: (hash: Uint8Array) => Schema | undefined) {
  const call = async (operation: string, request: { schema: Uint8Array }) => {
    if (operation === 'record.list') return { records, asOf: 0n, more: null }
    const schema = schemaOf(request.schema)
    if (schema === undefined) throw new OnehopError('UNKNOWN_SCHEMA', 'none here')
    return { schema: schema.bytes }
  }
  return call as unknown as Transport['call']
}

test('the schema of an app is the newest under which its person signed, and nothing that a node makes up', async () => {
  const keys = memoryKeyStore()
  const identity = await makeIdentity({ keys, crypto })
  const person = { device: await deviceOf({ keys, crypto }), state: identity.state }
  const under = (schema: Schema, number: number, by = person, signer = by) =>
    encodeRecord(
      signRecord(
        crypto,
        draftBy(by, { ...{ app, collection: 'days', schema: schema.hash, number } }),
        signer.device.seed,
      ),
    )
  const known = [version(1), version(2), version(3), version(4, true)]
  const byHash = (hash: Uint8Array) => known.find((one) => toHex(one.hash) === toHex(hash))
  const find = (records: readonly Uint8Array[], schemaOf: Parameters<typeof nodeWith>[1] = byHash) =>
    findOwnSchema({ call: nodeWith(records, schemaOf), identity, crypto }, app, 'days')
  const [one, two, three, sealed] = known as [Schema, Schema, Schema, Schema]

  expect((await find([under(two, 2), under(one, 1)]))?.version).toBe(2)
  expect(await find([])).toBeUndefined()
  expect(await find([under(two, 1)], () => undefined)).toBeUndefined()
  // Signed by somebody else, or in their shard.
  const mallory = createPerson(crypto)
  expect(await find([under(three, 1, person, mallory)])).toBeUndefined()
  expect(await find([under(three, 1, mallory)])).toBeUndefined()
  // It says that the collection is private, and this is written in the open.
  expect(await find([under(sealed, 1)])).toBeUndefined()
  await expect(find([under(two, 1)], () => three)).rejects.toMatchObject({ code: 'BAD_SCHEMA' })
})
