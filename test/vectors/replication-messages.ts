/** Makes replication-messages.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { blobChunksMax, encodeManifest, readManifest } from '../../protocol/blob-manifest.ts'
import { concatBytes } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import {
  blobListsMax,
  decodeBlobListAsks,
  decodeBlobLists,
  encodeBlobListAsks,
  encodeBlobLists,
} from '../../protocol/replication/blob-lists.ts'
import * as replication from '../../protocol/replication/messages.ts'
import * as audit from '../../protocol/replication/audit.ts'
import * as many from '../../protocol/replication/many.ts'
import * as snapshot from '../../protocol/replication/snapshot.ts'
import { seededCrypto } from '../support/people.ts'
import { messageKind, messageVectors, type MessageVectors } from './message-kinds.ts'
import { arrayOf, raw, zeros } from './wire.ts'

const crypto = seededCrypto(0x4e9)
const { random } = crypto
const [owner, set, blob, other] = [random(32), random(32), random(32), random(32)]
const [fingerprint, record, message] = [random(16), random(20), random(18)]
const { pushRecordsMax, compareShardsMax } = replication
const until = 0x18bcfe568000000n
const pair = Uint8Array.of(0x82)
const one = Uint8Array.of(0x81)
const chunk = limits.blobChunkBytes

export const replicationKinds = {
  auditAsk: messageKind(audit.encodeAuditAsk, audit.decodeAuditAsk, {
    good: { 'a shard up to a time': { owner, until, nonce: other } },
    refused: {
      'a nonce of 31 bytes': [owner, until, other.subarray(1)],
      'no nonce': [owner, until],
      'a negative time': [owner, -1, other],
    },
  }),
  fileAuditAsk: messageKind(audit.encodeFileAuditAsk, audit.decodeFileAuditAsk, {
    good: {
      'the first byte': { owner, blob, index: 0, offset: 0, nonce: other },
      'the last there may be': { owner, blob, index: blobChunksMax - 1, offset: chunk - 1, nonce: other },
    },
    refused: {
      'a piece too many': [owner, blob, blobChunksMax, 0, other],
      'behind the piece': [owner, blob, 0, chunk, other],
      'no nonce': [owner, blob, 0, 0],
    },
  }),
  auditAnswer: messageKind(audit.encodeAuditAnswer, audit.decodeAuditAnswer, {
    good: {
      'with its proof': { size: 3, fingerprint, proof: other },
      'a record was missing on the way': { size: 3, fingerprint, proof: undefined },
    },
    refused: {
      'a fingerprint of 15 bytes': [3, fingerprint.subarray(1), null],
      'a negative size': [-1, fingerprint, null],
      'no proof': [3, fingerprint],
    },
  }),
  manyAsk: messageKind(many.encodeManyAsk, many.decodeManyAsk, {
    good: {
      'one group': { until, power: 0, sums: fingerprint.subarray(8) },
      'two groups': { until, power: 1, sums: fingerprint },
    },
    refused: {
      'more sums than groups': [until, 0, fingerprint],
      'half a sum': [until, 0, fingerprint.subarray(4, 8)],
      'more groups than there may be': [until, 13, fingerprint],
    },
  }),
  manyAnswer: messageKind(many.encodeManyAnswer, many.decodeManyAnswer, {
    good: { 'all are the same': [], 'some differ': [0, 7, 4_095] },
    refused: { 'a group beyond the last': [4_096], 'no number': ['a'] },
  }),
  snapshotAsk: messageKind(snapshot.encodeSnapshotAsk, snapshot.decodeSnapshotAsk, {
    good: {
      'from the beginning': { owner, cursor: undefined },
      'from where a page ended': { owner, cursor: message },
      'the longest cursor': { owner, cursor: new Uint8Array(1_024) },
    },
    refused: {
      'an owner of 31 bytes': [owner.subarray(1), null],
      'an empty cursor': [owner, new Uint8Array(0)],
      'a cursor of 1,025 bytes': [owner, new Uint8Array(1_025)],
      'no cursor': [owner],
    },
  }),
  snapshotPage: messageKind(snapshot.encodeSnapshotPage, snapshot.decodeSnapshotPage, {
    good: {
      'an empty last one': { records: [], next: undefined },
      'two records and more to come': { records: [record, message], next: fingerprint },
    },
    refused: {
      'an empty record': [[new Uint8Array(0)], null],
      'too many records': arrayOf(pushRecordsMax + 1, record, pair),
      'no cursor': [[record]],
    },
  }),
  numbersAsk: messageKind(replication.encodeNumbersAsk, replication.decodeNumbersAsk, {
    good: {
      'from the first': { owner, device: other, after: 0 },
      'from the next': { owner, device: other, after: 8_192 },
    },
    refused: {
      'a device of 31 bytes': [owner, other.subarray(1), 0],
      'a negative number': [owner, other, -1],
      'no number': [owner, other],
    },
  }),
  numbers: messageKind(replication.encodeNumbers, replication.decodeNumbers, {
    good: {
      'two numbers': [
        { number: 1, id: owner },
        { number: 3, id: other },
      ],
      none: [],
    },
    full: { 'as many as fit': arrayOf(replication.numbersMax, [1, owner]) },
    refused: {
      'one too many': arrayOf(replication.numbersMax + 1, [1, owner]),
      'an id of 31 bytes': [[1, owner.subarray(1)]],
      'null for an id': [[1, null]],
      'a number in words': [['1', owner]],
    },
  }),
  push: messageKind(replication.encodePush, replication.decodePush, {
    good: { 'two records': [record, message], 'no record': [] },
    full: {
      'as many records as fit': arrayOf(pushRecordsMax, Uint8Array.of(1)),
      'the longest record': zeros(limits.recordBytesMax, 'BAD_MESSAGE', one),
    },
    refused: {
      'one record too many': arrayOf(pushRecordsMax + 1, Uint8Array.of(1)),
      'a record of no bytes': [new Uint8Array()],
      'a record of a byte too many': zeros(limits.recordBytesMax + 1, 'BAD_MESSAGE', one),
      'a record that is not wrapped in bytes': [[record, message, []]],
      'null for a record': [null],
      'more than a frame': zeros(limits.frameBytesMax, 'TOO_LARGE', one),
    },
  }),
  receipts: messageKind(replication.encodeReceipts, replication.decodeReceipts, {
    good: { 'one of each': ['held', 'later', 'never'], none: [] },
    full: { 'as many as records fit': arrayOf(pushRecordsMax, 0) },
    refused: {
      'one receipt too many': arrayOf(pushRecordsMax + 1, 0),
      'an unknown receipt': [3],
      'a negative receipt': [-1],
      'half a receipt': [0.5],
      'a receipt in words': ['held'],
      'a flag for a receipt': [true],
      'null for a receipt': [null],
    },
  }),
  comparison: messageKind(replication.encodeComparison, replication.decodeComparison, {
    good: {
      'two shards, of one the set is not known': {
        until,
        shards: [
          { owner, set, fingerprint },
          { owner: other, set: undefined, fingerprint: new Uint8Array(16) },
        ],
      },
      'the least bound': { until: 0n, shards: [] },
      'the greatest bound': { until: 2n ** 64n - 1n, shards: [] },
    },
    full: {
      'as many shards as fit': arrayOf(compareShardsMax, [owner, null, fingerprint], pair, encode(until)),
    },
    refused: {
      'one shard too many': arrayOf(compareShardsMax + 1, [owner, null, fingerprint], pair, encode(until)),
      'a negative bound': [-1, []],
      'a bound of 2^64, as a tagged number': raw(
        concatBytes(pair, Uint8Array.of(0xc2), encode(Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0)), encode([])),
      ),
      'a bound between two integers': [0.5, []],
      'a bound in words': [until.toString(), []],
      'a bound written as a float': raw(concatBytes(pair, Uint8Array.of(0xf9, 0x3c, 0x00), encode([]))),
      'a bound wider than need be': raw(
        concatBytes(pair, Uint8Array.of(0x1b, 0, 0, 0, 0, 0, 0, 0, 5), encode([])),
      ),
      'an owner of 31 bytes': [until, [[owner.subarray(1), set, fingerprint]]],
      'a set of no bytes': [until, [[owner, new Uint8Array(), fingerprint]]],
      'false for an unknown set': [until, [[owner, false, fingerprint]]],
      'a fingerprint of 15 bytes': [until, [[owner, set, fingerprint.subarray(1)]]],
      'a fingerprint of 32 bytes': [until, [[owner, set, other]]],
      'a shard without a fingerprint': [until, [[owner, set]]],
      'no shards': [until],
    },
  }),
  compared: messageKind(replication.encodeCompared, replication.decodeCompared, {
    good: {
      'one of each': [
        { records: 'equal', sameSet: true },
        { records: 'differs', sameSet: false },
        { records: 'notHeld', sameSet: false },
        { records: 'coming', sameSet: true },
        { records: 'filling', sameSet: true },
      ],
      none: [],
    },
    full: { 'as many as shards fit': arrayOf(compareShardsMax, [0, true]) },
    refused: {
      'one verdict too many': arrayOf(compareShardsMax + 1, [0, true]),
      'an unknown verdict': [[5, true]],
      'a negative verdict': [[-1, true]],
      'a verdict in words': [['equal', true]],
      'a number for a flag': [[0, 1]],
      'no flag': [[0]],
      'a verdict alone': [0],
      'one thing more': [[0, true, null]],
    },
  }),
  reconcile: messageKind(replication.encodeReconcile, replication.decodeReconcile, {
    good: {
      'a first message': { owner, until, message },
      'the shortest message': { owner, until: 1n, message: Uint8Array.of(0x61) },
    },
    refused: {
      'a message of no bytes': [owner, until, new Uint8Array()],
      'a message of text': [owner, until, 'a'],
      'an owner of 33 bytes': [new Uint8Array(33), until, message],
      'a negative bound': [owner, -1, message],
      'no bound': [owner, null, message],
      'owner and bound in the other order': [until, owner, message],
      'no message': [owner, until],
      'more than a frame': zeros(
        limits.frameBytesMax,
        'TOO_LARGE',
        Uint8Array.of(0x83),
        encode(owner),
        encode(until),
      ),
    },
  }),
  fetch: messageKind(replication.encodeFetch, replication.decodeFetch, {
    good: { 'two records': { owner, ids: [set, other] }, 'no record': { owner, ids: [] } },
    full: { 'as many records as fit': arrayOf(pushRecordsMax, set, pair, encode(owner)) },
    refused: {
      'one record too many': arrayOf(pushRecordsMax + 1, set, pair, encode(owner)),
      'an id of 31 bytes': [owner, [set.subarray(1)]],
      'null for an id': [owner, [null]],
      'no owner': [null, [set]],
      'ids without a list': [owner, set],
      'ids alone': [[set]],
    },
  }),
  fetched: messageKind(replication.encodeFetched, replication.decodeFetched, {
    good: { 'one found, one not': [record, undefined], 'none asked': [] },
    full: {
      'none found': arrayOf(pushRecordsMax, null),
      'the longest record': zeros(limits.recordBytesMax, 'BAD_MESSAGE', one),
    },
    refused: {
      'one answer too many': arrayOf(pushRecordsMax + 1, null),
      'a record of no bytes': [new Uint8Array()],
      'a record of a byte too many': zeros(limits.recordBytesMax + 1, 'BAD_MESSAGE', one),
      'false for none': [false],
    },
  }),
  chunkRequest: messageKind(replication.encodeChunkRequest, replication.decodeChunkRequest, {
    good: { 'the first chunk': { blob, index: 0 }, 'the last that may be': { blob, index: 65_535 } },
    refused: {
      'an index beyond the last': [blob, 65_536],
      'a negative index': [blob, -1],
      'an index between two chunks': [blob, 0.5],
      'no index': [blob],
      'a name of 31 bytes': [blob.subarray(1), 0],
    },
  }),
  blobOffer: messageKind(replication.encodeBlobOffer, replication.decodeBlobOffer, {
    good: { 'a blob': { owner, blob } },
    refused: {
      'an owner of 31 bytes': [owner.subarray(1), blob],
      'a name of 33 bytes': [owner, new Uint8Array(33)],
      'no blob': [owner, null],
      'one thing more': [owner, blob, 0],
    },
  }),
  blobListAsks: messageKind(encodeBlobListAsks, decodeBlobListAsks, {
    good: { 'two shards': [{ owner, digest: blob }, { owner: blob, digest: owner }], 'no shard': [] },
    full: { 'as many shards as fit': arrayOf(blobListsMax, [owner, blob]) },
    refused: {
      'one shard too many': arrayOf(blobListsMax + 1, [owner, blob]),
      'an owner of 31 bytes': [[owner.subarray(1), blob]],
      'no digest': [[owner]],
      'a digest in hex': [[owner, '00'.repeat(16)]],
    },
  }),
  blobLists: messageKind(encodeBlobLists, decodeBlobLists, {
    good: { 'two files, and what is the same': [[blob, owner], undefined], 'none there': [[]], 'none asked': [] },
    full: { 'nothing of any shard': arrayOf(blobListsMax, null) },
    refused: {
      'one answer too many': arrayOf(blobListsMax + 1, null),
      'a name of 33 bytes': [[new Uint8Array(33)]],
      'a name that is not in a list': [blob],
      'false for the same': [false],
    },
  }),
  maybe: messageKind(replication.encodeMaybe, replication.decodeMaybe, {
    good: { 'a schema': record, 'nothing found': undefined, 'no bytes at all, but found': new Uint8Array() },
    full: { 'a chunk': zeros(chunk, 'BAD_MESSAGE') },
    refused: {
      'false for nothing': false,
      text: 'schema',
      'bytes within a list': [record],
      'undefined for nothing': raw(Uint8Array.of(0xf7)),
      'more than a frame': zeros(limits.frameBytesMax, 'TOO_LARGE'),
    },
  }),
  hash: messageKind(replication.encodeHash, replication.decodeHash, {
    good: { 'a hash': set },
    refused: {
      'a hash of 31 bytes': set.subarray(1),
      'a hash of 33 bytes': new Uint8Array(33),
      'a hash within a list': [set],
      'a hash in hex': '00'.repeat(32),
      nothing: null,
    },
  }),
  /** Read by the name that its own bytes give it: what is wrong is inside. */
  manifest: messageKind(encodeManifest, (bytes) => readManifest(crypto, crypto.sha256(bytes), bytes), {
    good: {
      'two chunks, one of a byte': { size: chunk + 1, chunks: [set, other] },
      'one whole chunk': { size: chunk, chunks: [set] },
      'no bytes at all': { size: 0, chunks: [] },
    },
    full: {
      'the longest blob': arrayOf(
        blobChunksMax,
        set,
        Uint8Array.of(0x83),
        encode('onehop/blob/1'),
        encode(blobChunksMax * chunk),
      ),
    },
    refused: {
      'a chunk more than the size needs': ['onehop/blob/1', chunk, [set, other]],
      'a chunk less than the size needs': ['onehop/blob/1', chunk + 1, [set]],
      'no bytes in a chunk': ['onehop/blob/1', 0, [set]],
      'another label': ['onehop/blob/2', chunk, [set]],
      'a chunk named by 31 bytes': ['onehop/blob/1', chunk, [set.subarray(1)]],
      'a negative size': ['onehop/blob/1', -1, []],
      'a chunk too many': arrayOf(
        blobChunksMax + 1,
        set,
        Uint8Array.of(0x83),
        encode('onehop/blob/1'),
        encode(blobChunksMax * chunk + 1),
      ),
    },
  }),
}

export function replicationMessageVectors(): MessageVectors {
  return messageVectors(
    'what holders of one shard say to each other, and manifests of blobs',
    replicationKinds,
  )
}

if (import.meta.main) {
  const text = `${JSON.stringify(replicationMessageVectors(), undefined, 1)}\n`
  writeFileSync(new URL('replication-messages.json', import.meta.url), text)
}
