import type { CollectionName, RecordOf } from '../protocol/schema/record-of.ts'
import type { Schema } from '../protocol/schema/schema.ts'
import type { ItemValue } from '../protocol/schema/value.ts'
import type { RecordId, IdentityId, RecordRef } from '../protocol/record/types.ts'

/** What an item holds: the schema's types, or for a schema read from a file any that a schema can name. */
export type ValueIn<S extends Schema, C extends CollectionName<S>> =
  string extends CollectionName<S> ? ItemValue : RecordOf<S, C>

/** One verified item, opened as far as this device may. */
export interface Item<V> {
  readonly owner: IdentityId
  readonly collection: string
  /** What names the item to get, update and delete it. In private collections the blinded key. */
  readonly key: Uint8Array
  /** Of this version of it. */
  readonly id: RecordId
  readonly clock: bigint
  readonly writtenMs: number
  readonly value: V
  /** Sections that were left out on the way, or are sealed for others. */
  readonly withheld: number
}

export interface Page<V> {
  /** Newest first. */
  readonly items: readonly Item<V>[]
  /** The `before` of the next page; undefined when nothing is left. */
  readonly more: RecordRef | undefined
  /** How many a device signed after it was revoked; what was there before shows once the node has heard of it. */
  readonly leftOut: number
}

/** Nothing for a collection with one item; the value of the key field; or the key of an item that was read. */
export type Key = string | number | Uint8Array

export interface Write {
  /** Signed, numbered and in the outbox on this device: it survives a restart from here on. */
  readonly local: {
    readonly id: RecordId
    readonly owner: IdentityId
    /** Of the item. */
    readonly key: Uint8Array
    readonly number: number
    readonly clock: bigint
    readonly bytes: Uint8Array
  }
  /**
   * One node has it on disk. Pending while no node can be reached; rejects with the node's refusal, after which the
   * record is given up.
   */
  readonly accepted: Promise<{ readonly address: string }>
  /** Two nodes or more have it on disk. Asked for when first read. Pending as long as there is one copy alone. */
  readonly durable: Promise<{ readonly copies: number }>
}
