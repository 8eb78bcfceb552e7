import { concatBytes, fromUtf8, toHex, utf8 } from '../protocol/bytes.ts'
import { nameOf } from '../protocol/id-name.ts'
import { OnehopError } from '../protocol/errors.ts'
import { planView, viewCollections } from '../protocol/query/view-plan.ts'
import { compatible } from '../protocol/schema/compatible.ts'
import { describeProblems } from '../protocol/schema/problem.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import { decodeSchema } from '../protocol/schema/validate.ts'
import type { Store } from '../storage/types.ts'

const byHash = 'schema'
/** app, zero byte, version as 8 digits, hash -> hash: of schemas that people here put. */
const putHere = 'schema-version'
/** The same for those that came with other people's records. */
const learned = 'schema-learned'

/** The schemas that this node knows, by hash. Compiled ones stay in memory: apps are few. */
export class Schemas {
  readonly #store: Store
  readonly #compiled = new Map<string, Schema>()
  readonly #newest = new Map<string, Schema | undefined>()
  /** In hex, what was asked for last and is not here: of a copy that comes each record names it, thousands in a row. */
  #lacking: string | undefined

  constructor(store: Store) {
    this.#store = store
  }

  get(hash: Uint8Array): Schema | undefined {
    const name = nameOf(hash)
    const known = this.#compiled.get(name)
    if (known !== undefined || name === this.#lacking) return known
    const bytes = this.#store.documents.get(byHash, hash)
    if (bytes === undefined) {
      this.#lacking = name
      return undefined
    }
    return this.#remember(decodeSchema(bytes))
  }

  /**
   * The version by which this node answers for an app: the highest that somebody of this house put, else the
   * highest that came along with records held for others. What strangers publish never goes before our own.
   */
  async newest(app: string): Promise<Schema | undefined> {
    return (await this.#highest(putHere, app)) ?? this.#highest(learned, app)
  }

  /** The same without a look at the disk: undefined also for an app that nobody asked for yet. */
  newestKnown(app: string): Schema | undefined {
    return this.#newest.get(`${putHere} ${app}`) ?? this.#newest.get(`${learned} ${app}`)
  }

  /** What a view of an app shows; undefined where the app is not known here. Throws UNKNOWN_VIEW. */
  async viewCollections(app: string, view: string): Promise<readonly string[] | undefined> {
    const schema = await this.newest(app)
    return schema && viewCollections(planView(schema, view))
  }

  async apps(): Promise<string[]> {
    const entries = [
      ...(await this.#store.documents.list(putHere)),
      ...(await this.#store.documents.list(learned)),
    ]
    return [...new Set(entries.map(({ key }) => fromUtf8(key.subarray(0, key.indexOf(0)))))]
  }

  /**
   * Throws BAD_SCHEMA, or INCOMPATIBLE_SCHEMA when it breaks readers of, or shows more than, the newest version
   * that was put here. One that was put already is taken as it is.
   */
  async put(bytes: Uint8Array): Promise<Schema> {
    const schema = decodeSchema(bytes)
    if (this.#store.documents.get(putHere, versionKey(schema)) !== undefined) return schema
    const newest = await this.#highest(putHere, schema.id)
    if (newest !== undefined && newest.version <= schema.version) {
      const verdict = compatible(newest, schema)
      if (!verdict.ok) throw new OnehopError('INCOMPATIBLE_SCHEMA', describeProblems(verdict.problems))
    }
    await this.#keep(schema, putHere)
    return schema
  }

  /** From another node, whose people's records were written under it. */
  async learn(schema: Schema): Promise<void> {
    if (this.get(schema.hash) === undefined) await this.#keep(schema, learned)
  }

  async #keep(schema: Schema, kind: string): Promise<void> {
    await this.#store.write((batch) => {
      this.#store.documents.putIn(batch, byHash, schema.hash, schema.bytes)
      this.#store.documents.putIn(batch, kind, versionKey(schema), schema.hash)
    })
    this.#lacking = undefined
    this.#remember(schema)
    this.#newest.delete(`${kind} ${schema.id}`)
  }

  async #highest(kind: string, app: string): Promise<Schema | undefined> {
    const name = `${kind} ${app}`
    if (this.#newest.has(name)) return this.#newest.get(name)
    const range = { prefix: appPrefix(app), reverse: true, limit: 1 }
    const [entry] = await this.#store.documents.list(kind, range)
    const schema = entry && this.get(entry.bytes)
    this.#newest.set(name, schema)
    if (this.#newest.size > appsMax) this.#newest.delete(this.#newest.keys().next().value as string)
    return schema
  }

  #remember(schema: Schema): Schema {
    this.#compiled.set(toHex(schema.hash), schema)
    if (this.#compiled.size > appsMax) this.#compiled.delete(this.#compiled.keys().next().value as string)
    return schema
  }
}

/** Apps whose schemas stay in memory. Names come from callers, so what is remembered of them is bounded. */
const appsMax = 1_024

function appPrefix(app: string): Uint8Array {
  return concatBytes(utf8(app), new Uint8Array(1))
}

function versionKey(schema: Schema): Uint8Array {
  return concatBytes(appPrefix(schema.id), utf8(schema.version.toString().padStart(8, '0')), schema.hash)
}
