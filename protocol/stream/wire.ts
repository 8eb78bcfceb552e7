/** Bytes of the messages of messages.ts, whose grammar is there. Decoding throws BAD_MESSAGE or TOO_LARGE. */
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import {
  array,
  bytes,
  choice,
  decodeAs,
  literal,
  mapped,
  mismatch,
  nullable,
  struct,
  text,
  tuple,
  uint,
  variant,
} from '../shape.ts'
import type {
  AuthorCursor,
  Batch,
  Cursor,
  Follow,
  Followed,
  Pull,
  Pulled,
  Push,
  Pushed,
  Receipt,
  Share,
  Stand,
  Stop,
} from './messages.ts'

const version = literal(1)
const id = bytes(32)
const name = text(limits.nameBytesMax, 1)
const collections = array(name, limits.schemaCollectionsMax, 1)
const modes = ['push', 'wait'] as const

const cursorShape = struct({ source: id, epoch: uint(), position: uint() })
const authorCursors = array(struct({ author: id, cursor: nullable(cursorShape) }), limits.streamAuthorsMax, 1)
const headShape = struct({ epoch: uint(), head: uint() })
/** null and not a second thing that would be read as it. */
const nothing = literal(null)

const entryShape = struct({ position: uint(), record: bytes(1, limits.recordBytesMax) })
const batchShape = mapped(
  struct({
    author: id,
    epoch: uint(),
    after: uint(),
    through: uint(),
    head: uint(),
    entries: array(entryShape, limits.streamEntriesMax),
  }),
  (batch): Batch => {
    let last = batch.after
    for (const entry of batch.entries) {
      if (entry.position <= last) throw mismatch('positions that rise from after')
      last = entry.position
    }
    if (last > batch.through || batch.through > batch.head)
      throw mismatch('positions up to through, at most head')
    return batch
  },
)

const followShape = struct({
  version,
  app: name,
  collections,
  mode: choice(...modes),
  authors: authorCursors,
})

export function encodeFollow(follow: Follow): Uint8Array {
  const { app, mode, authors } = follow
  return encode([1, app, follow.collections, modes.indexOf(mode), authors.map(authorCursorItems)])
}

export function decodeFollow(message: Uint8Array): Follow {
  return withoutVersion(decodeAs(followShape, message, 'follow'))
}

const standShape = mapped(variant({ 0: headShape, 1: headShape, 2: nothing, 3: nothing }), (stand): Stand => {
  switch (stand.tag) {
    case 0:
      return { state: 'following', ...stand.value }
    case 1:
      return { state: 'reconcile', ...stand.value }
    case 2:
      return { state: 'notHosted' }
    case 3:
      return { state: 'refused' }
  }
})
const followedShape = struct({
  version,
  source: id,
  authors: array(struct({ author: id, stand: standShape }), limits.streamAuthorsMax),
})

export function encodeFollowed(followed: Followed): Uint8Array {
  return encode([
    1,
    followed.source,
    followed.authors.map(({ author, stand }) => [author, standItems(stand)]),
  ])
}

export function decodeFollowed(message: Uint8Array): Followed {
  return withoutVersion(decodeAs(followedShape, message, 'followed'))
}

function standItems(stand: Stand): unknown[] {
  switch (stand.state) {
    case 'following':
      return [0, [stand.epoch, stand.head]]
    case 'reconcile':
      return [1, [stand.epoch, stand.head]]
    case 'notHosted':
      return [2, null]
    case 'refused':
      return [3, null]
  }
}

const stopShape = struct({ version, app: name, collections, authors: array(id, limits.streamAuthorsMax, 1) })

export function encodeStop(stop: Stop): Uint8Array {
  return encode([1, stop.app, stop.collections, stop.authors])
}

export function decodeStop(message: Uint8Array): Stop {
  return withoutVersion(decodeAs(stopShape, message, 'stop'))
}

const pushShape = struct({
  version,
  source: id,
  app: name,
  batches: array(batchShape, limits.streamAuthorsMax, 1),
})

export function encodePush(push: Push): Uint8Array {
  return encode([1, push.source, push.app, push.batches.map(batchItems)])
}

export function decodePush(message: Uint8Array): Push {
  return withoutVersion(decodeAs(pushShape, message, 'push'))
}

const receiptShape = mapped(
  variant({ 0: struct({ epoch: uint(), position: uint() }), 1: nothing }),
  (receipt): Receipt => (receipt.tag === 0 ? { state: 'has', ...receipt.value } : { state: 'stop' }),
)
const pushedShape = struct({
  version,
  authors: array(struct({ author: id, receipt: receiptShape }), limits.streamAuthorsMax),
})

export function encodePushed(pushed: Pushed): Uint8Array {
  const receiptItems = (receipt: Receipt): unknown[] =>
    receipt.state === 'has' ? [0, [receipt.epoch, receipt.position]] : [1, null]
  return encode([1, pushed.authors.map(({ author, receipt }) => [author, receiptItems(receipt)])])
}

export function decodePushed(message: Uint8Array): Pushed {
  return withoutVersion(decodeAs(pushedShape, message, 'pushed'))
}

const pullShape = struct({
  version,
  app: name,
  collections,
  bytesMax: uint(limits.frameBytesMax, 1),
  authors: authorCursors,
})

export function encodePull(pull: Pull): Uint8Array {
  return encode([1, pull.app, pull.collections, pull.bytesMax, pull.authors.map(authorCursorItems)])
}

export function decodePull(message: Uint8Array): Pull {
  return withoutVersion(decodeAs(pullShape, message, 'pull'))
}

const shareShape = mapped(
  variant({ 0: batchShape, 1: struct({ author: id, epoch: uint(), head: uint() }), 2: tuple(id) }),
  (share): Share => {
    switch (share.tag) {
      case 0:
        return { state: 'batch', ...share.value }
      case 1:
        return { state: 'reconcile', ...share.value }
      case 2:
        return { state: 'notHosted', author: share.value[0] }
    }
  },
)
const pulledShape = struct({ version, source: id, shares: array(shareShape, limits.streamAuthorsMax) })

export function encodePulled(pulled: Pulled): Uint8Array {
  return encode([1, pulled.source, pulled.shares.map(shareItems)])
}

export function decodePulled(message: Uint8Array): Pulled {
  return withoutVersion(decodeAs(pulledShape, message, 'pulled'))
}

function shareItems(share: Share): unknown[] {
  switch (share.state) {
    case 'batch':
      return [0, batchItems(share)]
    case 'reconcile':
      return [1, [share.author, share.epoch, share.head]]
    case 'notHosted':
      return [2, [share.author]]
  }
}

function batchItems(batch: Batch): unknown[] {
  const entries = batch.entries.map(({ position, record }) => [position, record])
  return [batch.author, batch.epoch, batch.after, batch.through, batch.head, entries]
}

function authorCursorItems({ author, cursor }: AuthorCursor): unknown[] {
  return [author, cursor === undefined ? null : cursorItems(cursor)]
}

function cursorItems(cursor: Cursor): unknown[] {
  return [cursor.source, cursor.epoch, cursor.position]
}

/** For a cursor kept on disk. */
export function encodeCursor(cursor: Cursor): Uint8Array {
  return encode(cursorItems(cursor))
}

export function decodeCursor(message: Uint8Array): Cursor {
  return decodeAs(cursorShape, message, 'cursor')
}

function withoutVersion<T extends { readonly version: 1 }>(message: T): Omit<T, 'version'> {
  const { version: _version, ...rest } = message
  return rest
}
