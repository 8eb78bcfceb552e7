/**
 * Every function of protocol/ that makes sense of bytes from elsewhere, by its file and name, with what is known to be
 * right of it. A test compares this table with the sources.
 */
import { microblog } from '../../client/microblog.ts'
import { concatBytes, equalBytes, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { encodeManifest, readManifest } from '../../protocol/blob-manifest.ts'
import { decodeFrame, encodeFrame } from '../../protocol/api/frames.ts'
import { readSignature } from '../../protocol/api/http-signature.ts'
import { apiLimits } from '../../protocol/api/limits.ts'
import {
  isOperationName,
  isSubscription,
  operations,
  readEvent,
  readReply,
  readRequest,
} from '../../protocol/api/operations.ts'
import { decode, encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { kinds, parseBody, wireBody } from '../../protocol/identity/body.ts'
import { decodeEntry, decodeLog, encodeEntry, encodeLog } from '../../protocol/identity/entry.ts'
import { replay } from '../../protocol/identity/log.ts'
import { makeRecoveryWords, readRecoveryWords } from '../../protocol/identity/recovery.ts'
import { decodeShare, encodeShare } from '../../protocol/identity/slip39/share.ts'
import { pairingLink, parsePairingLink } from '../../protocol/pairing/link.ts'
import { decodePairingMessage, encodePairingMessage } from '../../protocol/pairing/messages.ts'
import { readTypedCode } from '../../protocol/pairing/typed-code.ts'
import { unpackChain } from '../../protocol/placement/chain.ts'
import { verifyLease } from '../../protocol/placement/lease.ts'
import { parseInvitation } from '../../protocol/placement/invitation.ts'
import * as placement from '../../protocol/placement/messages.ts'
import {
  decodePactAnswer,
  decodePactAsk,
  encodePactAnswer,
  encodePactAsk,
  verifyPact,
} from '../../protocol/placement/pact.ts'
import {
  decodeReplicaSet,
  encodeReplicaSet,
  packReplicaSet,
  unpackReplicaSet,
} from '../../protocol/placement/replica-set.ts'
import * as query from '../../protocol/query/query.ts'
import { decodeViewAnswer, encodeViewAnswer } from '../../protocol/query/view-answer.ts'
import { decodeReaders, encodeReaders } from '../../protocol/readers/page.ts'
import { respond } from '../../protocol/reconcile/machine.ts'
import {
  decodeBlobListAsks,
  decodeBlobLists,
  encodeBlobListAsks,
  encodeBlobLists,
} from '../../protocol/replication/blob-lists.ts'
import {
  decodeAuditAnswer,
  decodeAuditAsk,
  decodeFileAuditAsk,
  encodeAuditAnswer,
  encodeAuditAsk,
  encodeFileAuditAsk,
} from '../../protocol/replication/audit.ts'
import {
  decodeManyAnswer,
  decodeManyAsk,
  encodeManyAnswer,
  encodeManyAsk,
} from '../../protocol/replication/many.ts'
import {
  decodeSnapshotAsk,
  decodeSnapshotPage,
  encodeSnapshotAsk,
  encodeSnapshotPage,
} from '../../protocol/replication/snapshot.ts'
import { decodeRanges } from '../../protocol/reconcile/message.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'
import { encodeProof, verifyProof } from '../../protocol/record/equivocation.ts'
import { decodeHeader, decodeWireHeader, encodeHeader } from '../../protocol/record/header.ts'
import { readSection } from '../../protocol/record/section.ts'
import { decodeSeen } from '../../protocol/record/seen.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import * as replication from '../../protocol/replication/messages.ts'
import { parseItem } from '../../protocol/schema/check-item.ts'
import { decodeSchema } from '../../protocol/schema/validate.ts'
import { formatScope, parseScope } from '../../protocol/scope.ts'
import { verifyAdvert } from '../../protocol/search/advert.ts'
import { clauseName, clauseOf, parseQuery } from '../../protocol/search/clauses.ts'
import * as exchange from '../../protocol/search/exchange.ts'
import * as searchLog from '../../protocol/search/log.ts'
import * as searchQuery from '../../protocol/search/query.ts'
import * as statistics from '../../protocol/search/statistics-message.ts'
import * as followers from '../../protocol/stream/followers.ts'
import * as listing from '../../protocol/stream/listing.ts'
import * as stream from '../../protocol/stream/wire.ts'
import { seededCrypto } from '../support/people.ts'
import { nodeCrypto } from '../../daemon/crypto/node-crypto.ts'
import { Fault, type Target } from './fuzzer.ts'
import type { OperationVectors } from '../vectors/api-operations.ts'
import type { PactVectors } from '../vectors/pact.ts'
import { readVectors, type Spelled, unhex, unspell } from '../vectors/wire.ts'
import { documentsOf, seedsOf } from './seeds.ts'

/** Believes every signature: what stands behind one is reached with messages that nobody signed. */
const believing: CryptoProvider = {
  ...nodeCrypto((length) => new Uint8Array(length)),
  verifyStrict: () => true,
}
const sha256 = (bytes: Uint8Array): Uint8Array => believing.sha256(bytes)

export interface DecoderEntry extends Target {
  /** `file:function` of all that this target leads to, the first by itself. */
  readonly covers: readonly string[]
}

/** `write` gives back the bytes; whatever is read and comes back as other bytes had two forms. */
function decoder<T>(
  covers: string | readonly string[],
  seeds: readonly Uint8Array[],
  read: (bytes: Uint8Array) => T,
  write?: (value: T) => Uint8Array,
): DecoderEntry {
  const all = typeof covers === 'string' ? [covers] : covers
  return {
    name: (all[0] as string).replace('.ts:', '.'),
    covers: all,
    seeds,
    run(bytes) {
      let value: T
      try {
        value = read(bytes)
      } catch (error) {
        if (error instanceof OnehopError && error.code !== 'INTERNAL') return false
        throw error
      }
      if (write !== undefined && !equalBytes(write(value), bytes)) {
        throw new Fault('read, and written again as other bytes')
      }
      return true
    },
  }
}

/** Decoded first, as the transports do. */
function ofValue<T>(read: (value: unknown) => T): (bytes: Uint8Array) => T {
  return (bytes) => read(decode(bytes))
}

const person = seededCrypto(0xf)
const refs = Array.from({ length: 300 }, (_, i) => ({ clock: BigInt(i) << 20n, id: person.random(32) }))
const set = reconcileVector(refs, sha256)

const records = [...seedsOf('record'), ...seedsOf('replication-messages', 'push')]
const entries = seedsOf('identity')
const headers = records.flatMap((wire) => {
  try {
    return [decodeRecord(believing, wire).headerBytes]
  } catch {
    return []
  }
})
const chains = seedsOf('replica-set')
const documents = chains.flatMap((packed) => {
  try {
    return [unpackReplicaSet(believing, packed).document]
  } catch {
    return []
  }
})
const bodies = entries.flatMap((wire) => {
  try {
    const { body } = decodeEntry(believing, wire)
    return [encode([kinds.indexOf(body.kind), wireBody(body)])]
  } catch {
    return []
  }
})

const p = 'placement/messages.ts'
const r = 'replication/messages.ts'
const s = 'stream/wire.ts'
const q = 'query/query.ts'
const l = 'search/log.ts'
const x = 'search/exchange.ts'

export const decoders: readonly DecoderEntry[] = [
  decoder('codec.ts:decode', seedsOf('codec'), decode, encode),
  decoder('record/wire.ts:decodeRecord', records, (bytes) => decodeRecord(believing, bytes), encodeRecord),
  decoder(
    ['record/header.ts:decodeHeader', 'record/header-reader.ts:readHeader'],
    headers,
    decodeHeader,
    encodeHeader,
  ),
  decoder('record/header.ts:decodeWireHeader', headers, decodeWireHeader),
  decoder('record/section.ts:readSection', sections(), readSection),
  decoder('record/seen.ts:decodeSeen', seen(), decodeSeen, (numbers) => numbers.encode()),
  decoder(
    'record/equivocation.ts:verifyProof',
    seedsOf('record', 'equivocation'),
    (bytes) => verifyProof(believing, bytes),
    ([one, other]) => encodeProof(one, other),
  ),
  decoder('identity/entry.ts:decodeEntry', entries, (bytes) => decodeEntry(believing, bytes), encodeEntry),
  decoder('identity/entry.ts:decodeLog', entries, (bytes) => decodeLog(believing, bytes), encodeLog),
  decoder(
    'readers/page.ts:decodeReaders',
    seedsOf('readers', 'bytes'),
    (bytes) => decodeReaders(bytes, 7),
    encodeReaders,
  ),
  decoder('identity/log.ts:replay', seedsOf('identity', 'log'), (bytes) =>
    replay(believing, decodeLog(believing, bytes)),
  ),
  decoder(
    'identity/body.ts:parseBody',
    bodies,
    ofValue((value) => {
      const [kind, body] = Array.isArray(value) ? (value as [unknown, unknown]) : [0, value]
      return parseBody((typeof kind === 'number' ? kinds[kind] : undefined) ?? 'vouch', body)
    }),
  ),
  decoder(
    'blob-manifest.ts:readManifest',
    seedsOf('replication-messages', 'manifest'),
    (bytes) => readManifest(believing, sha256(bytes), bytes),
    encodeManifest,
  ),
  decoder(
    'pairing/messages.ts:decodePairingMessage',
    seedsOf('pairing'),
    decodePairingMessage,
    encodePairingMessage,
  ),
  decoder(
    'pairing/link.ts:parsePairingLink',
    links(),
    (bytes) => ({ link: textOf(bytes), offer: parsePairingLink(textOf(bytes)) }),
    ({ link, offer }) => utf8(pairingLink(link.slice(0, link.indexOf('#p=')), offer)),
  ),
  decoder(
    'pairing/typed-code.ts:readTypedCode',
    ['12345678901', '123 4567 8901', '123-4567-8901'].map(utf8),
    (bytes) => readTypedCode(textOf(bytes)),
  ),
  decoder(
    'identity/slip39/share.ts:decodeShare',
    shares(),
    (bytes) => {
      const share = decodeShare(textOf(bytes).split(' '))
      if ('problem' in share) throw new OnehopError('BAD_REQUEST', share.problem)
      return share
    },
    (share) => utf8(encodeShare(share).join(' ')),
  ),
  decoder('identity/recovery.ts:readRecoveryWords', recoveryWords(), (bytes) =>
    readRecoveryWords(textOf(bytes)),
  ),
  decoder(
    [
      'api/http-signature.ts:readSignature',
      'api/signature-fields.ts:parseSignatureInput',
      'api/signature-fields.ts:parseSignature',
      'api/signature-fields.ts:parseStrictly',
    ],
    signedFields(),
    (bytes) => {
      const [input = '', signature = ''] = textOf(bytes).split('\n')
      const fields: Readonly<Record<string, string>> = { 'signature-input': input, signature }
      return readSignature({
        method: 'POST',
        authority: 'localhost:4180',
        path: '/api/v1/feed.list',
        query: '',
        field: (name) => (fields[name] === undefined ? undefined : [fields[name]]),
      })
    },
  ),
  decoder(
    'placement/chain.ts:unpackChain',
    chains,
    (bytes) => unpackChain(believing, bytes),
    ({ sets }) => encode(sets.map(({ document, signatures }) => packReplicaSet(document, signatures))),
  ),
  decoder(
    'placement/replica-set.ts:unpackReplicaSet',
    chains,
    (bytes) => unpackReplicaSet(believing, bytes),
    ({ document, signatures }) => packReplicaSet(document, signatures),
  ),
  decoder('placement/replica-set.ts:decodeReplicaSet', documents, decodeReplicaSet, encodeReplicaSet),
  decoder(['placement/lease.ts:verifyLease', 'placement/lease.ts:readLease'], seedsOf('lease'), (bytes) =>
    verifyLease(believing, bytes),
  ),
  decoder(
    `${p}:decodeHello`,
    seedsOf('placement-messages', 'hello'),
    placement.decodeHello,
    placement.encodeHello,
  ),
  decoder(
    `${p}:decodeLeaseAsks`,
    seedsOf('placement-messages', 'leaseAsks'),
    placement.decodeLeaseAsks,
    placement.encodeLeaseAsks,
  ),
  decoder(
    `${p}:decodeLeases`,
    seedsOf('placement-messages', 'leases'),
    placement.decodeLeases,
    placement.encodeLeases,
  ),
  decoder(
    'placement/pact.ts:decodePactAsk',
    seedsOf('placement-messages', 'pactAsk'),
    decodePactAsk,
    encodePactAsk,
  ),
  decoder(
    'placement/pact.ts:decodePactAnswer',
    seedsOf('placement-messages', 'pactAnswer'),
    decodePactAnswer,
    encodePactAnswer,
  ),
  decoder(['placement/pact.ts:verifyPact', 'placement/pact.ts:decodePact'], seedsOf('pact'), (bytes) =>
    verifyPact(believing, bytes),
  ),
  decoder('placement/invitation.ts:parseInvitation', invitations(), (bytes) =>
    parseInvitation(textOf(bytes)),
  ),
  decoder(
    `${p}:decodePlaced`,
    seedsOf('placement-messages', 'placed'),
    placement.decodePlaced,
    placement.encodePlaced,
  ),
  decoder(
    `${p}:decodeTaken`,
    seedsOf('placement-messages', 'taken'),
    placement.decodeTaken,
    placement.encodeTaken,
  ),
  decoder(`${p}:decodeIds`, seedsOf('placement-messages', 'ids'), placement.decodeIds, placement.encodeIds),
  decoder(
    `${p}:decodeSteps`,
    seedsOf('placement-messages', 'steps'),
    placement.decodeSteps,
    placement.encodeSteps,
  ),
  decoder(
    `${p}:decodeStepSignatures`,
    seedsOf('placement-messages', 'stepSignatures'),
    placement.decodeStepSignatures,
    placement.encodeStepSignatures,
  ),
  decoder(
    `${r}:decodePush`,
    seedsOf('replication-messages', 'push'),
    replication.decodePush,
    replication.encodePush,
  ),
  decoder(
    `${r}:decodeReceipts`,
    seedsOf('replication-messages', 'receipts'),
    replication.decodeReceipts,
    replication.encodeReceipts,
  ),
  decoder(
    `${r}:decodeComparison`,
    seedsOf('replication-messages', 'comparison'),
    replication.decodeComparison,
    replication.encodeComparison,
  ),
  decoder(
    `${r}:decodeCompared`,
    seedsOf('replication-messages', 'compared'),
    replication.decodeCompared,
    replication.encodeCompared,
  ),
  decoder(
    `${r}:decodeReconcile`,
    seedsOf('replication-messages', 'reconcile'),
    replication.decodeReconcile,
    replication.encodeReconcile,
  ),
  decoder(
    `${r}:decodeFetch`,
    seedsOf('replication-messages', 'fetch'),
    replication.decodeFetch,
    replication.encodeFetch,
  ),
  decoder(
    `${r}:decodeFetched`,
    seedsOf('replication-messages', 'fetched'),
    replication.decodeFetched,
    replication.encodeFetched,
  ),
  decoder(
    `${r}:decodeNumbersAsk`,
    seedsOf('replication-messages', 'numbersAsk'),
    replication.decodeNumbersAsk,
    replication.encodeNumbersAsk,
  ),
  decoder(
    `${r}:decodeNumbers`,
    seedsOf('replication-messages', 'numbers'),
    replication.decodeNumbers,
    replication.encodeNumbers,
  ),
  decoder(
    `${r}:decodeChunkRequest`,
    seedsOf('replication-messages', 'chunkRequest'),
    replication.decodeChunkRequest,
    replication.encodeChunkRequest,
  ),
  decoder(
    `${r}:decodeBlobOffer`,
    seedsOf('replication-messages', 'blobOffer'),
    replication.decodeBlobOffer,
    replication.encodeBlobOffer,
  ),
  decoder(
    'replication/blob-lists.ts:decodeBlobListAsks',
    seedsOf('replication-messages', 'blobListAsks'),
    decodeBlobListAsks,
    encodeBlobListAsks,
  ),
  decoder(
    'replication/blob-lists.ts:decodeBlobLists',
    seedsOf('replication-messages', 'blobLists'),
    decodeBlobLists,
    encodeBlobLists,
  ),
  decoder(
    'replication/audit.ts:decodeAuditAsk',
    seedsOf('replication-messages', 'auditAsk'),
    decodeAuditAsk,
    encodeAuditAsk,
  ),
  decoder(
    'replication/audit.ts:decodeAuditAnswer',
    seedsOf('replication-messages', 'auditAnswer'),
    decodeAuditAnswer,
    encodeAuditAnswer,
  ),
  decoder(
    'replication/audit.ts:decodeFileAuditAsk',
    seedsOf('replication-messages', 'fileAuditAsk'),
    decodeFileAuditAsk,
    encodeFileAuditAsk,
  ),
  decoder(
    'replication/many.ts:decodeManyAsk',
    seedsOf('replication-messages', 'manyAsk'),
    decodeManyAsk,
    encodeManyAsk,
  ),
  decoder(
    'replication/many.ts:decodeManyAnswer',
    seedsOf('replication-messages', 'manyAnswer'),
    decodeManyAnswer,
    encodeManyAnswer,
  ),
  decoder(
    'replication/snapshot.ts:decodeSnapshotAsk',
    seedsOf('replication-messages', 'snapshotAsk'),
    decodeSnapshotAsk,
    encodeSnapshotAsk,
  ),
  decoder(
    'replication/snapshot.ts:decodeSnapshotPage',
    seedsOf('replication-messages', 'snapshotPage'),
    decodeSnapshotPage,
    encodeSnapshotPage,
  ),
  decoder(
    `${r}:decodeMaybe`,
    seedsOf('replication-messages', 'maybe'),
    replication.decodeMaybe,
    replication.encodeMaybe,
  ),
  decoder(
    `${r}:decodeHash`,
    seedsOf('replication-messages', 'hash'),
    replication.decodeHash,
    replication.encodeHash,
  ),
  // Negentropy's numbers may be written longer than need be, and are understood: a range is no record.
  decoder(['reconcile/message.ts:decodeRanges', 'reconcile/bound.ts:readBound'], messagesOf(), decodeRanges),
  decoder('reconcile/machine.ts:respond', messagesOf(), (bytes) => respond(set, bytes)),
  decoder('schema/validate.ts:decodeSchema', schemas(), decodeSchema, (schema) => schema.bytes),
  decoder(
    'schema/check-item.ts:parseItem',
    items(),
    ofValue((value) => parseItem(microblog, 'posts', value)),
  ),
  decoder(
    'search/clauses.ts:parseQuery',
    ['jazz "old town" -rain harb* lagoss~1', '東京* -"a b', '~* -~ ""'].map((text) => utf8(text)),
    (bytes) => {
      const { clauses, without } = parseQuery(textOf(bytes), 'en')
      for (const { name } of [...clauses, ...without]) {
        const named = clauseOf(name)
        if (named === undefined || clauseName(named) !== name)
          throw new Fault(`${name} names no part, or another`)
      }
      return clauses
    },
  ),
  decoder(
    'scope.ts:parseScope',
    scopes(),
    (bytes) => parseScope(textOf(bytes)) ?? refusedAsText(),
    ({ hierarchy, segments }) => utf8(formatScope(hierarchy, segments) ?? ''),
  ),
  decoder(
    `${q}:decodeQuery`,
    ['key', 'list', 'view', 'feed', 'query'].flatMap((kind) => seedsOf('query', kind)),
    query.decodeQuery,
    query.encodeQuery,
  ),
  decoder(`${q}:decodeRange`, ranges(), query.decodeRange, query.encodeRange),
  decoder(`${q}:decodePage`, seedsOf('query', 'page'), query.decodePage, query.encodePage),
  decoder(
    'query/view-answer.ts:decodeViewAnswer',
    seedsOf('query', 'answer'),
    decodeViewAnswer,
    encodeViewAnswer,
  ),
  decoder('search/advert.ts:verifyAdvert', seedsOf('search-messages', 'advert'), (bytes) =>
    verifyAdvert(believing, bytes),
  ),
  decoder(
    `${x}:decodeAnnouncements`,
    [
      exchange.encodeAnnouncements([]),
      exchange.encodeAnnouncements([{ advert: new Uint8Array(9), missing: ['/geo'] }]),
    ],
    exchange.decodeAnnouncements,
    exchange.encodeAnnouncements,
  ),
  decoder(`${x}:decodeAppend`, appends(), exchange.decodeAppend, exchange.encodeAppend),
  decoder(
    `${x}:decodeIdentityLogs`,
    [encode([null, new Uint8Array(40)])],
    exchange.decodeIdentityLogs,
    exchange.encodeIdentityLogs,
  ),
  decoder(
    `${l}:decodeRegistration`,
    seedsOf('search-messages', 'registration'),
    searchLog.decodeRegistration,
    searchLog.encodeRegistration,
  ),
  decoder(
    `${l}:decodeAcknowledgement`,
    seedsOf('search-messages', 'acknowledgement'),
    searchLog.decodeAcknowledgement,
    searchLog.encodeAcknowledgement,
  ),
  decoder(
    `${l}:decodeLogBatch`,
    seedsOf('search-messages', 'batch'),
    searchLog.decodeLogBatch,
    searchLog.encodeLogBatch,
  ),
  decoder(
    'search/query.ts:decodeSearchQuery',
    seedsOf('search-messages', 'query').concat(seedsOf('search-messages', 'queryWithStatistics')),
    searchQuery.decodeSearchQuery,
    searchQuery.encodeSearchQuery,
  ),
  decoder(
    'search/query.ts:decodeSearchAnswer',
    seedsOf('search-messages', 'answer'),
    searchQuery.decodeSearchAnswer,
    searchQuery.encodeSearchAnswer,
  ),
  decoder(
    'search/statistics-message.ts:decodeStatisticsRequest',
    seedsOf('search-messages', 'statisticsRequest'),
    statistics.decodeStatisticsRequest,
    statistics.encodeStatisticsRequest,
  ),
  decoder(
    'search/statistics-message.ts:decodeStatistics',
    seedsOf('search-messages', 'statistics'),
    statistics.decodeStatistics,
    statistics.encodeStatistics,
  ),
  decoder(`${s}:decodeFollow`, seedsOf('stream', 'follow'), stream.decodeFollow, stream.encodeFollow),
  decoder(`${s}:decodeFollowed`, seedsOf('stream', 'followed'), stream.decodeFollowed, stream.encodeFollowed),
  decoder(`${s}:decodeStop`, seedsOf('stream', 'stop'), stream.decodeStop, stream.encodeStop),
  decoder(`${s}:decodePush`, seedsOf('stream', 'push'), stream.decodePush, stream.encodePush),
  decoder(`${s}:decodePushed`, seedsOf('stream', 'pushed'), stream.decodePushed, stream.encodePushed),
  decoder(`${s}:decodePull`, seedsOf('stream', 'pull'), stream.decodePull, stream.encodePull),
  decoder(`${s}:decodePulled`, seedsOf('stream', 'pulled'), stream.decodePulled, stream.encodePulled),
  decoder(`${s}:decodeCursor`, seedsOf('stream', 'cursor'), stream.decodeCursor, stream.encodeCursor),
  decoder(
    'stream/followers.ts:decodeFollowersAsk',
    seedsOf('followers', 'ask'),
    followers.decodeFollowersAsk,
    followers.encodeFollowersAsk,
  ),
  decoder(
    'stream/followers.ts:decodeFollowers',
    seedsOf('followers', 'followers'),
    followers.decodeFollowers,
    followers.encodeFollowers,
  ),
  decoder(
    'stream/listing.ts:decodeList',
    seedsOf('stream-list', 'list'),
    listing.decodeList,
    listing.encodeList,
  ),
  decoder(
    'stream/listing.ts:decodeListed',
    seedsOf('stream-list', 'listed'),
    listing.decodeListed,
    listing.encodeListed,
  ),
  decoder(
    'api/frames.ts:decodeFrame',
    seedsOf('api-frames'),
    decodeFrame,
    ({ id, kind, operation, payload }) =>
      encodeFrame(id, kind, operation, {
        bytes: encode(payload, { bytesMax: apiLimits.frameBytesMax }),
      }),
  ),
  decoder(
    ['api/operations.ts:readRequest', 'api/operations.ts:readReply', 'api/operations.ts:readEvent'],
    operationSeeds(),
    ofValue(readOperation),
  ),
]

/** Named like a decoder, and reached through others. */
export const notByThemselves: Readonly<Record<string, string>> = {
  'shape.ts:parse': 'whoever has a shape calls it: nearly all of the table',
  'shape.ts:decodeAs': 'the same, with bytes',
  'identity/box.ts:openWrap': 'opens what nacl.box authenticated; 32 bytes or nothing',
  'identity/box.ts:openOlder': 'opens what secretbox authenticated; 32 bytes or nothing',
  'readers/secret.ts:openReadersChain': 'opens what secretbox authenticated; bytes or nothing',
  'readers/secret.ts:openReadersWrap': 'opens what nacl.box authenticated; bytes or nothing',
  'pairing/typed-code.ts:openLink': 'opens what secretbox authenticated; a text or BAD_MESSAGE',
  'sealed-blob.ts:openChunk': 'opens what secretbox authenticated; bytes or nothing',
  'record/section.ts:openSection': 'readSection, after secretbox authenticated the bytes',
  'schema/validate.ts:parseSchema': 'decodeSchema, after the codec',
}

/** [operation, part, in JSON's form, message]. */
function readOperation(value: unknown): unknown {
  const [operation, part, json, message] = Array.isArray(value) ? (value as unknown[]) : []
  if (!isOperationName(operation)) throw new OnehopError('NOT_FOUND', 'no such operation')
  const form = json === true ? 'json' : 'cbor'
  if (part === 'request') return readRequest(operation, message, form)
  if (part === 'event' && isSubscription(operation)) return readEvent(operation, message, form)
  return readReply(operation, message, form)
}

function operationSeeds(): Uint8Array[] {
  const { valid, invalid } = readVectors('api-operations.json') as OperationVectors
  const vectors = Map.groupBy(
    [...valid.map(spelledOut), ...invalid.map(spelledOut)].flat(),
    ([operation]) => operation,
  )
  return Object.keys(operations).flatMap((operation) => {
    const empty = ['request', 'reply', 'event'].map((part) => encode([operation, part, false, {}]))
    return [...empty, ...(vectors.get(operation) ?? []).map(([, bytes]) => bytes)]
  })
}

/** A vector of the API as the table's target reads it; JSON where it has that. */
function spelledOut(vector: object): [string, Uint8Array][] {
  const { operation, part, cbor, json, form, given } = vector as Partial<
    OperationVectors['valid'][number]
  > & {
    readonly form?: string
    readonly given?: unknown
  }
  if (operation === undefined) return []
  const messages: [boolean, unknown][] = []
  try {
    if (cbor !== undefined) messages.push([false, decode(unspell(cbor))])
    if (form === 'cbor') messages.push([false, decode(unspell(given as Spelled))])
  } catch {
    // Bytes that are no message at all; the codec's own target has its like.
  }
  if (json !== undefined) messages.push([true, json])
  if (form === 'json') messages.push([true, given])
  return messages.flatMap(([isJson, message]): [string, Uint8Array][] => {
    try {
      return [[operation, encode([operation, part, isJson, message])]]
    } catch {
      return []
    }
  })
}

/** First messages of an exchange, and what answers them. */
function messagesOf(): Uint8Array[] {
  const vectors = readVectors('reconcile.json') as {
    readonly exchanges: readonly { readonly messages: readonly string[] }[]
    readonly invalid: readonly { readonly message: string }[]
  }
  const texts = [
    ...vectors.exchanges.flatMap(({ messages }) => messages),
    ...vectors.invalid.map((of) => of.message),
  ]
  return texts.map(unhex).filter((bytes) => bytes.length < 4_096)
}

function ranges(): Uint8Array[] {
  const queries = ['list', 'view', 'feed'].flatMap((kind) => seedsOf('query', kind)).map(query.decodeQuery)
  return queries.flatMap((of) => ('range' in of ? [query.encodeRange(of.range)] : []))
}

function sections(): Uint8Array[] {
  const fields = [
    { text: 'hello' },
    { text: 'a', tags: ['b', 'c'], n: 3, big: 2n ** 60n },
    {},
    { x: null, y: true },
  ]
  return fields.map((of) => concatBytes(new Uint8Array(16), encode(of)))
}

function seen(): Uint8Array[] {
  const keys = [1, 2, 3].map((of) => new Uint8Array(32).fill(of))
  const runs = [
    [1, 5],
    [1, 1, 3, 9, 20, 20],
    [7, 2 ** 40],
  ]
  return [encode([]), encode(keys.map((key, i) => [key, runs[i]]))]
}

function invitations(): Uint8Array[] {
  const { valid, invalid } = (readVectors('pact.json') as PactVectors).invitations
  return [...valid, ...invalid].map(({ link }) => utf8(link))
}

function links(): Uint8Array[] {
  const { link } = readVectors('pairing.json') as { readonly link: { readonly link: string } }
  return [utf8(link.link), utf8('http://[::1]:4180/phone/#p=')]
}

function recoveryWords(): Uint8Array[] {
  const drawn = makeRecoveryWords(seededCrypto(0x24)).join(' ')
  return [drawn, `  ${drawn.toUpperCase()}\n`, drawn.replaceAll(' ', '\u3000')].map(utf8)
}

function shares(): Uint8Array[] {
  interface Published {
    readonly shares: readonly string[]
    readonly secret: string
  }
  const { vectors } = readVectors('slip39.json') as { readonly vectors: readonly Published[] }
  return vectors.filter(({ secret }) => secret !== '').map(({ shares: [first] }) => utf8(first as string))
}

function signedFields(): Uint8Array[] {
  interface Signed {
    readonly fields: Readonly<Record<string, readonly string[]>>
  }
  const { valid } = readVectors('http-signature.json') as { readonly valid: readonly Signed[] }
  return valid.map(({ fields }) => utf8(`${fields['signature-input']?.[0]}\n${fields['signature']?.[0]}`))
}

function schemas(): Uint8Array[] {
  const all = [...documentsOf('schemas/valid'), ...documentsOf('schemas/invalid')]
  return [
    microblog.bytes,
    ...all.flatMap((document) => {
      try {
        return [encode(document)]
      } catch {
        return []
      }
    }),
  ]
}

function items(): Uint8Array[] {
  return [
    { text: 'hello' },
    { text: 'hello', place: '/geo/africa', tags: ['a'], picture: new Uint8Array(40) },
    {},
  ].map((item) => encode(item))
}

function scopes(): Uint8Array[] {
  return ['/geo', '/geo/africa/ng/lagos', '/tag/jazz', '/topic/bio-1/x', '/'].map(utf8)
}

export function appends(): Uint8Array[] {
  const [batch] = seedsOf('search-messages', 'batch') as [Uint8Array]
  const append = { logs: [new Uint8Array(40)], batch }
  return (['leaf', 'aggregator'] as const).map((kind) => exchange.encodeAppend({ ...append, kind }))
}

/** Text is what reaches these two; bytes that are none do not. */
function textOf(bytes: Uint8Array): string {
  const text = fromUtf8(bytes)
  if (!equalBytes(utf8(text), bytes)) throw new OnehopError('BAD_MESSAGE', 'no text')
  return text
}

/** It says no with undefined. */
function refusedAsText(): never {
  throw new OnehopError('BAD_MESSAGE', 'no scope')
}
