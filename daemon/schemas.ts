import { concatBytes, fromUtf8, toHex, utf8 } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { compatible } from '../protocol/schema/compatible.ts'
import { describeProblems } from '../protocol/schema/problem.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { decodeSchema } from '../protocol/schema/validate.ts'
import type { Store } from '../storage/types.ts'

const byHash = 'schema'
/** app, zero byte, version as 8 digits -> hash. */
const byApp = 'schema-version'

/** The schemas that this node knows, by hash. Compiled ones stay in memory: apps are few. */
export class Schemas {
  readonly #store: Store
  readonly #compiled = new Map<string, Schema>()
  readonly #newest = new Map<string, Schema>()

  constructor(store: Store) {
    this.#store = store
  }

  get(hash: Uint8Array): Schema | undefined {
    const known = this.#compiled.get(toHex(hash))
    if (known !== undefined) return known
    const bytes = this.#store.documents.get(byHash, hash)
    if (bytes === undefined) return undefined
    return this.#remember(decodeSchema(bytes))
  }

  /** The highest version of an app's schema known here. */
  async newest(app: string): Promise<Schema | undefined> {
    const known = this.#newest.get(app)
    if (known !== undefined) return known
    const [entry] = await this.#store.documents.list(byApp, {
      prefix: appPrefix(app),
      reverse: true,
      limit: 1,
    })
    return entry && this.get(entry.bytes)
  }

  async apps(): Promise<string[]> {
    const entries = await this.#store.documents.list(byApp)
    return [...new Set(entries.map(({ key }) => fromUtf8(key.subarray(0, key.indexOf(0)))))]
  }

  /**
   * Throws BAD_SCHEMA, or INCOMPATIBLE_SCHEMA when it breaks readers of, or shows more than, the newest version
   * known here. A schema that is known already is taken as it is.
   */
  async put(bytes: Uint8Array): Promise<Schema> {
    const schema = decodeSchema(bytes)
    if (this.get(schema.hash) !== undefined) return schema
    const newest = await this.newest(schema.id)
    if (newest !== undefined && newest.version <= schema.version) {
      const verdict = compatible(newest, schema)
      if (!verdict.ok) throw new OnehopError('INCOMPATIBLE_SCHEMA', describeProblems(verdict.problems))
    }
    await this.learn(schema)
    return schema
  }

  /** From another node, whose people's records were written under it: kept whatever this node holds beside it. */
  async learn(schema: Schema): Promise<void> {
    if (this.get(schema.hash) !== undefined) return
    await this.#store.write((batch) => {
      this.#store.documents.putIn(batch, byHash, schema.hash, schema.bytes)
      const version = utf8(schema.version.toString().padStart(8, '0'))
      this.#store.documents.putIn(
        batch,
        byApp,
        concatBytes(appPrefix(schema.id), version, schema.hash),
        schema.hash,
      )
    })
    this.#remember(schema)
    const newest = this.#newest.get(schema.id)
    if (newest === undefined || newest.version < schema.version) this.#newest.set(schema.id, schema)
  }

  #remember(schema: Schema): Schema {
    this.#compiled.set(toHex(schema.hash), schema)
    return schema
  }
}

function appPrefix(app: string): Uint8Array {
  return concatBytes(utf8(app), new Uint8Array(1))
}
