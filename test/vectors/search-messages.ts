/**
 * Makes search-messages.json: `node test/vectors/search-messages.ts` after a change of the format, which is another
 * version. The test compares what is made now with what is committed, byte for byte.
 */
import { parseQuery } from '../../protocol/search/clauses.ts'
import { writeFileSync } from 'node:fs'
import { toHex } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import { contexts, signedMessage } from '../../protocol/context.ts'
import { signAdvert } from '../../protocol/search/advert.ts'
import { encodeAnnouncements, encodeAppend, encodeIdentityLogs } from '../../protocol/search/exchange.ts'
import { encodeAcknowledgement, encodeLogBatch, encodeRegistration } from '../../protocol/search/log.ts'
import { encodeSearchAnswer, encodeSearchQuery } from '../../protocol/search/query.ts'
import { encodeStatistics, encodeStatisticsRequest } from '../../protocol/search/statistics-message.ts'
import { seededCrypto } from '../support/people.ts'
import { refusedBetweenNodes } from './search-refused.ts'

const statistics = {
  documents: 20_100,
  totalLength: 180_000,
  terms: [{ term: 'jazz', documents: 17, idf: 30_263_730_979 }],
}

export function searchMessageVectors(): object {
  const crypto = seededCrypto(0x5ea)
  const seed = crypto.random(32)
  const node = crypto.signingPublicKey(seed)
  const query = {
    app: 'example',
    collection: 'post',
    scope: '/geo/africa',
    text: 'jazz in Lagos',
    analyser: 'en',
    match: 'any',
    limit: 10,
    hops: 2,
    explain: true,
    statistics: undefined,
  } as const
  const valid: Record<string, Uint8Array> = {
    query: encodeSearchQuery(query),
    queryWithStatistics: encodeSearchQuery({ ...query, collection: undefined, statistics }),
    answer: encodeSearchAnswer({
      hits: [{ record: Uint8Array.of(0x83, 1, 2, 3), score: 4_778_759, scope: '/geo/africa/ng/lagos' }],
      total: 17,
      statistics,
      coverage: { complete: false, sources: 6, sourcesCurrent: 5, asOfMs: 1_700_000_000_000, missing: ['/geo/africa/gh'] },
      plan: [
        { action: 'find', outcome: 'none', scope: '/geo/africa', node: undefined, depth: 0, hits: 0, elapsedMs: 41 },
        { action: 'ask', outcome: 'answered', scope: '/geo', node, depth: 0, hits: 1, elapsedMs: 7 },
      ],
      level: '/geo',
      answeredBy: node,
      referrals: [],
    }),
    statisticsRequest: encodeStatisticsRequest({ ...query, clauses: parseQuery('jazz lagos "old town" har* -rain', 'en').clauses }),
    statistics: encodeStatistics(statistics),
    registration: encodeRegistration({
      app: 'example',
      parent: '/geo/africa',
      scope: '/geo/africa/ng/lagos',
      kind: 'leaf',
      head: { epoch: 2 ** 40, position: 12 },
    }),
    acknowledgement: encodeAcknowledgement({ cursor: { epoch: 2 ** 40, position: 12 }, credit: 512 }),
    batch: encodeLogBatch({
      app: 'example',
      parent: '/geo/africa',
      epoch: 2 ** 40,
      after: 4,
      through: 9,
      entries: [
        {
          operation: 'put',
          position: 5,
          record: Uint8Array.of(0x83, 1, 2, 3),
          scopes: { tag: '/tag/jazz', geo: '/geo/africa/ng/lagos' },
          analyser: 'en',
        },
        { operation: 'remove', position: 8, item: crypto.sha256(seed) },
      ],
    }),
    advert: signAdvert(
      crypto,
      {
        node,
        app: 'example',
        scope: '/geo/africa',
        collections: ['post', 'profile'],
        addresses: ['/ip4/127.0.0.1/tcp/4001'],
        documents: 20_100,
        sources: 6,
        sourcesCurrent: 6,
        complete: true,
        asOfMs: 1_700_000_000_000,
        hitsMax: 100,
        blockList: undefined,
        expiresMs: 1_700_000_600_000,
      },
      seed,
    ),
  }
  const { advert: signedAdvert, batch } = valid as Record<'advert' | 'batch', Uint8Array>
  valid['announcements'] = encodeAnnouncements([
    { advert: signedAdvert, missing: ['/geo/africa/gh'] },
    { advert: signedAdvert, missing: [] },
  ])
  valid['append'] = encodeAppend({ kind: 'leaf', logs: [Uint8Array.of(0x81, 1)], batch })
  valid['identities'] = encode([node, crypto.sha256(node)])
  valid['identityLogs'] = encodeIdentityLogs([Uint8Array.of(0x81, 1), undefined])
  const good = [1, 'example', null, '/geo', 'jazz', 1, 0, 10, 2, false, null]
  const emptyAnswer = (complete: boolean, missing: string[]) => [
    ...[1, [], 0, [0, 0, []], [complete, 0, 0, 0, missing], [], '/geo', node, []],
  ]
  const invalid: [name: string, kind: string, value: unknown][] = [
    ['version of tomorrow', 'query', good.with(0, 2)],
    ['a thing too many', 'query', [...good, null]],
    ['no app', 'query', good.with(1, '')],
    ['upper-case scope', 'query', good.with(3, '/Geo')],
    ['scope of dots', 'query', good.with(3, '/geo/..')],
    ['limit of zero', 'query', good.with(7, 0)],
    ['too many hops', 'query', good.with(8, 5)],
    ['complete, yet something is missing', 'answer', emptyAnswer(true, ['/geo/africa'])],
    ['negative count', 'statistics', [-1, 0, []]],
    ['positions go back', 'batch', [1, 'example', '/geo', 7, 4, 9, [[1, [4, node]]]]],
    ['position beyond the end', 'batch', [1, 'example', '/geo', 7, 4, 9, [[1, [10, node]]]]],
    ['unknown entry', 'batch', [1, 'example', '/geo', 7, 4, 9, [[2, [5, node]]]]],
    ['signature too short', 'advert', [node, new Uint8Array(63)]],
    ['another document', 'advert', [encode(['onehop/lease/1', 1]), new Uint8Array(64)]],
    ...refusedBetweenNodes(node, valid),
  ]
  /** Well-formed, and not signed by the node that it names: no advert of anybody. */
  const otherSeed = new Uint8Array(32).fill(7)
  const [document] = decode(signedAdvert) as [Uint8Array, Uint8Array]
  const lower = document.slice()
  lower[lower.length - 1] = (lower.at(-1) as number) ^ 1
  const forged: [name: string, message: unknown][] = [
    ['zeros for a signature', [document, new Uint8Array(64)]],
    ['signed by another node', [document, crypto.sign(signedMessage(contexts.advert, document), otherSeed)]],
    ['signed in another context', [document, crypto.sign(signedMessage(contexts.lease, document), seed)]],
    ['another expiry than the signed one', [lower, (decode(signedAdvert) as Uint8Array[])[1]]],
  ]
  return {
    valid: Object.fromEntries(Object.entries(valid).map(([kind, bytes]) => [kind, toHex(bytes)])),
    invalid: invalid.map(([name, kind, value]) => ({ name, kind, message: toHex(encode(value)), code: 'BAD_MESSAGE' })),
    forgedAdverts: forged.map(([name, message]) => ({ name, message: toHex(encode(message)) })),
  }
}

if (import.meta.main) {
  const text = `${JSON.stringify(searchMessageVectors(), undefined, 2)}\n`
  writeFileSync(new URL('search-messages.json', import.meta.url), text)
}
