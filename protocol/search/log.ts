/**
 * How documents climb. A source (a node for its users, or an aggregator for what it covers) registers with the
 * aggregator above it and streams an ordered log; the aggregator acknowledges a position once index and cursor are
 * on disk in one batch. Epoch changes when a source lost its log: positions of another epoch mean nothing.
 */
import { encode } from '../codec.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { scopeShape } from '../scope.ts'
import { array, bytes, choice, decodeAs, literal, map, struct, text, uint, variant } from '../shape.ts'
import type { Analyser } from './analysis.ts'
import { searchLimits } from './limits.ts'
import { analyserCode, analyserShape } from './statistics-message.ts'

/** A place in one source's log. */
export interface LogCursor {
  /** Random when the source's log began. */
  readonly epoch: number
  /** The last entry that counts; 0 before the first. */
  readonly position: number
}

const cursorShape = struct({ epoch: uint(), position: uint() })
const cursorItems = ({ epoch, position }: LogCursor): unknown[] => [epoch, position]

export type SourceKind = 'leaf' | 'aggregator'

/** `source` below is the node that sends: the channel authenticates it. */
export interface Registration {
  readonly app: string
  /** The aggregator's scope that the source wants to be indexed under. */
  readonly parent: string
  /** Where the source stands: at or below `parent`. An aggregator sends only documents within it. */
  readonly scope: string
  readonly kind: SourceKind
  /** End of the source's log as of now. */
  readonly head: LogCursor
}

const registrationShape = struct({
  version: literal(1),
  app: text(limits.nameBytesMax, 1),
  parent: scopeShape,
  scope: scopeShape,
  kind: choice('leaf', 'aggregator'),
  head: cursorShape,
})

export function encodeRegistration(registration: Registration): Uint8Array {
  const { app, parent, scope, kind, head } = registration
  return encode([1, app, parent, scope, kind === 'leaf' ? 0 : 1, cursorItems(head)])
}

export function decodeRegistration(message: Uint8Array): Registration {
  const { version: _, ...registration } = decodeAs(registrationShape, message, 'registration')
  return registration
}

/**
 * The answer to a registration and to every batch: the aggregator has all up to here on disk. Send on from there; a
 * cursor of another epoch than the source's asks for the whole log anew.
 */
export interface Acknowledgement {
  readonly cursor: LogCursor
  /** Entries that may be sent before the next acknowledgement. */
  readonly credit: number
}

const acknowledgementShape = struct({ cursor: cursorShape, credit: uint(searchLimits.logEntriesMax) })

export function encodeAcknowledgement({ cursor, credit }: Acknowledgement): Uint8Array {
  return encode([cursorItems(cursor), credit])
}

export function decodeAcknowledgement(message: Uint8Array): Acknowledgement {
  return decodeAs(acknowledgementShape, message, 'acknowledgement')
}

export type LogEntry =
  | {
      readonly operation: 'put'
      readonly position: number
      /** The winner of its item, without the sections that may not be searched at the parent's depth. */
      readonly record: Uint8Array
      /** Where its owner stands in each hierarchy, by the hierarchy's name. */
      readonly scopes: Readonly<Record<string, string>>
      readonly analyser: Analyser
    }
  | {
      /** The item was deleted, moved elsewhere, or nothing of it may climb any more. */
      readonly operation: 'remove'
      readonly position: number
      /** {@link itemHash} */
      readonly item: Uint8Array
    }

export interface LogBatch {
  readonly app: string
  readonly parent: string
  readonly epoch: number
  /** The position before the first entry: must be where the aggregator stands. */
  readonly after: number
  /** Positions ascend from `after`; gaps are entries that do not concern this parent. */
  readonly entries: readonly LogEntry[]
  /** The log is known to the source up to here, though the last entries may not concern this parent. */
  readonly through: number
}

const putShape = struct({
  position: uint(),
  record: bytes(1, limits.recordBytesMax),
  scopes: map(scopeShape, { max: limits.hierarchiesMax, keyBytesMax: limits.nameBytesMax }),
  analyser: analyserShape,
})
const removeShape = struct({ position: uint(), item: bytes(32) })
const batchShape = struct({
  version: literal(1),
  app: text(limits.nameBytesMax, 1),
  parent: scopeShape,
  epoch: uint(),
  after: uint(),
  through: uint(),
  entries: array(variant({ 0: putShape, 1: removeShape }), searchLimits.logEntriesMax),
})

/** Throws TOO_LARGE when the entries exceed a frame. */
export function encodeLogBatch(batch: LogBatch): Uint8Array {
  const { app, parent, epoch, after, through } = batch
  const entries = batch.entries.map((entry) =>
    entry.operation === 'put'
      ? [0, [entry.position, entry.record, entry.scopes, analyserCode(entry.analyser)]]
      : [1, [entry.position, entry.item]],
  )
  return encode([1, app, parent, epoch, after, through, entries])
}

/** Throws BAD_MESSAGE, also when positions do not ascend from `after` to `through`. */
export function decodeLogBatch(message: Uint8Array): LogBatch {
  const { version: _, ...batch } = decodeAs(batchShape, message, 'log batch')
  const entries = batch.entries.map(
    ({ tag, value }): LogEntry =>
      tag === 0 ? { operation: 'put', ...value } : { operation: 'remove', ...value },
  )
  let before = batch.after
  for (const { position } of entries) {
    if (position <= before) throw new OnehopError('BAD_MESSAGE', 'log batch: positions must ascend')
    before = position
  }
  if (before > batch.through) throw new OnehopError('BAD_MESSAGE', 'log batch: an entry lies beyond its end')
  return { ...batch, entries }
}

/** Names an item in logs and indexes. `itemKey` is the record's key, or its id when the key is empty. */
export function itemHash(
  sha256: (bytes: Uint8Array) => Uint8Array,
  item: { owner: Uint8Array; app: string; collection: string; itemKey: Uint8Array },
): Uint8Array {
  return sha256(encode(['onehop/item/1', item.owner, item.app, item.collection, item.itemKey]))
}

/** The DHT key under which the aggregators of a scope are provided. */
export function aggregatorKey(
  sha256: (bytes: Uint8Array) => Uint8Array,
  app: string,
  scope: string,
): Uint8Array {
  return sha256(encode(['onehop/aggregate', app, scope]))
}
