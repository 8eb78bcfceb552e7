import { parseQuery } from '../../protocol/search/clauses.ts'
import { sha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { limits } from '../../protocol/limits.ts'
import { type Advert, signAdvert, verifyAdvert } from '../../protocol/search/advert.ts'
import { searchLimits } from '../../protocol/search/limits.ts'
import {
  aggregatorKey,
  decodeAcknowledgement,
  decodeLogBatch,
  decodeRegistration,
  encodeAcknowledgement,
  encodeLogBatch,
  encodeRegistration,
  itemHash,
  type LogBatch,
} from '../../protocol/search/log.ts'
import {
  decodeSearchAnswer,
  decodeSearchQuery,
  encodeSearchAnswer,
  encodeSearchQuery,
  planActions,
  planOutcomes,
  type SearchAnswer,
  type SearchQuery,
} from '../../protocol/search/query.ts'
import {
  decodeStatistics,
  decodeStatisticsRequest,
  encodeStatistics,
  encodeStatisticsRequest,
} from '../../protocol/search/statistics-message.ts'

const id32 = fc.uint8Array({ minLength: 32, maxLength: 32 })
const name = fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 64 })
const scope = fc.constantFrom('/geo', '/geo/africa/ng/lagos', '/tag/jazz-2')
const count = fc.maxSafeNat()
const statistics = fc.record({
  documents: count,
  totalLength: count,
  terms: fc.array(fc.record({ term: fc.constantFrom('jazz', '東京', 'ọjọ́'), documents: count, idf: count }), {
    maxLength: searchLimits.queryTermsMax,
  }),
})
const analyser = fc.constantFrom('en' as const, 'plain' as const)
const query: fc.Arbitrary<SearchQuery> = fc.record({
  app: name,
  collection: fc.option(name, { nil: undefined }),
  scope,
  text: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
  analyser,
  match: fc.constantFrom('any' as const, 'all' as const),
  limit: fc.integer({ min: 1, max: searchLimits.hitsMax }),
  hops: fc.integer({ min: 0, max: searchLimits.hopsMax }),
  explain: fc.boolean(),
  statistics: fc.option(statistics, { nil: undefined }),
})
const answer: fc.Arbitrary<SearchAnswer> = fc.record({
  hits: fc.array(fc.record({ record: fc.uint8Array({ minLength: 1 }), score: count, scope }), {
    maxLength: 5,
  }),
  total: count,
  statistics,
  coverage: fc
    .record({ sources: count, asOfMs: count, missing: fc.array(scope, { maxLength: 3 }), lag: fc.nat(3) })
    .map(({ lag, ...rest }) => {
      const sourcesCurrent = Math.max(0, rest.sources - lag)
      const complete = rest.missing.length === 0 && sourcesCurrent === rest.sources
      return { ...rest, sourcesCurrent, complete }
    }),
  plan: fc.array(
    fc.record({
      action: fc.constantFrom(...planActions),
      outcome: fc.constantFrom(...planOutcomes),
      scope,
      node: fc.option(id32, { nil: undefined }),
      depth: fc.integer({ min: 0, max: searchLimits.hopsMax }),
      hits: count,
      elapsedMs: count,
    }),
    { maxLength: 5 },
  ),
  level: scope,
  answeredBy: id32,
  referrals: fc.array(fc.record({ node: id32, scope }), { maxLength: 3 }),
})
const batch: fc.Arbitrary<LogBatch> = fc
  .record({
    app: name,
    parent: scope,
    epoch: count,
    after: fc.nat(),
    entries: fc.array(
      fc.oneof(
        fc.record({
          operation: fc.constant('put' as const),
          position: fc.nat(9),
          record: fc.uint8Array({ minLength: 1 }),
          scopes: fc.dictionary(fc.constantFrom('geo', 'tag'), scope, { noNullPrototype: true }),
          analyser,
        }),
        fc.record({ operation: fc.constant('remove' as const), position: fc.nat(9), item: id32 }),
      ),
      { maxLength: 6 },
    ),
  })
  .map((drawn) => {
    let position = drawn.after
    const entries = drawn.entries.map((entry) => ({ ...entry, position: (position += entry.position + 1) }))
    return { ...drawn, entries, through: position + 3 }
  })

function comesBack<T>(
  any: fc.Arbitrary<T>,
  pack: (value: T) => Uint8Array,
  unpack: (bytes: Uint8Array) => T,
): void {
  fc.assert(
    fc.property(any, (value) => {
      const bytes = pack(value)
      expect(unpack(bytes)).toEqual(value)
      expect(toHex(pack(unpack(bytes)))).toBe(toHex(bytes))
    }),
    { numRuns: 60 },
  )
}

describe('search messages', () => {
  it('come back as they were sent', () => {
    comesBack(query, encodeSearchQuery, decodeSearchQuery)
    comesBack(answer, encodeSearchAnswer, decodeSearchAnswer)
    comesBack(batch, encodeLogBatch, decodeLogBatch)
    comesBack(statistics, encodeStatistics, decodeStatistics)
    comesBack(
      fc.record({
        app: name,
        collection: fc.option(name, { nil: undefined }),
        scope,
        analyser,
        clauses: fc
          .uniqueArray(fc.constantFrom('jazz', '東京', '"old town"', 'ha*', 'lagoss~1'), { maxLength: 5 })
          .map((names) => parseQuery(names.join(' '), 'plain').clauses),
      }),
      encodeStatisticsRequest,
      decodeStatisticsRequest,
    )
    const cursor = fc.record({ epoch: count, position: count })
    comesBack(
      fc.record({
        app: name,
        parent: scope,
        scope,
        kind: fc.constantFrom('leaf' as const, 'aggregator' as const),
        head: cursor,
      }),
      encodeRegistration,
      decodeRegistration,
    )
    comesBack(
      fc.record({ cursor, credit: fc.integer({ min: 0, max: searchLimits.logEntriesMax }) }),
      encodeAcknowledgement,
      decodeAcknowledgement,
    )
  })

  it('are refused when anything in them is of another shape', () => {
    const decoders = [
      decodeSearchQuery,
      decodeSearchAnswer,
      decodeLogBatch,
      decodeStatistics,
      decodeStatisticsRequest,
      decodeRegistration,
      decodeAcknowledgement,
    ]
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...decoders), (noise, decoder) => {
        expect(() => decoder(noise)).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }))
      }),
      { numRuns: 500 },
    )
  })

  const good: readonly (string | number | boolean | null)[] = [
    'ex',
    null,
    '/geo',
    'jazz',
    1,
    0,
    10,
    2,
    false,
    null,
  ]
  const changed = (place: number, value: string | number) => encode([1, ...good.with(place, value)])
  it.each([
    ['an upper-case scope', changed(2, '/Geo'), /scope/],
    ['no text', changed(3, ''), /text/],
    ['a text too long', changed(3, 'x'.repeat(searchLimits.queryTextBytesMax + 1)), /text/],
    ['an unknown analyser', changed(4, 2), /analyser/],
    ['a limit of zero', changed(6, 0), /limit/],
    ['a limit too high', changed(6, searchLimits.hitsMax + 1), /limit/],
    ['hops without end', changed(7, searchLimits.hopsMax + 1), /hops/],
    ['another version', encode([2, ...good]), /version/],
  ])('of a query refuse %s', (_, bytes, problem) => {
    expect(decodeSearchQuery(encode([1, ...good])).text).toBe('jazz')
    expect(() => decodeSearchQuery(bytes)).toThrow(problem)
  })

  it('never let an answer call itself complete while something is missing', () => {
    const [one] = fc.sample(answer, 1) as [SearchAnswer]
    const claim = (coverage: Partial<SearchAnswer['coverage']>) => () =>
      decodeSearchAnswer(
        encodeSearchAnswer({
          ...one,
          coverage: { complete: true, sources: 3, sourcesCurrent: 3, asOfMs: 1, missing: [], ...coverage },
        }),
      )
    expect(claim({})).not.toThrow()
    expect(claim({ missing: ['/geo/africa'] })).toThrow(/complete/)
    expect(claim({ sourcesCurrent: 2 })).toThrow(/complete/)
  })

  it('carry as many hits as fit one frame, best first', () => {
    const [one] = fc.sample(answer, 1) as [SearchAnswer]
    const hits = Array.from({ length: 20 }, (_, n) => ({
      record: new Uint8Array(limits.recordBytesMax).fill(n),
      score: 100 - n,
      scope: '/geo',
    }))
    const packed = encodeSearchAnswer({ ...one, hits, total: 20 })
    expect(packed.length).toBeLessThanOrEqual(limits.frameBytesMax)
    expect(decodeSearchAnswer(packed).hits.map(({ score }) => score)).toEqual([100, 99, 98, 97, 96, 95, 94])
  })

  it('of a log refuse positions that do not ascend or lie beyond the end', () => {
    const remove = (position: number) => [1, [position, new Uint8Array(32)]]
    const log = (after: number, through: number, ...positions: number[]) =>
      encode([1, 'ex', '/geo', 7, after, through, positions.map(remove)])
    expect(decodeLogBatch(log(4, 9, 5, 8)).entries).toHaveLength(2)
    expect(decodeLogBatch(log(4, 9)).through).toBe(9)
    expect(() => decodeLogBatch(log(4, 9, 4))).toThrow(/ascend/)
    expect(() => decodeLogBatch(log(4, 9, 6, 6))).toThrow(/ascend/)
    expect(() => decodeLogBatch(log(4, 9, 10))).toThrow(/beyond/)
    expect(() => decodeLogBatch(log(4, 3))).toThrow(/beyond/)
  })

  it('name items and aggregators by hashes that tell all parts apart', () => {
    const item = { owner: new Uint8Array(32), app: 'a', collection: 'bc', itemKey: new Uint8Array(0) }
    const hashes = [
      itemHash(sha256, item),
      itemHash(sha256, { ...item, app: 'ab', collection: 'c' }),
      itemHash(sha256, { ...item, itemKey: new Uint8Array(1) }),
      aggregatorKey(sha256, 'a', '/geo'),
      aggregatorKey(sha256, 'a', '/geo/africa'),
    ]
    expect(new Set(hashes.map(toHex)).size).toBe(hashes.length)
  })
})

describe('an advert', () => {
  // Stands in for Ed25519: the signature must cover the very bytes and fit the key.
  const half = (message: Uint8Array, key: Uint8Array): Uint8Array => sha256(utf8(toHex(message) + toHex(key)))
  const crypto = {
    sign: (message: Uint8Array, seed: Uint8Array) => Uint8Array.from([...half(message, seed), ...seed]),
    verifyStrict: (message: Uint8Array, signature: Uint8Array, key: Uint8Array) =>
      toHex(signature) === toHex(half(message, key)) + toHex(key),
  } as CryptoProvider
  const node = new Uint8Array(32).fill(7)
  const advert: Advert = {
    node,
    app: 'example',
    scope: '/geo/africa',
    collections: ['post'],
    addresses: ['/ip4/127.0.0.1/tcp/4001'],
    documents: 10,
    sources: 2,
    sourcesCurrent: 2,
    complete: true,
    asOfMs: 1_700_000_000_000,
    hitsMax: 100,
    blockList: undefined,
    expiresMs: 1_700_000_600_000,
  }

  it('is what its node signed, and no more', () => {
    const packed = signAdvert(crypto, advert, node)
    expect(verifyAdvert(crypto, packed)).toEqual({ ...advert, packed })
    const [document, signature] = decode(packed) as [Uint8Array, Uint8Array]
    const altered = document.slice()
    altered[altered.length - 1] = (altered.at(-1) as number) ^ 1
    expect(verifyAdvert(crypto, encode([altered, signature]))).toBeUndefined()
    expect(() => verifyAdvert(crypto, encode([document]))).toThrow(/advert/)
    expect(() => verifyAdvert(crypto, encode([encode(['onehop/lease/1', 1]), signature]))).toThrow(/advert/)
  })
})
