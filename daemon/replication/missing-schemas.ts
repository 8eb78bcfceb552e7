import { fromHex, toHex } from '../../protocol/bytes.ts'
import { limits } from '../../protocol/limits.ts'
import type { Log } from '../../protocol/ports.ts'
import { decodeMaybe, encodeHash } from '../../protocol/replication/messages.ts'
import { decodeSchema } from '../../protocol/schema/validate.ts'
import type { Arrival } from '../ingest.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Schemas } from '../schemas.ts'

const missingMax = 256

export interface MissingSchemasParts {
  readonly rpc: Rpc
  readonly log: Log
  readonly schemas: Schemas
}

/** A replica serves pages too, once the home is gone: it fetches the schemas that its shards' records name. */
export class MissingSchemas {
  readonly #parts: MissingSchemasParts
  /** By hash in hex: who brought a record that names it. */
  readonly #missing = new Map<string, NodeId>()

  constructor(parts: MissingSchemasParts) {
    this.#parts = parts
  }

  stored(arrivals: readonly Arrival[]): void {
    for (const { record, source } of arrivals) {
      if (!('node' in source)) continue
      const { schema } = record.header
      if (this.#missing.size >= missingMax) return // the next record that names it asks again
      if (this.#parts.schemas.get(schema) === undefined) this.#missing.set(toHex(schema), source.node)
    }
  }

  async fetch(signal: AbortSignal): Promise<void> {
    const { rpc, schemas, log } = this.#parts
    for (const [name, node] of this.#missing) {
      try {
        const hash = fromHex(name, 32) as Uint8Array
        const bytes = decodeMaybe(await rpc.request(node, 'shard/schema', encodeHash(hash), { signal }))
        if (bytes !== undefined && bytes.length <= limits.schemaBytesMax) {
          const schema = decodeSchema(bytes)
          if (toHex(schema.hash) === name) await schemas.learn(schema)
        }
        this.#missing.delete(name)
      } catch (error) {
        if (signal.aborted) return
        log.debug('schema.fetch-failed', { node, schema: name, error: String(error) })
      }
    }
  }
}
