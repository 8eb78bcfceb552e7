/** Makes placement-messages.json, as record.ts makes record.json. */
import { writeFileSync } from 'node:fs'
import { concatBytes } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import {
  decodePactAnswer,
  decodePactAsk,
  encodePactAnswer,
  encodePactAsk,
} from '../../protocol/placement/pact.ts'
import * as placement from '../../protocol/placement/messages.ts'
import { seededCrypto } from '../support/people.ts'
import { messageKind, messageVectors, type MessageVectors } from './message-kinds.ts'
import { arrayOf, brokenText, raw, zeros } from './wire.ts'

const { random } = seededCrypto(0x91ace)
const [owner, shard, signature] = [random(32), random(32), random(64)]
const [chain, log] = [random(40), random(24)]
const shards = limits.placementShardsMax

const home: placement.Hello = {
  region: '/geo/africa/ng/lagos',
  operator: 'Adaeze, Yaba',
  addresses: ['/ip4/192.0.2.7/tcp/4001', '/ip4/192.0.2.7/tcp/4180/http'],
  roles: ['home', 'aggregator'],
  offeredBytes: 2 ** 36,
  clockMs: 1_768_478_400_000,
}
const hello: readonly unknown[] = [
  home.region,
  home.operator,
  home.addresses,
  home.roles,
  home.offeredBytes,
  home.clockMs,
]
const withText = (at: number): Uint8Array =>
  concatBytes(
    Uint8Array.of(0x80 + hello.length),
    ...hello.map((item, i) => (i === at ? brokenText : encode(item))),
  )

export const placementKinds = {
  hello: messageKind(placement.encodeHello, placement.decodeHello, {
    good: {
      'a home node that offers room': home,
      'as little as may be said': {
        region: '',
        operator: '',
        addresses: [],
        roles: [],
        offeredBytes: 0,
        clockMs: 0,
      },
      'as much as may be said': {
        region: `/${'r'.repeat(limits.scopeBytesMax - 1)}`,
        operator: 'é'.repeat(limits.nameBytesMax / 2),
        addresses: Array.from({ length: limits.addressesPerNodeMax }, () => 'a'.repeat(256)),
        roles: Array.from({ length: 8 }, () => 'b'.repeat(limits.nameBytesMax)),
        offeredBytes: Number.MAX_SAFE_INTEGER,
        clockMs: Number.MAX_SAFE_INTEGER,
      },
    },
    refused: {
      'a region of 257 bytes': hello.with(0, 'r'.repeat(257)),
      'a region of bytes': hello.with(0, new Uint8Array(4)),
      'a region that is not UTF-8': raw(withText(0)),
      'an operator of 33 letters in 66 bytes': hello.with(1, 'é'.repeat(33)),
      'nine addresses': hello.with(
        2,
        Array.from({ length: 9 }, () => '/ip4/192.0.2.7/tcp/1'),
      ),
      'an address of 257 bytes': hello.with(2, ['a'.repeat(257)]),
      'an address that is null': hello.with(2, [null]),
      'no list of roles': hello.with(3, null),
      'nine roles': hello.with(
        3,
        Array.from({ length: 9 }, () => 'home'),
      ),
      'fewer than no bytes': hello.with(4, -1),
      'half a byte': hello.with(4, 0.5),
      'bytes beyond 2^53': hello.with(4, 2n ** 53n),
      'a clock in words': hello.with(5, '1768478400000'),
      'no clock': hello.slice(0, -1),
      'one thing more': [...hello, null],
    },
  }),
  leaseAsks: messageKind(placement.encodeLeaseAsks, placement.decodeLeaseAsks, {
    good: {
      'two shards': [
        { owner, shard: owner, bytes: 50_000_000, lastsMs: 0, signature },
        { owner, shard, bytes: 0, lastsMs: 1_209_600_000, signature },
      ],
      'no shard': [],
    },
    full: { 'as many shards as fit': arrayOf(shards, [owner, shard, 1, 0, signature]) },
    refused: {
      'one shard too many': arrayOf(shards + 1, [owner, shard, 1, 0, signature]),
      'an owner of 31 bytes': [[owner.subarray(1), shard, 1, 0, signature]],
      'a shard of 33 bytes': [[owner, new Uint8Array(33), 1, 0, signature]],
      'an owner in hex': [['00'.repeat(16), shard, 1, 0, signature]],
      'fewer than no bytes': [[owner, shard, -1, 0, signature]],
      'bytes left out': [[owner, shard, 0, signature]],
      'nobody signed': [[owner, shard, 1, 0]],
      'a signature of 63 bytes': [[owner, shard, 1, 0, signature.subarray(1)]],
      'an ask that is not in a list': [owner, shard, 1, 0, signature],
    },
  }),
  leases: messageKind(placement.encodeLeases, placement.decodeLeases, {
    good: { 'one given, one refused': [chain, undefined], 'none asked': [] },
    full: { 'all refused': arrayOf(shards, null) },
    refused: {
      'one answer too many': arrayOf(shards + 1, null),
      'a lease of no bytes': [new Uint8Array()],
      'a lease of 1,025 bytes': [new Uint8Array(1025)],
      'false for a refusal': [false],
      'a lease that is not wrapped in bytes': [[chain, signature]],
    },
  }),
  pactAsk: messageKind(encodePactAsk, decodePactAsk, {
    good: {
      'a friend with a name': { secret: owner.subarray(0, 16), label: 'Ben’s box', document: chain, signature },
      'a label and a pact as long as they may be': {
        ...{ secret: owner.subarray(0, 16), label: 'x'.repeat(64), document: new Uint8Array(256), signature },
      },
      'nobody in particular': { secret: owner.subarray(0, 16), label: '', document: chain, signature },
    },
    refused: {
      'a secret of 15 bytes': [owner.subarray(0, 15), '', chain, signature],
      'a label of 65 bytes': [owner.subarray(0, 16), 'x'.repeat(65), chain, signature],
      'a pact of no bytes': [owner.subarray(0, 16), '', new Uint8Array(), signature],
      'a pact of 257 bytes': [owner.subarray(0, 16), '', new Uint8Array(257), signature],
      'no signature': [owner.subarray(0, 16), '', chain],
      'null for a signature': [owner.subarray(0, 16), '', chain, null],
    },
  }),
  pactAnswer: messageKind(encodePactAnswer, decodePactAnswer, {
    good: { 'the inviter’s signature': signature },
    refused: { 'a signature of 63 bytes': signature.subarray(1), 'a refusal': null },
  }),
  placed: messageKind(placement.encodePlaced, placement.decodePlaced, {
    good: {
      'one found, one not': [{ chain, log, people: [] }, undefined],
      'a group, with the logs of its members': [{ chain, log, people: [log, log] }],
      'none asked': [],
    },
    full: {
      'all unknown': arrayOf(shards, null),
      'as many members as fit': arrayOf(
        limits.identityPeopleMax,
        log,
        concatBytes(Uint8Array.of(0x81, 0x83), encode(chain), encode(log)),
      ),
    },
    refused: {
      'one set too many': arrayOf(shards + 1, [chain, log, []]),
      'a chain of no bytes': [[new Uint8Array(), log, []]],
      'a log of no bytes': [[chain, new Uint8Array(), []]],
      'no log': [[chain]],
      'nothing of members': [[chain, log]],
      'null for members': [[chain, log, null]],
      'null for a log': [[chain, null, []]],
      'a member of no bytes': [[chain, log, [new Uint8Array()]]],
      'false for none': [false],
      'one member too many': arrayOf(
        limits.identityPeopleMax + 1,
        log,
        concatBytes(Uint8Array.of(0x81, 0x83), encode(chain), encode(log)),
      ),
      'a chain longer than a frame': zeros(limits.frameBytesMax, 'TOO_LARGE', Uint8Array.of(0x81, 0x82)),
    },
  }),
  taken: messageKind(placement.encodeTaken, placement.decodeTaken, {
    good: { 'one kept, one not': [true, false], 'none offered': [] },
    full: { 'all kept': arrayOf(shards, true) },
    refused: {
      'one flag too many': arrayOf(shards + 1, true),
      'a number for a flag': [1],
      'null for a flag': [null],
      'a flag that is not in a list': true,
    },
  }),
  ids: messageKind(placement.encodeIds, placement.decodeIds, {
    good: { 'two owners': [owner, shard], 'one twice': [owner, owner], nobody: [] },
    full: { 'as many owners as fit': arrayOf(shards, owner) },
    refused: {
      'one owner too many': arrayOf(shards + 1, owner),
      'an owner of 31 bytes': [owner.subarray(1)],
      'an owner of no bytes': [new Uint8Array()],
      'text of 32 bytes': ['o'.repeat(32)],
      'null for an owner': [null],
    },
  }),
  steps: messageKind(placement.encodeSteps, placement.decodeSteps, {
    good: { 'one document': [chain], 'no document': [] },
    full: {
      'as many documents as fit': arrayOf(shards, chain),
      'the longest document': zeros(limits.replicaSetBytesMax, 'BAD_MESSAGE', Uint8Array.of(0x81)),
    },
    refused: {
      'one document too many': arrayOf(shards + 1, chain),
      'a document of no bytes': [new Uint8Array()],
      'a document of a byte too many': zeros(
        limits.replicaSetBytesMax + 1,
        'BAD_MESSAGE',
        Uint8Array.of(0x81),
      ),
      'null for a document': [null],
    },
  }),
  stepSignatures: messageKind(placement.encodeStepSignatures, placement.decodeStepSignatures, {
    good: { 'one signed, one refused': [signature, undefined], 'none asked': [] },
    full: { 'all refused': arrayOf(shards, null) },
    refused: {
      'one answer too many': arrayOf(shards + 1, null),
      'a signature of 63 bytes': [signature.subarray(1)],
      'a signature of 65 bytes': [new Uint8Array(65)],
      'no bytes for a refusal': [new Uint8Array()],
      'false for a refusal': [false],
    },
  }),
}

export function placementMessageVectors(): MessageVectors {
  return messageVectors(
    'what nodes say about who holds which shard: methods shard/hello to shard/sign-step',
    placementKinds,
  )
}

if (import.meta.main) {
  const text = `${JSON.stringify(placementMessageVectors(), undefined, 1)}\n`
  writeFileSync(new URL('placement-messages.json', import.meta.url), text)
}
