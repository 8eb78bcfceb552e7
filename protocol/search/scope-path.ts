import { utf8 } from '../bytes.ts'
import { limits } from '../limits.ts'
import { mapped, mismatch, type Shape, text } from '../shape.ts'

/**
 * A scope is a path such as `/geo/africa/west/ng/lagos`: the hierarchy's name, then one segment a level. The
 * hierarchy alone (`/geo`) is the root, depth 0. Segments are of letters that have no case or are lower-case, digits,
 * marks and `. _ ~ -`, normalised (NFC), so that one place has one spelling; none is of dots alone.
 */
const scopePattern = /^(?:\/(?!\.+(?:\/|$))[\p{Ll}\p{Lo}\p{Lm}\p{M}\p{Nd}._~-]+)+$/u

export function isScope(value: string): boolean {
  return (
    value.length <= limits.scopeBytesMax &&
    scopePattern.test(value) &&
    value.normalize('NFC') === value &&
    scopeDepth(value) <= limits.scopeDepthMax &&
    utf8(value).length <= limits.scopeBytesMax
  )
}

export const scopeShape: Shape<string> = mapped(text(limits.scopeBytesMax, 2), (value) => {
  if (!isScope(value)) throw mismatch('a scope path')
  return value
})

export function scopeDepth(scope: string): number {
  return scope.split('/').length - 2
}

export function hierarchyOf(scope: string): string {
  return scope.split('/', 2)[1] as string
}

/** True for the scope itself too. */
export function scopeWithin(scope: string, ancestor: string): boolean {
  return scope === ancestor || scope.startsWith(`${ancestor}/`)
}

/** Undefined above the root of a hierarchy. */
export function parentScope(scope: string): string | undefined {
  return scopeDepth(scope) === 0 ? undefined : scope.slice(0, scope.lastIndexOf('/'))
}
