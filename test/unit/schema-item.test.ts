import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { toHex, utf8 } from '../../protocol/bytes.ts'
import { decode, encode } from '../../protocol/codec.ts'
import type { Fields } from '../../protocol/record/types.ts'
import { defineSchema } from '../../protocol/schema/builder.ts'
import { checkItem, collectionOf, parseItem } from '../../protocol/schema/check-item.ts'
import { itemKey, keyOfValue } from '../../protocol/schema/item-key.ts'
import { itemFromJson, itemToJson } from '../../protocol/schema/json-value.ts'
import { checkSections, mergeSections, planSections, sectionKind } from '../../protocol/schema/sections.ts'
import { parseSchema } from '../../protocol/schema/validate.ts'
import type { ItemValue } from '../../protocol/schema/value.ts'

const everyType = parseSchema(
  JSON.parse(readFileSync(resolve(import.meta.dirname, '../vectors/schemas/valid/every-type.json'), 'utf8')),
)
const png = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0)
const id = new Uint8Array(32).fill(7)
const sample: ItemValue = {
  code: 'A1',
  count: 3,
  weight: 0.5,
  ok: true,
  taken: 1_700_000_000_000,
  raw: Uint8Array.of(1, 2),
  picture: png,
  file: { hash: id, size: 10, mime: 'image/png', key: id },
  by: id,
  where: '/geo/ng',
  about: { owner: id, collection: 'samples', key: utf8('A0') },
  tags: ['a', 'b'],
  notes: { one: 'first' },
}
const paths = (value: unknown, collection = 'samples'): string[] =>
  checkItem(everyType, collection, value).map((problem) => problem.path)

describe('values', () => {
  it('of every type pass', () => {
    expect(checkItem(everyType, 'samples', sample)).toEqual([])
    expect(parseItem(everyType, 'samples', sample)).toBe(sample)
    expect(paths({ code: 'A1', count: undefined })).toEqual([])
  })

  it.each<[string, unknown, string]>([
    ['code', 1, 'code'],
    ['code', 'x'.repeat(65), 'code'],
    ['code', 'é'.repeat(33), 'code'],
    ['code', '\ud800', 'code'],
    ['count', 1.5, 'count'],
    ['count', -1, 'count'],
    ['count', 1_000_001, 'count'],
    ['count', 1n, 'count'],
    ['weight', Number.NaN, 'weight'],
    ['weight', Number.POSITIVE_INFINITY, 'weight'],
    ['ok', 1, 'ok'],
    ['taken', '2020-01-01', 'taken'],
    ['raw', new Uint8Array(257), 'raw'],
    ['raw', [1], 'raw'],
    ['picture', utf8('<svg onload=alert(1)>'), 'picture'],
    ['picture', new Uint8Array([...png, ...new Uint8Array(4096)]), 'picture'],
    ['file', { hash: id, size: 10 }, 'file'],
    ['file', { hash: id, size: 10, mime: 'image/png', more: 1 }, 'file'],
    ['file', { hash: id, size: 2e9, mime: 'image/png' }, 'file'],
    ['by', 'ab'.repeat(32), 'by'],
    ['by', new Uint8Array(31), 'by'],
    ['where', '/topic/bio', 'where'],
    ['where', '/geo/ng/lagos', 'where'],
    ['where', '/geo/NG', 'where'],
    ['about', { owner: id, collection: 'likes', key: id }, 'about'],
    ['tags', 'a', 'tags'],
    ['tags', ['a', 2], 'tags[1]'],
    ['tags', Array.from({ length: 9 }, () => 'a'), 'tags'],
    ['notes', { one: 1 }, 'notes.one'],
    ['notes', ['a'], 'notes'],
    ['nots', {}, 'nots'],
    ['constructor', {}, 'constructor'],
    ['code', null, 'code'],
  ])('%s: %o is refused', (name, value, path) => {
    expect(paths({ code: 'A1', [name]: value })).toEqual([path])
  })

  it('that are missing or no object are refused, and the way out is named', () => {
    expect(paths({})).toEqual(['code'])
    for (const value of [null, 1, 'x', [], new Uint8Array(1)]) expect(paths(value)).toEqual([''])
    expect(() => parseItem(everyType, 'samples', { code: 'a', tagz: [] })).toThrow(
      expect.objectContaining({
        code: 'BAD_FIELD',
        message: expect.stringContaining('Did you mean "tags"?'),
      }),
    )
    expect(() => collectionOf(everyType, 'sample')).toThrow(
      expect.objectContaining({ code: 'UNKNOWN_COLLECTION', message: expect.stringContaining('samples') }),
    )
  })

  it('that name a file are sealed where their section is, and nowhere else', () => {
    const plain = { hash: id, size: 10, mime: 'image/png' }
    const sealed = { ...plain, key: id }
    const of = { type: 'blob' } as const
    const schema = defineSchema({
      onehop: 1,
      id: 'example.files',
      version: 1,
      collections: {
        diary: {
          key: 'random',
          private: true,
          fields: { file: of, files: { type: 'list', of }, named: { type: 'map', of } },
        },
        posts: {
          key: 'none',
          fields: { file: of, friends: { ...of, audience: 'followers' }, files: { type: 'list', of } },
        },
      },
    })
    const check = (collection: string, value: ItemValue): unknown =>
      checkItem(schema, collection, value).map((problem) => [problem.path, problem.fix])
    expect(check('diary', { file: sealed, files: [sealed], named: { a: sealed } })).toEqual([])
    expect(check('posts', { file: plain, friends: sealed, files: [plain] })).toEqual([])
    const seal = 'Upload the file with { sealed: true }'
    const leave = 'Upload the file without { sealed: true }'
    expect(check('diary', { file: plain, files: [sealed, plain], named: { a: plain } })).toEqual([
      ['file', seal],
      ['files', seal],
      ['named', seal],
    ])
    expect(check('posts', { file: sealed, friends: plain, files: [sealed] })).toEqual([
      ['file', leave],
      ['friends', seal],
      ['files', leave],
    ])
    expect(check('diary', { file: { ...plain, key: id.subarray(1) } })).toEqual([
      ['file', 'Give { hash, size, mime, key? } as the upload answered'],
    ])
    // Whoever wrote it, it is shown.
    expect(mergeSections(schema, 'diary', [{ file: plain }])).toEqual({ file: plain })
  })

  it('whatever they are get a verdict', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('samples', 'home', 'diary'),
        fc.anything({ withBigInt: true }),
        (name, value) => {
          expect(Array.isArray(checkItem(everyType, name, value))).toBe(true)
        },
      ),
    )
  })
})

describe('sections', () => {
  it('group fields by audience and heights, and keep private collections private', () => {
    const post = { title: 't', text: 'x', url: 'u', preview: png, topic: 'z' }
    expect(planSections(microblog, 'posts', post)).toEqual([
      { audience: 'public', heights: { geo: 0 }, fields: { title: 't', text: 'x', topic: 'z' } },
      { audience: 'public', heights: {}, fields: { url: 'u', preview: png } },
    ])
    expect(planSections(microblog, 'profile', { name: 'n', bio: 'b' })).toEqual([
      { audience: 'public', heights: { geo: 0 }, fields: { name: 'n' } },
      { audience: 'public', heights: { geo: 1 }, fields: { bio: 'b' } },
    ])
    expect(planSections(microblog, 'notes', { text: 'secret' })).toEqual([
      { audience: 'private', heights: {}, fields: { text: 'secret' } },
    ])
    expect(planSections(everyType, 'samples', sample).map(({ audience }) => audience)).toEqual([
      'public',
      'public',
      'public',
      'followers',
      'private',
    ])
  })

  it('merge back into the item, whichever fields it has', () => {
    const some = fc.subarray(Object.keys(sample).filter((name) => name !== 'code'))
    fc.assert(
      fc.property(some, (names) => {
        const item = Object.fromEntries(['code', ...names].map((name) => [name, sample[name]])) as ItemValue
        const sections = planSections(everyType, 'samples', item)
        const opened = sections.map((section) => decode(encode(section.fields)) as Fields)
        expect(mergeSections(everyType, 'samples', opened)).toEqual(item)
        expect(new Set(sections.map(sectionKind)).size).toBe(sections.length)
      }),
    )
  })

  it('leave out what does not fit, what is not known and what was said before', () => {
    const opened: Fields[] = [
      { code: 'A1', count: 'many', later: 1 },
      { code: 'B2', tags: ['t', null], ok: false },
    ]
    expect(mergeSections(everyType, 'samples', opened)).toEqual({ code: 'A1', ok: false })
  })

  it('that show more than the schema allows are noticed', () => {
    const posts = collectionOf(microblog, 'posts')
    const section = { epoch: 0, length: 20, hash: id }
    const allowed = [
      { ...section, audience: 'public', heights: { geo: 0 } },
      { ...section, audience: 'public', heights: {} },
    ] as const
    expect(checkSections(posts, allowed)).toEqual([])
    const bio = { ...section, audience: 'public', heights: { geo: 0 } } as const
    expect(checkSections(collectionOf(microblog, 'notes'), [bio]).map(({ path }) => path)).toEqual([
      'sections[0]',
    ])
    const toGroup = { ...section, audience: { group: id }, heights: {} }
    expect(checkSections(posts, [...allowed, toGroup]).map(({ path }) => path)).toEqual(['sections[2]'])
  })
})

describe('keys', () => {
  const random = (length: number): Uint8Array => new Uint8Array(length).fill(1)

  it('follow the rule of the collection', () => {
    expect(itemKey(collectionOf(microblog, 'profile'), {}, random)).toEqual(new Uint8Array(0))
    expect(itemKey(collectionOf(microblog, 'posts'), {}, random)).toEqual(new Uint8Array(0))
    expect(itemKey(collectionOf(microblog, 'notes'), {}, random)).toEqual(new Uint8Array(16).fill(1))
    expect(itemKey(collectionOf(microblog, 'follows'), { user: id }, random)).toEqual(id)
    expect(itemKey(collectionOf(everyType, 'samples'), sample, random)).toEqual(utf8('A1'))
    const of = { owner: id, collection: 'samples', key: utf8('A1') }
    expect(toHex(itemKey(collectionOf(everyType, 'likes'), { of }, random))).toBe(`${'07'.repeat(32)}4131`)
  })

  it('of numbers sort as the numbers do', () => {
    const samples = collectionOf(everyType, 'samples')
    fc.assert(
      fc.property(fc.maxSafeInteger(), fc.maxSafeInteger(), (a, b) => {
        const [left, right] = [toHex(keyOfValue(samples, a)), toHex(keyOfValue(samples, b))]
        expect(Math.sign(a - b)).toBe(left < right ? -1 : left > right ? 1 : 0)
      }),
    )
  })

  it('cannot be made of anything else', () => {
    const samples = collectionOf(everyType, 'samples')
    const id = new Uint8Array(32)
    const values = [
      undefined,
      null,
      1.5,
      {},
      [],
      true,
      'x'.repeat(129),
      { owner: id, key: new Uint8Array(97) },
    ]
    for (const value of values) {
      expect(() => keyOfValue(samples, value)).toThrow(expect.objectContaining({ code: 'BAD_FIELD' }))
    }
  })
})

describe('JSON', () => {
  it('carries every type there and back', () => {
    const json: unknown = JSON.parse(JSON.stringify(itemToJson(everyType, 'samples', sample)))
    expect(json).toMatchObject({
      by: '07'.repeat(32),
      raw: '0102',
      about: { key: '4130' },
      taken: 1_700_000_000_000,
    })
    expect(itemFromJson(everyType, 'samples', json)).toEqual(sample)
  })

  it('with faults is refused by name', () => {
    for (const json of [
      { code: 'A', by: 'zz' },
      { code: 'A', raw: 5 },
      { code: 'A', file: { hash: 1 } },
      [],
      null,
      1,
    ]) {
      expect(() => itemFromJson(everyType, 'samples', json)).toThrow(
        expect.objectContaining({ code: 'BAD_FIELD' }),
      )
    }
  })
})
