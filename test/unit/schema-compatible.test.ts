import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compatible } from '../../protocol/schema/compatible.ts'
import type { Schema } from '../../protocol/schema/schema.ts'
import { parseSchema } from '../../protocol/schema/validate.ts'

interface Patch {
  readonly [key: string]: unknown
}

interface Vectors {
  readonly base: string
  readonly pairs: readonly {
    readonly name: string
    /** What the published schema has besides the base. */
    readonly before?: Patch
    readonly patch: Patch
    readonly problems: readonly string[]
  }[]
}

const folder = resolve(import.meta.dirname, '../vectors/schemas')
const read = (name: string): unknown => JSON.parse(readFileSync(resolve(folder, name), 'utf8'))
const vectors = read('compatible.json') as Vectors
const base = read(`valid/${vectors.base}.json`)

function isBag(value: unknown): value is Patch {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** RFC 7386. */
function merged(value: unknown, patch: unknown): unknown {
  if (!isBag(patch)) return patch
  const result = new Map(isBag(value) ? Object.entries(value) : [])
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) result.delete(key)
    else result.set(key, merged(result.get(key), change))
  }
  return Object.fromEntries(result)
}

function published(before: Patch): { readonly document: unknown; readonly schema: Schema } {
  const document = merged(base, before)
  return { document, schema: parseSchema(document) }
}

describe('the next version of a schema', () => {
  it('may be the same', () => {
    const { document, schema } = published({})
    expect(compatible(schema, schema)).toEqual({ ok: true })
    expect(compatible(schema, parseSchema(structuredClone(document)))).toEqual({ ok: true })
  })

  it.each(vectors.pairs)('$name: $problems', ({ before, patch, problems }) => {
    const { document, schema } = published(before ?? {})
    const verdict = compatible(schema, parseSchema(merged(document, patch)))
    const paths = verdict.ok ? [] : verdict.problems.map(({ path }) => path)
    expect(paths.toSorted()).toEqual(problems.toSorted())
  })

  it('is judged both ways', () => {
    expect(vectors.pairs.filter(({ problems }) => problems.length === 0).length).toBeGreaterThan(12)
    expect(vectors.pairs.filter(({ problems }) => problems.length > 0).length).toBeGreaterThan(30)
  })
})
