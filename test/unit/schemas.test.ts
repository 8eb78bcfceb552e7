import { expect, test } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { systemClock } from '../../daemon/clock.ts'
import { Schemas } from '../../daemon/schemas.ts'
import { decodeSchema } from '../../protocol/schema/validate.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'

test('a schema that is lacking is looked for on the disk once in a row, and is there once it was learnt', async () => {
  const kv = new MemoryKv()
  const schemas = new Schemas(await openStore(kv, { clock: systemClock }))
  const schema = decodeSchema(microblog.bytes)
  let reads = 0
  const get = kv.get.bind(kv)
  kv.get = (key) => (reads++, get(key))
  for (let i = 0; i < 100; i++) expect(schemas.get(schema.hash)).toBeUndefined()
  expect(reads).toBe(1)
  // Of two by turns each is looked for.
  expect(schemas.get(new Uint8Array(32))).toBeUndefined()
  expect(schemas.get(schema.hash)).toBeUndefined()
  expect(reads).toBe(3)
  await schemas.learn(schema)
  expect(schemas.get(schema.hash)?.id).toBe(schema.id)
})
