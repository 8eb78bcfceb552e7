import { compareBytes, utf8 } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import type { RecordRef } from '../record/types.ts'
import {
  array,
  bytes,
  decodeAs,
  literal,
  map,
  mapped,
  mismatch,
  nullable,
  struct,
  text,
  u64,
  uint,
} from '../shape.ts'
import { AnswerWriter, bytesLength, headLength, textLength } from './answer-writer.ts'
import { refShape } from './query.ts'

/**
 * A page's data. Records are the signed bytes as they are stored; the reader verifies each. Grammar:
 *
 *   answer  = [1, askedNodes uint, asOf u64, [*own], [*latest], feed / null, {*name => uint}]
 *   own     = [collection, record / null]
 *   latest  = [collection, [*record], more ref / null]
 *   feed    = [[*author], [*item], more ref / null]
 *   author  = [id b32, [*record]]           ; once, however many items are theirs
 *   item    = [author uint, record]         ; place in the list of authors
 */
export interface ViewAnswer {
  /** How many other nodes had to be asked: 0 is what onehop is for. */
  readonly askedNodes: number
  /** The newest clock that this node had taken into the owner's shard when it answered. */
  readonly asOf: bigint
  readonly own: readonly OwnPart[]
  readonly latest: readonly LatestPart[]
  readonly feed: FeedPart | undefined
  readonly counts: Readonly<Record<string, number>>
}

export interface OwnPart {
  readonly collection: string
  /** Undefined when the owner wrote none. */
  readonly record: Uint8Array | undefined
}

export interface LatestPart {
  readonly collection: string
  readonly records: readonly Uint8Array[]
  /** The `before` of what follows; undefined when nothing is left. */
  readonly more: RecordRef | undefined
}

export interface FeedPart {
  readonly authors: readonly FeedAuthor[]
  readonly items: readonly FeedItem[]
  readonly more: RecordRef | undefined
}

export interface FeedAuthor {
  readonly id: Uint8Array
  /** Their records of the collections that the view shows beside each item. */
  readonly records: readonly Uint8Array[]
}

export interface FeedItem {
  /** Index into `authors`. The reader checks that the record is indeed that author's. */
  readonly author: number
  readonly record: Uint8Array
}

const name = text(limits.nameBytesMax, 1)
const record = bytes(1, limits.recordBytesMax)
const collectionsMax = limits.schemaCollectionsMax

const feedShape = mapped(
  struct({
    authors: array(struct({ id: bytes(32), records: array(record, collectionsMax) }), limits.listItemsMax),
    items: array(struct({ author: uint(limits.listItemsMax - 1), record }), limits.listItemsMax),
    more: nullable(refShape),
  }),
  (feed): FeedPart => {
    if (feed.items.some((item) => item.author >= feed.authors.length))
      throw mismatch('items by listed authors')
    return feed
  },
)

const answerShape = struct({
  version: literal(1),
  askedNodes: uint(),
  asOf: u64,
  own: array(struct({ collection: name, record: nullable(record) }), collectionsMax),
  latest: array(
    struct({ collection: name, records: array(record, limits.listItemsMax), more: nullable(refShape) }),
    collectionsMax,
  ),
  feed: nullable(feedShape),
  counts: map(uint(), { max: collectionsMax, keyBytesMax: limits.nameBytesMax }),
})

/** Throws BAD_MESSAGE or TOO_LARGE. */
export function decodeViewAnswer(message: Uint8Array): ViewAnswer {
  const { version: _version, ...answer } = decodeAs(answerShape, message, 'answer', {
    bytesMax: limits.answerBytesMax,
  })
  return answer
}

/** Throws TOO_LARGE: whoever fills a feed stops before and gives a cursor instead. */
export function encodeViewAnswer(answer: ViewAnswer): Uint8Array {
  const length = viewAnswerLength(answer)
  if (length > limits.answerBytesMax) {
    throw new OnehopError('TOO_LARGE', `an answer of ${length} bytes is more than ${limits.answerBytesMax}`)
  }
  const writer = new AnswerWriter(length)
  writer.array(7)
  writer.uint(1)
  writer.uint(answer.askedNodes)
  writer.u64(answer.asOf)
  writer.array(answer.own.length)
  for (const part of answer.own) {
    writer.array(2)
    writer.text(part.collection)
    if (part.record === undefined) writer.null()
    else writer.bytes(part.record)
  }
  writer.array(answer.latest.length)
  for (const part of answer.latest) {
    writer.array(3)
    writer.text(part.collection)
    writeRecords(writer, part.records)
    writeRef(writer, part.more)
  }
  if (answer.feed === undefined) writer.null()
  else writeFeed(writer, answer.feed)
  const counts = sortedCounts(answer.counts)
  writer.map(counts.length)
  for (const [count, value] of counts) {
    writer.text(count)
    writer.uint(value)
  }
  return writer.target
}

function writeFeed(writer: AnswerWriter, feed: FeedPart): void {
  writer.array(3)
  writer.array(feed.authors.length)
  for (const author of feed.authors) {
    writer.array(2)
    writer.bytes(author.id)
    writeRecords(writer, author.records)
  }
  writer.array(feed.items.length)
  for (const item of feed.items) {
    writer.array(2)
    writer.uint(item.author)
    writer.bytes(item.record)
  }
  writeRef(writer, feed.more)
}

function writeRecords(writer: AnswerWriter, records: readonly Uint8Array[]): void {
  writer.array(records.length)
  for (const bytes of records) writer.bytes(bytes)
}

function writeRef(writer: AnswerWriter, ref: RecordRef | undefined): void {
  if (ref === undefined) return writer.null()
  writer.array(2)
  writer.u64(ref.clock)
  writer.bytes(ref.id)
}

/** As deterministic CBOR orders keys: by their encoded bytes, so the shorter first. */
function sortedCounts(counts: Readonly<Record<string, number>>): [string, number][] {
  return Object.entries(counts).toSorted(([a], [b]) => {
    const [left, right] = [utf8(a), utf8(b)]
    return left.length - right.length || compareBytes(left, right)
  })
}

/** Bytes of the encoded answer. */
export function viewAnswerLength(answer: ViewAnswer): number {
  let length = 2 + headLength(answer.askedNodes) + headLength(answer.asOf)
  length += headLength(answer.own.length) + headLength(answer.latest.length)
  for (const part of answer.own) {
    length += 1 + textLength(part.collection) + (part.record === undefined ? 1 : bytesLength(part.record))
  }
  for (const part of answer.latest) {
    length += 1 + textLength(part.collection) + recordsLength(part.records) + refLength(part.more)
  }
  length += answer.feed === undefined ? 1 : feedLength(answer.feed)
  const counts = Object.entries(answer.counts)
  length += headLength(counts.length)
  for (const [count, value] of counts) length += textLength(count) + headLength(value)
  return length
}

function feedLength(feed: FeedPart): number {
  let length = 1 + headLength(feed.authors.length) + headLength(feed.items.length) + refLength(feed.more)
  for (const author of feed.authors) length += 1 + bytesLength(author.id) + recordsLength(author.records)
  for (const item of feed.items) length += feedItemLength(item)
  return length
}

/** What an item adds to an answer, beside its author: to stop filling a feed before it is too long. */
export function feedItemLength(item: FeedItem): number {
  return 1 + headLength(item.author) + bytesLength(item.record)
}

function recordsLength(records: readonly Uint8Array[]): number {
  let length = headLength(records.length)
  for (const bytes of records) length += bytesLength(bytes)
  return length
}

function refLength(ref: RecordRef | undefined): number {
  return ref === undefined ? 1 : 1 + headLength(ref.clock) + bytesLength(ref.id)
}
