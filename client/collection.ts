import { emptyBytes, equalBytes } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import type { IdentityId, RecordRef } from '../protocol/record/types.ts'
import { collectionOf, parseItem } from '../protocol/schema/check-item.ts'
import { itemKey, keyOfValue } from '../protocol/schema/item-key.ts'
import type { Collection as CompiledCollection } from '../protocol/schema/schema.ts'
import { planSections } from '../protocol/schema/sections.ts'
import type { ItemValue } from '../protocol/schema/value.ts'
import { clockMs } from '../protocol/record/clock.ts'
import { itemKey as recordItemKey } from '../protocol/record/merge.ts'
import type { AppParts } from './app-parts.ts'
import { idOf } from './id.ts'
import type { Item, Key, Page, Write } from './item.ts'
import type { CallOptions } from './transport.ts'

export interface ReadOptions extends CallOptions {
  /** Whose items; this identity's own when not given. */
  readonly owner?: IdentityId | string | undefined
}

export interface WriteOptions {
  /** A group in whose shard this person writes; their own when not given. */
  readonly owner?: IdentityId | string | undefined
  /** A group that reads what the schema keeps for followers; in a group's shard that group. */
  readonly readers?: IdentityId | string | undefined
}

export interface PutItemOptions extends WriteOptions {
  readonly key?: Uint8Array | undefined
}

export interface ListOptions extends ReadOptions {
  /** 1 to 200. */
  readonly limit?: number | undefined
  /** Older than this: the `more` of the page before. */
  readonly before?: RecordRef | undefined
  /** Newer than this. */
  readonly after?: RecordRef | undefined
}

const dayMs = 86_400_000
const pageItemsMax = 200

/** The items of one collection. `V` is what the schema says that an item holds. */
export class Collection<V> {
  readonly name: string
  readonly #parts: AppParts
  readonly #compiled: CompiledCollection

  constructor(parts: AppParts, name: string) {
    this.#parts = parts
    this.#compiled = collectionOf(parts.schema, name)
    this.name = name
  }

  /**
   * Writes an item: a new one, or the next version of the one with this key. Throws BAD_FIELD naming every fault.
   * Resolves when the record is safe on this device; see Write for the two outcomes that follow.
   */
  async put(value: V, options: PutItemOptions = {}): Promise<Write> {
    const item = this.#parse(value)
    const { app, sealing, crypto } = this.#parts
    const plain = itemKey(this.#compiled, item, (length) => crypto.random(length))
    const key = options.key ?? sealing.itemKey(app, this.#compiled, plain)
    return this.#write('put', key, item, options)
  }

  /** Reads the item, changes these fields and writes it again. A field given as undefined is taken out. */
  async update(
    of: Key | Item<V> | undefined,
    changes: Partial<V>,
    options: WriteOptions & CallOptions = {},
  ): Promise<Write> {
    const key = this.#keyOf(of)
    const current = await this.#read(key, this.#parts.owner(options.owner), options)
    if (current === undefined)
      throw new OnehopError('NOT_FOUND', `${this.name}: there is no such item to change`)
    if (current.withheld > 0) {
      throw new OnehopError(
        'FORBIDDEN',
        `${this.name}: parts of the item are not readable here and would be lost`,
        {
          help: 'Change it on a device that may read all of it, or write it whole with put.',
        },
      )
    }
    const changed = Object.entries({ ...current.value, ...changes }).filter(
      ([, field]) => field !== undefined,
    )
    const item = this.#parse(Object.fromEntries(changed))
    const { app, sealing, crypto } = this.#parts
    if (typeof this.#compiled.key === 'object') {
      const next = sealing.itemKey(
        app,
        this.#compiled,
        itemKey(this.#compiled, item, (length) => crypto.random(length)),
      )
      if (!equalBytes(next, key)) {
        throw new OnehopError(
          'BAD_FIELD',
          `${this.name}.${this.#compiled.key.field}: names the item and cannot change`,
          {
            help: 'Delete the item and put a new one.',
          },
        )
      }
    }
    return this.#write('put', key, item, options)
  }

  async delete(of?: Key | Item<V>, options: Pick<WriteOptions, 'owner'> = {}): Promise<Write> {
    return this.#write('delete', this.#keyOf(of), undefined, options)
  }

  /** Undefined when there is none, or no longer. */
  async get(of?: Key | Item<V>, options: ReadOptions = {}): Promise<Item<V> | undefined> {
    return this.#read(this.#keyOf(of), this.#parts.owner(options.owner), options)
  }

  /** In the order of the keys, at most 256; undefined where there is none, or no longer. */
  async getMany(keys: readonly Key[], options: ReadOptions = {}): Promise<readonly (Item<V> | undefined)[]> {
    const named = keys.map((key) => this.#keyOf(key))
    const found = await this.#readMany(named, this.#parts.owner(options.owner), options)
    return found.map((item) => (item === 'disowned' ? undefined : item))
  }

  /** A page of items, newest first. */
  async list(options: ListOptions = {}): Promise<Page<V>> {
    const { app, schema, seen } = this.#parts
    const owner = this.#parts.owner(options.owner)
    const collection = this.#headerName(owner)
    const { limit, before, after } = options
    const { records, more } = await this.#parts
      .callAbout(
        owner,
        'record.list',
        {
          owner,
          app,
          collection,
          ...(limit === undefined ? {} : { limit: Math.min(Math.max(1, limit), pageItemsMax) }),
          ...(before && { before }),
          ...(after && { after }),
          ...seenOf(seen.of(owner)),
        },
        options,
      )
      .catch((error: unknown) => {
        // This app's schema has it; a node that knows an older version has nothing in it.
        if (error instanceof OnehopError && error.code === 'UNKNOWN_COLLECTION')
          return { records: [], more: null }
        throw error
      })
    const verified = await this.#parts.reader.records(records, { app: schema.id, owner, collection }, options)
    const items = verified.flatMap((record) => {
      const item = record && this.#parts.reader.item(record, this.name)
      return item === undefined ? [] : [item as Item<V>]
    })
    const leftOut = verified.filter((record) => record === undefined).length
    return { items, more: more ?? undefined, leftOut }
  }

  /** The newest `count` items, over as many pages as that takes. */
  async latest(count: number, options: ReadOptions = {}): Promise<readonly Item<V>[]> {
    const items: Item<V>[] = []
    let before: RecordRef | undefined
    do {
      const page = await this.list({ ...options, before, limit: count - items.length })
      items.push(...page.items)
      before = page.more
    } while (before !== undefined && items.length < count)
    return items.slice(0, count)
  }

  /** How many items there are. Reads them all: a count that a page shows belongs into a view. */
  async count(options: ReadOptions = {}): Promise<number> {
    let count = 0
    let before: RecordRef | undefined
    do {
      const page = await this.list({ ...options, before })
      count += page.items.length
      before = page.more
    } while (before !== undefined)
    return count
  }

  async #read(key: Uint8Array, owner: IdentityId, options: CallOptions): Promise<Item<V> | undefined> {
    const [item] = await this.#readMany([key], owner, options)
    // Not as if there were none: whoever changes what they read would write over what was there before.
    if (item === 'disowned')
      throw new OnehopError('LAGGING', 'the node still has this item as a device wrote it that is revoked', {
        help: 'Ask again in a moment: then what was there before is back.',
      })
    return item
  }

  async #readMany(
    keys: readonly Uint8Array[],
    owner: IdentityId,
    options: CallOptions,
  ): Promise<readonly (Item<V> | 'disowned' | undefined)[]> {
    const { app, reader, seen } = this.#parts
    const collection = this.#headerName(owner)
    const { records } = await this.#parts.callAbout(
      owner,
      'record.get',
      { owner, app, collection, keys: [...keys], ...seenOf(seen.of(owner)) },
      options,
    )
    const found = records.slice(0, keys.length).filter((bytes) => bytes !== null)
    const verified = (await reader.records(found, { app, owner, collection }, options)).values()
    return keys.map((key, i) => {
      if ((records[i] ?? null) === null) return undefined
      const record = verified.next().value
      if (record === undefined) return 'disowned'
      if (!equalBytes(recordItemKey(record), key))
        throw new OnehopError('BAD_MESSAGE', 'the node sent another item than the one asked for')
      return reader.item(record, this.name) as Item<V> | undefined
    })
  }

  async #write(
    operation: 'put' | 'delete',
    key: Uint8Array,
    item: ItemValue | undefined,
    options: WriteOptions,
  ): Promise<Write> {
    const { app, schema, sealing } = this.#parts
    const self = this.#parts.self()
    const owner = options.owner === undefined ? self : idOf(options.owner, 32)
    const collection = this.#headerName(owner)
    // In its own shard a group is who follows it.
    const readers = options.readers ?? (equalBytes(owner, self) ? undefined : owner)
    const group = readers === undefined ? undefined : idOf(readers, 32)
    const planned = item === undefined ? [] : planSections(schema, this.name, item)
    if (group !== undefined && planned.some(({ audience }) => audience === 'followers'))
      await this.#parts.freshenGroup(group)
    const isForFollowers = group === undefined && planned.some(({ audience }) => audience === 'followers')
    const followers = isForFollowers ? await this.#parts.followersBox() : undefined
    const place = { owner, app, collection, group, followers }
    const sections = planned.map((section) => sealing.seal(section, place))
    const { expiresDays, merge } = this.#compiled
    return this.#parts.write((clock) => ({
      owner,
      app,
      collection,
      key,
      merge,
      operation,
      schema: schema.hash,
      expiresMs:
        operation === 'put' && expiresDays !== undefined ? clockMs(clock) + expiresDays * dayMs : undefined,
      sections,
    }))
  }

  #parse(value: unknown): ItemValue {
    const item = parseItem(this.#parts.schema, this.name, value)
    // What is undefined counts as left out, and has no form in a record.
    return Object.fromEntries(Object.entries(item).filter(([, field]) => (field as unknown) !== undefined))
  }

  #headerName(owner: IdentityId): string {
    if (this.#compiled.private && !this.#parts.isSelf(owner)) {
      throw new OnehopError(
        'FORBIDDEN',
        `${this.name} is private, and nobody but its owner has what is private`,
        {
          help: 'Groups keep nothing private: there, write in a collection for its members. Of what is your own, leave out the owner.',
        },
      )
    }
    return this.#parts.sealing.collectionName(this.#parts.app, this.#compiled)
  }

  /** Of an item that was read its own key; else made from the value of the key field. */
  #keyOf(of: Key | Item<V> | undefined): Uint8Array {
    const compiled = this.#compiled
    const { app, sealing } = this.#parts
    if (typeof of === 'object' && !(of instanceof Uint8Array)) return of.key
    if (compiled.key === 'single') {
      if (of === undefined) return sealing.itemKey(app, compiled, emptyBytes)
      throw new OnehopError('BAD_REQUEST', `${this.name} has one item: give no key`)
    }
    if (of === undefined) throw new OnehopError('BAD_REQUEST', `${this.name} has many items: give a key`)
    if (typeof compiled.key === 'string') {
      const id = typeof of === 'number' ? undefined : typeof of === 'string' ? idOf(of, undefined) : of
      if (id !== undefined) return id
      throw new OnehopError(
        'BAD_REQUEST',
        `${this.name}: the key is bytes, as an item that was read has them`,
      )
    }
    const type = compiled.fields.get(compiled.key.field)?.document.type
    const value = type === 'user' && typeof of === 'string' ? idOf(of, 32) : of
    return sealing.itemKey(app, compiled, keyOfValue(compiled, value))
  }
}

function seenOf<T>(token: T | undefined): { seen: T } | Record<never, never> {
  return token === undefined ? {} : { seen: token }
}
