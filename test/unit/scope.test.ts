import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../protocol/codec.ts'
import {
  formatScope,
  isScope,
  normaliseScope,
  parseScope,
  scopeAncestors,
  scopeAtDepth,
  scopeChain,
  scopeContains,
  scopeDepth,
  scopeHierarchy,
  scopeParent,
  scopeShape,
  segmentOf,
} from '../../protocol/scope.ts'
import { decodeAs } from '../../protocol/shape.ts'

const segment = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,20}$/)
const scope = fc.array(segment, { minLength: 1, maxLength: 9 }).map((segments) => `/${segments.join('/')}`)

describe('scope paths', () => {
  it('name a hierarchy and a depth in it', () => {
    expect(parseScope('/geo/africa/ng/lagos')).toEqual({
      hierarchy: 'geo',
      segments: ['africa', 'ng', 'lagos'],
    })
    expect(parseScope('/geo')).toEqual({ hierarchy: 'geo', segments: [] })
    expect(scopeDepth('/geo')).toBe(0)
    expect(scopeDepth('/geo/africa/ng/lagos')).toBe(3)
    expect(scopeHierarchy('/geo')).toBe('geo')
    expect(scopeHierarchy('/geo/africa')).toBe('geo')
    expect(scopeParent('/geo')).toBeUndefined()
    expect(scopeParent('/geo/africa/ng')).toBe('/geo/africa')
    expect(scopeAncestors('/geo/africa/ng')).toEqual(['/geo', '/geo/africa'])
    expect(scopeChain('/geo')).toEqual(['/geo'])
    expect(scopeAtDepth('/geo/africa/ng', 1)).toBe('/geo/africa')
    expect(scopeAtDepth('/geo/africa/ng', 3)).toBeUndefined()
  })

  it.each([
    '',
    '/',
    'geo',
    '/geo/',
    '//geo',
    '/Geo',
    '/geo/-a',
    '/geo/a b',
    '/geo/são',
    '/geo/a\n',
    `/${'a'.repeat(64)}`,
    `/a${'/a'.repeat(9)}`,
    `/a${`/${'b'.repeat(63)}`.repeat(4)}`,
    '/geo/..',
  ])('refuse %o', (text) => {
    expect(isScope(text)).toBe(false)
    expect(parseScope(text)).toBeUndefined()
    expect(() => decodeAs(scopeShape, encode(text), 'scope')).toThrow(
      expect.objectContaining({ code: 'BAD_MESSAGE' }),
    )
  })

  it('have one spelling', () => {
    expect(normaliseScope(' Geo / Africa/São Tomé & Príncipe/ ')).toBe('/geo/africa/sao-tome-principe')
    expect(normaliseScope('/geo/africa')).toBe('/geo/africa')
    expect(normaliseScope('/geo/日本')).toBeUndefined()
    expect(normaliseScope('///')).toBeUndefined()
    expect(segmentOf("Xi'an -")).toBe('xi-an')
    expect(segmentOf('x'.repeat(100))).toHaveLength(63)
    expect(formatScope('geo', ['a', 'B'])).toBeUndefined()
  })

  it('contain what lies below them, and nothing that only begins alike', () => {
    expect(scopeContains('/geo/africa', '/geo/africa')).toBe(true)
    expect(scopeContains('/geo/africa', '/geo/africa/ng')).toBe(true)
    expect(scopeContains('/geo/africa', '/geo/africa-south')).toBe(false)
    expect(scopeContains('/geo/africa/ng', '/geo/africa')).toBe(false)
  })

  it('hold together for any scope', () => {
    fc.assert(
      fc.property(scope.filter(isScope), (path) => {
        const parts = parseScope(path)
        expect(parts && formatScope(parts.hierarchy, parts.segments)).toBe(path)
        expect(normaliseScope(path)).toBe(path.replaceAll(/-+(?=\/|$)/g, '').replaceAll(/-+/g, '-'))
        const chain = scopeChain(path)
        expect(chain).toHaveLength(scopeDepth(path) + 1)
        for (const [depth, step] of chain.entries()) {
          expect(scopeDepth(step)).toBe(depth)
          expect(scopeContains(step, path)).toBe(true)
          expect(scopeAtDepth(path, depth)).toBe(step)
        }
      }),
    )
  })

  it('of any text are a scope or nothing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const scopePath = normaliseScope(text)
        expect(scopePath === undefined || isScope(scopePath)).toBe(true)
      }),
    )
  })
})
