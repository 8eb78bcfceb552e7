import { readFileSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { microblog } from '../../client/microblog.ts'
import { fromHex, toHex } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { describeProblems } from '../../protocol/schema/problem.ts'
import { carriedCollections } from '../../protocol/schema/schema.ts'
import { decodeSchema, parseSchema, validateSchema } from '../../protocol/schema/validate.ts'

const folder = resolve(import.meta.dirname, '../vectors/schemas')
const read = (path: string): unknown => JSON.parse(readFileSync(resolve(folder, path), 'utf8'))
const valid = readdirSync(resolve(folder, 'valid')).map((file) => file.replace('.json', ''))
const invalid = readdirSync(resolve(folder, 'invalid')).map((file) => file.replace('.json', ''))
const hashes = read('hashes.json') as Record<string, string>

describe('a valid schema', () => {
  it.each(valid)('%s: has the hash of the vectors, from JSON and from its bytes', (name) => {
    const schema = parseSchema(read(`valid/${name}.json`))
    expect(toHex(schema.hash)).toBe(hashes[name])
    expect(decodeSchema(schema.bytes)).toEqual(schema)
  })

  it('keeps its name when an author writes the keys in another order', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed)
      if (typeof value !== 'object' || value === null) return value
      return Object.fromEntries(
        Object.entries(value)
          .toReversed()
          .map(([key, entry]) => [key, reversed(entry)]),
      )
    }
    for (const name of valid)
      expect(toHex(parseSchema(reversed(read(`valid/${name}.json`))).hash)).toBe(hashes[name])
  })

  it('is the same from the builder as from JSON', () => {
    expect(toHex(microblog.hash)).toBe(hashes['microblog'])
  })

  it('does not change with the object that it was made of', () => {
    const document = read('valid/smallest.json') as { title?: string }
    const schema = parseSchema(document)
    document.title = 'other'
    expect(schema.document.title).toBeUndefined()
  })

  it('has its defaults filled in and its levels as depths', () => {
    const posts = microblog.collections.get('posts')
    expect(posts).toMatchObject({
      merge: 'append',
      replicate: 3,
      stream: true,
      private: false,
      importance: 'normal',
    })
    expect(posts?.fields.get('title')).toMatchObject({
      audience: 'public',
      required: false,
      heights: { geo: 0 },
    })
    expect(microblog.collections.get('profile')?.fields.get('bio')?.heights).toEqual({ geo: 1 })
    expect(microblog.collections.get('notes')?.fields.get('text')).toMatchObject({
      audience: 'private',
      heights: {},
    })
    expect(microblog.collections.get('follows')?.follows).toEqual({ field: 'user', streams: ['posts'] })
    expect(carriedCollections(microblog)).toEqual(['posts', 'profile'])
  })
})

describe('an invalid schema', () => {
  it.each(invalid)('%s: every problem is named with its path and a fix', (name) => {
    const vector = read(`invalid/${name}.json`) as { document: unknown; problems: string[] }
    const verdict = validateSchema(vector.document)
    const problems = verdict.ok ? [] : verdict.problems
    expect(problems.map((problem) => problem.path)).toEqual(vector.problems)
    for (const { message, fix } of problems) {
      expect(message).not.toBe('')
      expect(fix).not.toBe('')
    }
  })

  it('says what was probably meant', () => {
    const verdict = validateSchema({ ...microblog.document, colections: {} })
    expect(verdict).toEqual({
      ok: false,
      problems: [
        {
          path: 'colections',
          message: 'unknown key, did you mean "collections"?',
          fix: 'Write "collections", or remove it',
        },
      ],
    })
  })

  it('throws BAD_SCHEMA with one line for each problem', () => {
    const parse = (): unknown => parseSchema({ ...microblog.document, version: 0, id: '' })
    expect(parse).toThrow(expect.objectContaining({ code: 'BAD_SCHEMA' }))
    expect(parse).toThrow(/^id: .*\nversion: .*$/)
    expect(describeProblems([{ path: '', message: 'is wrong', fix: 'Mend it' }])).toBe('is wrong. Mend it.')
  })

  it('refuses what does not fit a schema message, and a record with too many sections', () => {
    const fields = Object.fromEntries(
      Array.from({ length: 60 }, (_, i) => [`field${i}${'x'.repeat(30)}`, { type: 'text' }]),
    )
    const collections = Object.fromEntries(
      Array.from({ length: 40 }, (_, i) => [`c${i}`, { key: 'none', fields }]),
    )
    const verdict = validateSchema({ onehop: 1, id: 'example.large', version: 1, collections })
    expect(verdict).toMatchObject({ ok: false, problems: [{ path: '', fix: 'Keep it below 65536 bytes' }] })

    const levels = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']
    const hierarchies = { x: { levels, leaf: 'p.place' }, y: { levels: ['a', 'b'], leaf: 'p.other' } }
    const place = { type: 'scope', hierarchy: 'x' }
    const many = levels.flatMap((x) =>
      ['a', 'b'].map((y) => [`f${x}${y}`, { type: 'text', search: { x, y } }]),
    )
    const crowded = {
      key: 'single',
      fields: { place, other: { type: 'scope', hierarchy: 'y' }, ...Object.fromEntries(many) },
    }
    expect(
      validateSchema({ onehop: 1, id: 'example.many', version: 1, hierarchies, collections: { p: crowded } }),
    ).toMatchObject({
      ok: false,
      problems: [{ path: 'collections.p.fields' }],
    })
  })
})

describe('whatever is given', () => {
  it('any JSON gets a verdict', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (document) => {
        const verdict = validateSchema(document)
        expect(verdict.ok || verdict.problems.length > 0).toBe(true)
      }),
    )
  })

  it('any value in any place of a valid schema gets a verdict', () => {
    const document = read('valid/every-type.json')
    const places = [...pathsOf(document)]
    fc.assert(
      fc.property(
        fc.constantFrom(...places),
        fc.anything({ withBigInt: true, withNullPrototype: true }),
        (place, value) => {
          const verdict = validateSchema(withAt(document, place, value))
          if (verdict.ok) expect(decodeSchema(verdict.schema.bytes).bytes).toEqual(verdict.schema.bytes)
          else expect(verdict.problems.length).toBeGreaterThan(0)
        },
      ),
      { numRuns: 2000 },
    )
  })

  it('any bytes give a schema or a named error', () => {
    for (const bytes of [
      new Uint8Array(0),
      encode([1]),
      encode({ onehop: 1 }),
      fromHex('ff') as Uint8Array,
    ]) {
      expect(() => decodeSchema(bytes)).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/^BAD_/) }),
      )
    }
    expect(() => decodeSchema(new Uint8Array(65 * 1024))).toThrow(
      expect.objectContaining({ code: 'TOO_LARGE' }),
    )
  })
})

function* pathsOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  yield path
  if (typeof value !== 'object' || value === null) return
  for (const [key, entry] of Object.entries(value)) yield* pathsOf(entry, [...path, key])
}

function withAt(value: unknown, path: readonly string[], planted: unknown): unknown {
  const [key, ...rest] = path
  if (key === undefined) return planted
  const copy = structuredClone(value) as Record<string, unknown>
  copy[key] = withAt(copy[key], rest, planted)
  return copy
}
