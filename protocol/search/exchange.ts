/** What goes around adverts and log batches between nodes: methods `search/adverts`, `search/append`, `search/identities`. */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { scopeShape } from '../scope.ts'
import { array, bytes, choice, decodeAs, literal, nullable, struct } from '../shape.ts'
import { searchLimits } from './limits.ts'
import type { SourceKind } from './log.ts'

/** An advert as its node signed it, and what that node says it misses now. The latter is hearsay when others pass it on. */
export interface Announcement {
  readonly advert: Uint8Array
  readonly missing: readonly string[]
}

const announcementsShape = struct({
  version: literal(1),
  announcements: array(
    struct({
      advert: bytes(1, searchLimits.advertBytesMax + 128),
      missing: array(scopeShape, searchLimits.missingScopesMax),
    }),
    searchLimits.announcementsMax,
  ),
})

export function encodeAnnouncements(announcements: readonly Announcement[]): Uint8Array {
  return encode([1, announcements.map(({ advert, missing }) => [advert, missing])])
}

export function decodeAnnouncements(message: Uint8Array): Announcement[] {
  return decodeAs(announcementsShape, message, 'announcements').announcements
}

/** A batch with the identity logs that its records are the first to need. */
export interface Append {
  readonly kind: SourceKind
  readonly logs: readonly Uint8Array[]
  /** An encoded LogBatch. */
  readonly batch: Uint8Array
}

const appendShape = struct({
  version: literal(1),
  kind: choice('leaf', 'aggregator'),
  logs: array(bytes(1, limits.identityLogBytesMax), searchLimits.logEntriesMax),
  batch: bytes(1, limits.frameBytesMax),
})

export function encodeAppend({ kind, logs, batch }: Append): Uint8Array {
  return encode([1, kind === 'leaf' ? 0 : 1, logs, batch])
}

export function decodeAppend(message: Uint8Array): Append {
  const { version: _, ...append } = decodeAs(appendShape, message, 'append')
  return append
}

/** Logs in the order asked; undefined where there is none, or where the frame was full. */
export function encodeIdentityLogs(logs: readonly (Uint8Array | undefined)[]): Uint8Array {
  let room: number = limits.answerBytesMax
  return encode(
    logs.map((log) => {
      if (log === undefined || log.length > room) return null
      room -= log.length + 5
      return log
    }),
  )
}

export function decodeIdentityLogs(message: Uint8Array): (Uint8Array | undefined)[] {
  const shape = array(nullable(bytes(1, limits.identityLogBytesMax)), limits.placementShardsMax)
  return decodeAs(shape, message, 'identity logs')
}
