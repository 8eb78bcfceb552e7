import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import {
  decodePage,
  decodeQuery,
  decodeRange,
  encodePage,
  encodeQuery,
  encodeRange,
  type Query,
} from '../../protocol/query/query.ts'
import {
  decodeViewAnswer,
  encodeViewAnswer,
  feedItemLength,
  viewAnswerLength,
  type ViewAnswer,
} from '../../protocol/query/view-answer.ts'
import { isShown, planFeed, planView } from '../../protocol/query/view-plan.ts'
import { parseSchema } from '../../protocol/schema/validate.ts'

interface Vectors {
  readonly valid: Readonly<Record<string, string>>
  readonly invalid: readonly { readonly message: string; readonly why: string; readonly hex: string }[]
}
const vectors = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/query.json'), 'utf8'),
) as Vectors

const owner = new Uint8Array(32).fill(1)
const ref = { clock: 1_700_000_000_000n << 16n, id: new Uint8Array(32).fill(9) }
const none = { limit: undefined, before: undefined, after: undefined }
const queries: Readonly<Record<string, Query>> = {
  key: { kind: 'key', owner, app: 'example.microblog', collection: 'profile', key: new Uint8Array(0) },
  list: {
    kind: 'list',
    owner,
    app: 'example.microblog',
    collection: 'posts',
    range: { limit: 20, before: ref, after: undefined },
  },
  view: { kind: 'view', owner, app: 'example.microblog', view: 'home', range: none },
  feed: {
    kind: 'feed',
    owner,
    app: 'example.microblog',
    collection: 'posts',
    range: { limit: 1, before: ref, after: ref },
  },
}
const record = (length: number): Uint8Array => new Uint8Array(length).fill(5)
const answer: ViewAnswer = {
  askedNodes: 0,
  asOf: ref.clock,
  own: [
    { collection: 'profile', record: record(30) },
    { collection: 'settings', record: undefined },
  ],
  latest: [{ collection: 'posts', records: [record(1), record(2)], more: ref }],
  feed: {
    authors: [{ id: owner, records: [record(3)] }],
    items: [
      { author: 0, record: record(300) },
      { author: 0, record: record(4) },
    ],
    more: undefined,
  },
  counts: { posts: 12, following: 3 },
}

describe('queries', () => {
  it.each(Object.keys(queries))('%s: come back as they were, in the bytes of the vectors', (name) => {
    const query = queries[name] as Query
    expect(toHex(encodeQuery(query))).toBe(vectors.valid[name])
    expect(decodeQuery(encodeQuery(query))).toEqual(query)
  })

  it('carry ranges and pages', () => {
    expect(decodeRange(encodeRange({}))).toEqual(none)
    expect(decodeRange(encodeRange({ limit: 5, after: ref }))).toEqual({
      limit: 5,
      before: undefined,
      after: ref,
    })
    const page = { asOf: 2n ** 64n - 2n, records: [record(10)], more: ref }
    expect(toHex(encodePage(page))).toBe(vectors.valid['page'])
    expect(decodePage(encodePage(page))).toEqual(page)
  })

  it.each(vectors.invalid)('$message: $why is refused', ({ message, hex }) => {
    const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
      query: decodeQuery,
      page: decodePage,
      answer: decodeViewAnswer,
    }
    expect(() => decoders[message]?.(fromHex(hex) as Uint8Array)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^(?:BAD_MESSAGE|TOO_LARGE)$/) }),
    )
  })
})

describe('plan of a view', () => {
  it('names what to read, whatever the app', () => {
    const plan = planView(microblog, 'home')
    expect(plan).toMatchObject({
      own: ['profile'],
      latest: [],
      feed: { collection: 'posts', latest: 50, follows: [{ collection: 'follows', field: 'user' }] },
      counts: expect.arrayContaining([{ name: 'posts', collection: 'posts' }]),
    })
    expect(planView(microblog, 'person')).toMatchObject({
      feed: undefined,
      latest: [{ collection: 'posts', limit: 50 }],
    })
  })

  it('leaves out the sections that the page does not show', () => {
    const feed = planView(microblog, 'home').feed
    const section = { audience: 'public', epoch: 0, length: 20, hash: owner } as const
    const profile = feed?.authors[0]
    expect(profile?.collection).toBe('profile')
    const shown = (heights: Record<string, number>): boolean =>
      isShown(profile?.withheld ?? new Set(), { ...section, heights })
    // name; thumb; bio, which the home page does not show; a kind that a later schema may add
    expect([shown({ geo: 0 }), shown({}), shown({ geo: 1 }), shown({ geo: 2 })]).toEqual([
      true,
      true,
      false,
      true,
    ])
    expect(feed?.withheld.size).toBe(0)
    const titles = planFeed(microblog, 'posts', { latest: 5, fields: ['title'] })
    expect(isShown(titles.withheld, { ...section, heights: {} })).toBe(false)
    expect(isShown(titles.withheld, { ...section, heights: { geo: 0 } })).toBe(true)
  })

  it('works for names that objects have anyway', () => {
    const path = resolve(import.meta.dirname, '../vectors/schemas/valid/awkward-names.json')
    const awkward = parseSchema(JSON.parse(readFileSync(path, 'utf8')))
    expect(planView(awkward, 'toString')).toMatchObject({
      own: ['constructor'],
      feed: { collection: 'valueOf', follows: [{ collection: 'isPrototypeOf', field: 'constructor' }] },
    })
    expect(() => planView(microblog, 'constructor')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_VIEW' }),
    )
  })

  it('refuses what the schema does not declare, and says what is near', () => {
    expect(() => planView(microblog, 'hom')).toThrow(
      expect.objectContaining({
        code: 'UNKNOWN_VIEW',
        message: expect.stringContaining('did you mean home?'),
      }),
    )
    expect(() => planFeed(microblog, 'notes', { latest: 1 })).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_COLLECTION' }),
    )
  })
})

describe('answer of a view', () => {
  it('comes back as it was, in the bytes of the vectors', () => {
    const bytes = encodeViewAnswer(answer)
    expect(toHex(bytes)).toBe(vectors.valid['answer'])
    expect(decodeViewAnswer(bytes)).toEqual(answer)
    const empty = { ...answer, own: [], latest: [], feed: undefined, counts: {} }
    expect(decodeViewAnswer(encodeViewAnswer(empty))).toEqual(empty)
  })

  it('is what the codec would have written', () => {
    const bytes = fc.uint8Array({ minLength: 1, maxLength: 70_000, size: '+1' })
    const clock = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    const more = fc.option(fc.record({ clock, id: fc.constant(owner) }), { nil: undefined })
    const name = fc.stringMatching(/^[a-z][A-Za-z0-9]{0,30}$/)
    const answers: fc.Arbitrary<ViewAnswer> = fc.record({
      askedNodes: fc.maxSafeNat(),
      asOf: clock,
      own: fc.array(fc.record({ collection: name, record: fc.option(bytes, { nil: undefined }) }), {
        maxLength: 3,
      }),
      latest: fc.array(fc.record({ collection: name, records: fc.array(bytes, { maxLength: 30 }), more }), {
        maxLength: 2,
      }),
      feed: fc.option(
        fc.record({
          authors: fc.constant([{ id: owner, records: [record(3)] }]),
          items: fc.array(fc.record({ author: fc.constant(0), record: bytes }), { maxLength: 30 }),
          more,
        }),
        { nil: undefined },
      ),
      counts: fc.dictionary(name, fc.maxSafeNat(), { maxKeys: 30 }),
    })
    fc.assert(
      fc.property(answers, (given) => {
        const written = encodeViewAnswer(given)
        expect(toHex(written)).toBe(toHex(encode(asItems(given), { bytesMax: 2 ** 24 })))
        expect(written).toHaveLength(viewAnswerLength(given))
      }),
      { numRuns: 60 },
    )
  })

  it('is so for every length at which a head grows', () => {
    for (const length of [1, 23, 24, 255, 256, 65_535, 65_536, 131_072]) {
      const given = {
        ...answer,
        askedNodes: length,
        asOf: BigInt(length),
        own: [{ collection: 'a', record: record(length) }],
      }
      expect(toHex(encodeViewAnswer(given))).toBe(toHex(encode(asItems(given))))
    }
    for (const askedNodes of [2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      const given = { ...answer, askedNodes, asOf: BigInt(askedNodes) }
      expect(toHex(encodeViewAnswer(given))).toBe(toHex(encode(asItems(given))))
    }
  })

  it('is refused when it is longer than a frame, and tells how long items are', () => {
    const item = { author: 0, record: record(120_000) }
    const feed = { authors: [{ id: owner, records: [] }], items: [item, item], more: undefined }
    const one = viewAnswerLength({ ...answer, feed: { ...feed, items: [item] } })
    expect(viewAnswerLength({ ...answer, feed })).toBe(one + feedItemLength(item))
    expect(() =>
      encodeViewAnswer({ ...answer, feed: { ...feed, items: Array.from({ length: 9 }, () => item) } }),
    ).toThrow(expect.objectContaining({ code: 'TOO_LARGE' }))
  })

  it('gives a value or a named error, whatever the bytes', () => {
    const written = encodeViewAnswer(answer)
    fc.assert(
      fc.property(fc.nat({ max: written.length - 1 }), fc.nat({ max: 255 }), (index, byte) => {
        const bytes = written.slice()
        bytes[index] = byte
        try {
          expect(encodeViewAnswer(decodeViewAnswer(bytes))).toEqual(bytes)
        } catch (error) {
          expect(error).toMatchObject({ code: 'BAD_MESSAGE' })
        }
      }),
    )
  })
})

function asItems(given: ViewAnswer): unknown[] {
  const ref = (more: ViewAnswer['latest'][number]['more']): unknown =>
    more === undefined ? null : [more.clock, more.id]
  const { feed } = given
  return [
    1,
    given.askedNodes,
    given.asOf,
    given.own.map((part) => [part.collection, part.record ?? null]),
    given.latest.map((part) => [part.collection, part.records, ref(part.more)]),
    feed === undefined
      ? null
      : [
          feed.authors.map((author) => [author.id, author.records]),
          feed.items.map((item) => [item.author, item.record]),
          ref(feed.more),
        ],
    given.counts,
  ]
}
