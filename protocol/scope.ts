import { limits } from './limits.ts'
import { mapped, mismatch, text } from './shape.ts'

/**
 * A scope is a path in a hierarchy: `/geo/africa/ng/lagos`. The first segment names the hierarchy, whose root
 * `/geo` has depth 0; each further segment is one deeper.
 *
 *   path    = 1*( "/" segment )
 *   segment = [a-z0-9] [a-z0-9-]{0,62}
 *
 * One place has one spelling, since paths are compared, hashed and sorted as text.
 */
export type ScopePath = string

const segmentSource = '[a-z0-9][a-z0-9-]{0,62}'
const pathPattern = new RegExp(`^(?:/${segmentSource}){1,${limits.scopeDepthMax + 1}}$`)
const segmentPattern = new RegExp(`^${segmentSource}$`)

export function isScope(path: unknown): path is ScopePath {
  return typeof path === 'string' && path.length <= limits.scopeBytesMax && pathPattern.test(path)
}

export interface ScopeParts {
  readonly hierarchy: string
  /** From the child of the root down; as many as the scope is deep. */
  readonly segments: readonly string[]
}

/** Undefined unless the text is a scope as it must be spelt. */
export function parseScope(path: string): ScopeParts | undefined {
  if (!isScope(path)) return undefined
  const [hierarchy = '', ...segments] = path.slice(1).split('/')
  return { hierarchy, segments }
}

/** Undefined when a part is no segment, or there are too many. */
export function formatScope(hierarchy: string, segments: readonly string[]): ScopePath | undefined {
  const path = `/${[hierarchy, ...segments].join('/')}`
  return isScope(path) ? path : undefined
}

/** What a person typed, as a scope: `Geo / Africa / São Tomé` gives `/geo/africa/sao-tome`. Undefined if nothing is left. */
export function normaliseScope(typed: string): ScopePath | undefined {
  // Longer than any spelling of a scope: not worth reading.
  if (typed.length > limits.scopeBytesMax * 4) return undefined
  const segments = typed
    .split('/')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(segmentOf)
  if (segments.includes(undefined)) return undefined
  return formatScope(segments[0] ?? '', segments.slice(1) as string[])
}

/** A name as a segment. Undefined for one without Latin letters or digits: give its code instead. */
export function segmentOf(name: string): string | undefined {
  const segment = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/\p{M}/gu, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replaceAll(/^-|-$/g, '')
  return segmentPattern.test(segment) ? segment : undefined
}

export function scopeHierarchy(path: ScopePath): string {
  const end = path.indexOf('/', 1)
  return end < 0 ? path.slice(1) : path.slice(1, end)
}

/** 0 for the root of a hierarchy. */
export function scopeDepth(path: ScopePath): number {
  let depth = -1
  for (const character of path) if (character === '/') depth++
  return depth
}

/** Undefined for a root. */
export function scopeParent(path: ScopePath): ScopePath | undefined {
  const end = path.lastIndexOf('/')
  return end === 0 ? undefined : path.slice(0, end)
}

/** From the root down to the scope itself. */
export function scopeChain(path: ScopePath): ScopePath[] {
  const chain = [path]
  for (let parent = scopeParent(path); parent !== undefined; parent = scopeParent(parent))
    chain.unshift(parent)
  return chain
}

/** From the root down to the parent. */
export function scopeAncestors(path: ScopePath): ScopePath[] {
  return scopeChain(path).slice(0, -1)
}

/** The scope of this depth that `path` lies in; undefined when `path` is not that deep. */
export function scopeAtDepth(path: ScopePath, depth: number): ScopePath | undefined {
  return scopeChain(path)[depth]
}

/** Every scope contains itself. */
export function scopeContains(ancestor: ScopePath, path: ScopePath): boolean {
  return path === ancestor || path.startsWith(`${ancestor}/`)
}

/** For messages that carry a scope. */
export const scopeShape = mapped(text(limits.scopeBytesMax), (path): ScopePath => {
  if (isScope(path)) return path
  throw mismatch('scope such as /geo/africa')
})
