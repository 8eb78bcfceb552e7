import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compatible } from '../../protocol/schema/compatible.ts'
import { parseSchema } from '../../protocol/schema/validate.ts'

type Bag = { [key: string]: Bag }

const document = JSON.parse(
  readFileSync(resolve(import.meta.dirname, '../vectors/schemas/valid/every-type.json'), 'utf8'),
) as Bag
const old = parseSchema(document)

/** Paths of what stands against the next version of the schema after a change. */
function against(change: (next: Bag) => void): string[] {
  const next = structuredClone(document)
  Object.assign(next, { version: 8 })
  change(next)
  const verdict = compatible(old, parseSchema(next))
  return verdict.ok ? [] : verdict.problems.map((problem) => problem.path)
}

function at(bag: Bag, path: string): Bag {
  let found = bag
  for (const key of path.split('.')) found = found[key] as Bag
  return found
}

const set = (path: string, values: object) => (next: Bag) => void Object.assign(at(next, path), values)
const all =
  (...changes: ((next: Bag) => void)[]) =>
  (next: Bag): void => {
    for (const change of changes) change(next)
  }
const drop = (path: string, key: string) => (next: Bag) => void delete at(next, path)[key]

describe('the next version of a schema', () => {
  it('may be the same', () => {
    expect(compatible(old, old)).toEqual({ ok: true })
    expect(compatible(old, parseSchema(structuredClone(document)))).toEqual({ ok: true })
  })

  it.each<[string, (next: Bag) => void]>([
    ['another title', (next) => void Object.assign(next, { title: 'Other' })],
    [
      'an optional field',
      set('collections.samples.fields', {
        more: { type: 'text', search: { geo: 'world' }, audience: 'public' },
      }),
    ],
    [
      'a collection',
      set('collections', {
        more: { key: 'none', stream: false, fields: { a: { type: 'text', required: true } } },
      }),
    ],
    ['a level below the last', set('hierarchies.geo', { levels: ['world', 'country', 'town'] })],
    [
      'a hierarchy',
      all(
        set('hierarchies', { tag: { levels: ['all'], leaf: 'home.tag' } }),
        set('collections.home.fields', { tag: { type: 'scope', hierarchy: 'tag' } }),
      ),
    ],
    ['more room', set('collections.samples.fields.code', { max: 100 })],
    ['a lower search height', set('collections.samples.fields.count', { search: { geo: 'country' } })],
    [
      'a narrower audience of an optional field',
      set('collections.samples.fields.ok', { audience: 'private' }),
    ],
    [
      'copies, expiry and importance',
      set('collections.samples', { replicate: 1, expires: 10, importance: 'high' }),
    ],
    ['a view', set('views', { more: { own: ['home'] } })],
    ['more in a view', set('views.mine', { counts: { samples: 'samples', likes: 'likes' } })],
    ['a roll-up', set('rollups', { more: { count: 'home', by: 'geo' } })],
    ['a longer top list', set('rollups.tags', { limit: 20 })],
  ])('may add or narrow: %s', (_name, change) => {
    expect(against(change)).toEqual([])
  })

  it.each<[string, (next: Bag) => void, string[]]>([
    ['id', (next) => void Object.assign(next, { id: 'example.other' }), ['id']],
    ['version', (next) => void Object.assign(next, { version: 7, title: 'x' }), ['version']],
    ['shard', (next) => void Object.assign(next, { shard: { scope: 'geo' } }), ['shard']],
    [
      'level between',
      set('hierarchies.geo', { levels: ['world', 'continent', 'country'] }),
      ['hierarchies.geo.levels'],
    ],
    [
      'leaf',
      (next) => {
        set('collections.home.fields', { other: { type: 'scope', hierarchy: 'geo' } })(next)
        set('hierarchies.geo', { leaf: 'home.other' })(next)
      },
      ['hierarchies.geo.leaf'],
    ],
    [
      'collection removed',
      (next) => {
        drop('collections', 'diary')(next)
      },
      ['collections.diary'],
    ],
    [
      'private made open',
      drop('collections.diary', 'private'),
      [
        'collections.diary.private',
        'collections.diary.fields.text.audience',
        'collections.diary.fields.mood.audience',
      ],
    ],
    [
      'open made private',
      (next) => {
        set('collections.watching', { private: true })(next)
        drop('collections.watching', 'follows')(next)
        delete next['views']
      },
      [
        'collections.watching.private',
        'collections.watching.follows',
        'collections.watching.fields.who.audience',
        'views.mine',
      ],
    ],
    ['key', set('collections.samples', { key: 'random' }), ['collections.samples.key']],
    [
      'key and merge',
      set('collections.samples', { key: 'none' }),
      ['collections.samples.key', 'collections.samples.merge'],
    ],
    ['stream on', set('collections.samples', { stream: true }), ['collections.samples.stream']],
    [
      'follows added',
      all(
        set('collections.samples.fields.by', { required: true, audience: 'public' }),
        set('collections.samples', { key: { field: 'by' }, follows: { field: 'by' } }),
      ),
      [
        'collections.samples.key',
        'collections.samples.follows',
        'collections.samples.fields.by.required',
        'collections.samples.fields.by.audience',
      ],
    ],
    ['field removed', drop('collections.samples.fields', 'raw'), ['collections.samples.fields.raw']],
    [
      'required field added',
      set('collections.samples.fields', { more: { type: 'text', required: true } }),
      ['collections.samples.fields.more.required'],
    ],
    [
      'required added',
      set('collections.samples.fields.ok', { required: true }),
      ['collections.samples.fields.ok.required'],
    ],
    [
      'required removed',
      drop('collections.diary.fields.text', 'required'),
      ['collections.diary.fields.text.required'],
    ],
    [
      'type',
      set('collections.samples.fields.ok', { type: 'integer' }),
      ['collections.samples.fields.ok.type'],
    ],
    [
      'entry type',
      set('collections.samples.fields.notes', { of: { type: 'integer' } }),
      ['collections.samples.fields.notes.of'],
    ],
    [
      'less room',
      set('collections.samples.fields.raw', { max: 255 }),
      ['collections.samples.fields.raw.max'],
    ],
    [
      'bound added',
      set('collections.samples.fields.weight', { max: 9 }),
      ['collections.samples.fields.weight.max'],
    ],
    [
      'narrower range',
      set('collections.diary.fields.mood', { min: -4 }),
      ['collections.diary.fields.mood.min'],
    ],
    [
      'audience widened',
      set('collections.samples.fields.notes', { audience: 'followers' }),
      ['collections.samples.fields.notes.audience'],
    ],
    [
      'collection audience widened',
      set('collections.samples', { audience: 'public' }),
      ['weight', 'ok', 'raw', 'picture', 'file', 'by', 'where', 'about'].map(
        (name) => `collections.samples.fields.${name}.audience`,
      ),
    ],
    [
      'search raised',
      set('collections.samples.fields.code', { search: { geo: 'world', topic: 'all' } }),
      ['collections.samples.fields.code.search.geo'],
    ],
    [
      'search added',
      set('collections.samples.fields.tags', { search: { geo: 'country', topic: 'field' } }),
      ['collections.samples.fields.tags.search.geo'],
    ],
    ['view removed', (next) => void delete next['views'], ['views.mine']],
    [
      'view emptied',
      (next) =>
        void Object.assign(next, { views: { mine: { latest: [{ collection: 'samples', limit: 1 }] } } }),
      ['views.mine.own', 'views.mine.counts.samples', 'views.mine.feed'],
    ],
    [
      'feed shows less',
      (next) => {
        drop('views.mine.feed', 'with')(next)
      },
      ['views.mine.feed.with'],
    ],
    ['roll-up removed', drop('rollups', 'total'), ['rollups.total']],
    ['roll-up changed', set('rollups.when', { step: 1000 }), ['rollups.when']],
    ['top list shortened', set('rollups.tags', { limit: 9 }), ['rollups.tags']],
  ])('may not break readers or disclose more: %s', (_name, change, problems) => {
    expect(against(change).toSorted()).toEqual(problems.toSorted())
  })
})
