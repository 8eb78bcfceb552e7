/**
 * How a serving node begins with an author, or goes on after another source: it reads the newest records as a
 * list, then follows from the head that came with it. Method `stream/list`.
 *
 *   list   = [1, app, [1*collection], latest uint, deletes bool, [1*[author b32, before ref / null]]]
 *   listed = [1, source b32, [*part]]
 *   part   = [author b32, [epoch, head] / null, log bytes / null, [*record], more ref / null]
 *
 * Of each collection the newest `latest` items, together from the newest to the oldest; with `deletes` also the
 * deletions among the newest arrivals, so that a reader who comes from another source drops what is gone. Parts
 * come in the order asked. Authors who did not fit are left out at the end, and are asked for again; `more` goes
 * on with the one author who did not fit whole. Head null: not hosted there.
 */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { refItems, refShape } from '../query/query.ts'
import type { RecordRef } from '../record/types.ts'
import { array, boolean, bytes, decodeAs, literal, nullable, struct, text, uint } from '../shape.ts'
import type { Head } from './messages.ts'

export interface ListPlace {
  readonly author: Uint8Array
  /** Older than this one; undefined: from the newest. */
  readonly before: RecordRef | undefined
}

export interface List {
  readonly app: string
  readonly collections: readonly string[]
  readonly latest: number
  readonly deletes: boolean
  readonly authors: readonly ListPlace[]
}

export interface ListedPart {
  readonly author: Uint8Array
  /** Where to follow from. Undefined: not hosted there. */
  readonly head: Head | undefined
  /** With the first part of an author. */
  readonly log: Uint8Array | undefined
  readonly records: readonly Uint8Array[]
  readonly more: RecordRef | undefined
}

export interface Listed {
  readonly source: Uint8Array
  readonly parts: readonly ListedPart[]
}

const version = literal(1)
const id = bytes(32)
const name = text(limits.nameBytesMax, 1)

const listShape = struct({
  version,
  app: name,
  collections: array(name, limits.schemaCollectionsMax, 1),
  latest: uint(limits.listItemsMax, 1),
  deletes: boolean,
  authors: array(struct({ author: id, before: nullable(refShape) }), limits.streamAuthorsMax, 1),
})

const listedShape = struct({
  version,
  source: id,
  parts: array(
    struct({
      author: id,
      head: nullable(struct({ epoch: uint(), head: uint() })),
      log: nullable(bytes(1, limits.identityLogBytesMax)),
      records: array(bytes(1, limits.recordBytesMax), limits.streamEntriesMax),
      more: nullable(refShape),
    }),
    limits.streamAuthorsMax,
  ),
})

export function encodeList({ app, collections, latest, deletes, authors }: List): Uint8Array {
  const places = authors.map(({ author, before }) => [author, refItems(before)])
  return encode([1, app, collections, latest, deletes, places])
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeList(message: Uint8Array): List {
  const { version: _version, ...list } = decodeAs(listShape, message, 'list')
  return list
}

export function encodeListed({ source, parts }: Listed): Uint8Array {
  return encode([
    1,
    source,
    parts.map(({ author, head, log, records, more }) => [
      author,
      head === undefined ? null : [head.epoch, head.head],
      log ?? null,
      records,
      refItems(more),
    ]),
  ])
}

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeListed(message: Uint8Array): Listed {
  const { version: _version, ...listed } = decodeAs(listedShape, message, 'listed')
  return listed
}
