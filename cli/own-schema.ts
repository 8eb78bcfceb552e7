/** The schema of an app of one's own that was never applied here: this person may have come back with nothing but words. */
import type { Identity } from '../client/identity/identity.ts'
import type { Transport } from '../client/transport.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import type { CryptoProvider } from '../protocol/crypto/provider.ts'
import { OnehopError } from '../protocol/errors.ts'
import { blindCollection, blindingKey } from '../protocol/record/blind.ts'
import { verifyRecord } from '../protocol/record/verify.ts'
import { decodeRecord } from '../protocol/record/wire.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { decodeSchema } from '../protocol/schema/validate.ts'

export interface OwnSchemaParts {
  readonly call: Transport['call']
  readonly identity: Pick<Identity, 'id' | 'state' | 'boxes'>
  readonly crypto: CryptoProvider
  readonly signal?: AbortSignal | undefined
}

const recordsAsked = 50

/**
 * The newest under which this person wrote in the collection; undefined where they wrote nothing, or no node that is asked
 * has it. A node is not believed which schema an app has: one that it made up could have put in the open what is private.
 */
export async function findOwnSchema(
  parts: OwnSchemaParts,
  app: string,
  collection: string,
): Promise<Schema | undefined> {
  let newest: Schema | undefined
  for (const name of headerNames(parts, app, collection)) {
    for (const hash of await signedHashes(parts, app, name)) {
      const schema = await fetchSchema(parts, hash)
      const declared = schema?.id === app ? schema.collections.get(collection) : undefined
      if (schema === undefined || declared === undefined) continue
      // What is private stands under a blinded name, and nothing else does.
      if (declared.private !== (name !== collection)) continue
      if (newest === undefined || newest.version < schema.version) newest = schema
    }
  }
  return newest
}

/** As the collection stands in records: as it is called, or blinded where it is private. */
function headerNames({ identity, crypto }: OwnSchemaParts, app: string, collection: string): string[] {
  const first = identity.boxes.first()
  if (first === undefined) return [collection]
  const key = blindingKey(crypto, identity.id, first.secret)
  return [collection, blindCollection(crypto, key, app, collection)]
}

/** Hashes of schemas that stand in records which a device of this person's signed. */
async function signedHashes(
  { call, identity, crypto, signal }: OwnSchemaParts,
  app: string,
  collection: string,
): Promise<readonly Uint8Array[]> {
  const request = { owner: identity.id, app, collection, limit: recordsAsked }
  const answer = await unlessUnknown(call('record.list', request, { signal }))
  const hashes = new Map<string, Uint8Array>()
  for (const bytes of answer?.records ?? []) {
    const record = decodeRecord(crypto, bytes)
    const { header } = record
    if (header.app !== app || header.collection !== collection) continue
    if (verifyRecord(crypto, record, identity.state).ok) hashes.set(toHex(header.schema), header.schema)
  }
  return [...hashes.values()]
}

async function fetchSchema({ call, signal }: OwnSchemaParts, hash: Uint8Array): Promise<Schema | undefined> {
  const answer = await unlessUnknown(call('schema.get', { schema: hash }, { signal }))
  if (answer === undefined) return undefined
  const schema = decodeSchema(answer.schema)
  if (equalBytes(schema.hash, hash)) return schema
  throw new OnehopError('BAD_SCHEMA', 'the node sent another schema than the one asked for')
}

async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof OnehopError && unknown.has(error.code)) return undefined
    throw error
  }
}

const unknown: ReadonlySet<string> = new Set([
  'UNKNOWN_SCHEMA',
  'UNKNOWN_COLLECTION',
  'UNKNOWN_IDENTITY',
  'NOT_HOSTED',
])
