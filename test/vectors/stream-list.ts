/** Makes stream-list.json and followers.json, as record.ts makes record.json. Other messages of streams are in stream.json. */
import { writeFileSync } from 'node:fs'
import { concatBytes } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import {
  decodeFollowers,
  decodeFollowersAsk,
  encodeFollowers,
  encodeFollowersAsk,
} from '../../protocol/stream/followers.ts'
import * as listing from '../../protocol/stream/listing.ts'
import { seededCrypto } from '../support/people.ts'
import { messageKind, messageVectors, type MessageVectors } from './message-kinds.ts'
import { arrayOf, followedBy, zeros } from './wire.ts'

const { random } = seededCrypto(0x115)
const [source, author, other, id] = [random(32), random(32), random(32), random(32)]
const [record, log] = [random(20), random(24)]
const clock = 0x18bcfe568000000n
const before = { clock, id }
const app = 'example.microblog'

const list: readonly unknown[] = [1, app, ['posts', 'profile'], 50, true, [[author, null]]]
const authors = limits.streamAuthorsMax
const listHead = concatBytes(Uint8Array.of(0x86), ...list.slice(0, -1).map((item) => encode(item)))

const part: readonly unknown[] = [author, [1, 25], log, [record], [clock, id]]
const listed = (...parts: unknown[]): unknown[] => [1, source, parts]
const listedHead = concatBytes(Uint8Array.of(0x83), encode(1), encode(source))
/** Up to the log of one part. */
const partHead = concatBytes(listedHead, Uint8Array.of(0x81, 0x85), encode(author), encode(null))

export const streamListKinds = {
  list: messageKind(listing.encodeList, listing.decodeList, {
    good: {
      'two authors, one begun': {
        app,
        collections: ['posts', 'profile'],
        latest: 50,
        deletes: true,
        authors: [
          { author, before: undefined },
          { author: other, before },
        ],
      },
      'the newest item of one author': {
        app: 'a',
        collections: ['posts'],
        latest: 1,
        deletes: false,
        authors: [{ author, before: { clock: 0n, id } }],
      },
      'as many items as may be asked': {
        app: 'a'.repeat(limits.nameBytesMax),
        collections: Array.from({ length: limits.schemaCollectionsMax }, (_, at) => `c${at}`),
        latest: limits.listItemsMax,
        deletes: false,
        authors: [{ author, before: { clock: 2n ** 64n - 1n, id } }],
      },
    },
    full: { 'as many authors as fit': arrayOf(authors, [author, null], listHead) },
    refused: {
      'version of tomorrow': list.with(0, 2),
      'no app': list.with(1, ''),
      'an app of 65 bytes': list.with(1, 'a'.repeat(65)),
      'no collection': list.with(2, []),
      'a collection without a name': list.with(2, ['']),
      '65 collections': list.with(
        2,
        Array.from({ length: 65 }, (_, at) => `c${at}`),
      ),
      'no items': list.with(3, 0),
      '201 items': list.with(3, 201),
      'a number for a flag': list.with(4, 1),
      'no author': list.with(5, []),
      'an author of 31 bytes': list.with(5, [[author.subarray(1), null]]),
      'an author without a place': list.with(5, [[author]]),
      'a place without an id': list.with(5, [[author, [clock]]]),
      'a place with an id of 31 bytes': list.with(5, [[author, [clock, id.subarray(1)]]]),
      'a place before all clocks': list.with(5, [[author, [-1, id]]]),
      'one author too many': arrayOf(authors + 1, [author, null], listHead),
      'one thing less': list.slice(0, -1),
      'one thing more': [...list, null],
    },
  }),
  listed: messageKind(listing.encodeListed, listing.decodeListed, {
    good: {
      'one whole, one begun, one not hosted': {
        source,
        parts: [
          { author, head: { epoch: 1, head: 25 }, log, records: [record, record], more: undefined },
          { author: other, head: { epoch: 2 ** 40, head: 0 }, log: undefined, records: [], more: before },
          { author: id, head: undefined, log: undefined, records: [], more: undefined },
        ],
      },
      'nobody fitted': { source, parts: [] },
    },
    full: {
      'as many authors as fit': arrayOf(authors, [author, null, null, [], null], listedHead),
      'the longest log': followedBy(
        zeros(limits.identityLogBytesMax, 'BAD_MESSAGE', partHead),
        encode([]),
        encode(null),
      ),
    },
    refused: {
      'version of tomorrow': listed(part).with(0, 2),
      'a source of 31 bytes': listed(part).with(1, source.subarray(1)),
      'an author of 33 bytes': listed(part.with(0, new Uint8Array(33))),
      'a head without a position': listed(part.with(1, [1])),
      'a head before the first': listed(part.with(1, [1, -1])),
      'an epoch beyond 2^53': listed(part.with(1, [2n ** 53n, 25])),
      'a log of no bytes': listed(part.with(2, new Uint8Array())),
      'a log of a byte too many': followedBy(
        zeros(limits.identityLogBytesMax + 1, 'BAD_MESSAGE', partHead),
        encode([]),
        encode(null),
      ),
      'an empty record': listed(part.with(3, [new Uint8Array()])),
      'null for a record': listed(part.with(3, [null])),
      'null for no records': listed(part.with(3, null)),
      '1,025 records': listed(
        part.with(
          3,
          Array.from({ length: limits.streamEntriesMax + 1 }, () => Uint8Array.of(1)),
        ),
      ),
      'more after no clock': listed(part.with(4, [null, id])),
      'a part cut off': listed(part.slice(0, -1)),
      'a part with one thing more': listed([...part, null]),
      'null for a part': listed(null),
      'one author too many': arrayOf(authors + 1, [author, null, null, [], null], listedHead),
    },
  }),
}

const ask: readonly unknown[] = [1, app, author, other]
const followers: readonly unknown[] = [1, [record], true, 1]

export const followersKinds = {
  ask: messageKind(encodeFollowersAsk, decodeFollowersAsk, {
    good: {
      'the first': { app, author, after: undefined },
      'those after one': { app: 'a'.repeat(limits.nameBytesMax), author, after: other },
    },
    refused: {
      'version of tomorrow': ask.with(0, 2),
      'no app': ask.with(1, ''),
      'an app of 65 bytes': ask.with(1, 'a'.repeat(65)),
      'an author of 31 bytes': ask.with(2, author.subarray(1)),
      'no author': ask.with(2, null),
      'after 33 bytes': ask.with(3, new Uint8Array(33)),
      'one thing less': ask.slice(0, -1),
      'one thing more': [...ask, null],
    },
  }),
  followers: messageKind(encodeFollowers, decodeFollowers, {
    good: {
      nobody: { records: [], more: false, silent: 0 },
      'two, and there are more': { records: [record, log], more: true, silent: 2 },
    },
    refused: {
      'version of tomorrow': followers.with(0, 2),
      'an empty record': followers.with(1, [new Uint8Array()]),
      'null for a record': followers.with(1, [null]),
      '257 records': followers.with(
        1,
        Array.from({ length: limits.followersMax + 1 }, () => Uint8Array.of(1)),
      ),
      'a number for a flag': followers.with(2, 1),
      'less than none silent': followers.with(3, -1),
      'one thing less': followers.slice(0, -1),
      'one thing more': [...followers, null],
    },
  }),
}

export function followersVectors(): MessageVectors {
  return messageVectors('who follows an author: method stream/followers', followersKinds)
}

export function streamListVectors(): MessageVectors {
  return messageVectors('how a serving node begins with an author: method stream/list', streamListKinds)
}

if (import.meta.main) {
  const text = `${JSON.stringify(streamListVectors(), undefined, 1)}\n`
  writeFileSync(new URL('stream-list.json', import.meta.url), text)
  const others = `${JSON.stringify(followersVectors(), undefined, 1)}\n`
  writeFileSync(new URL('followers.json', import.meta.url), others)
}
