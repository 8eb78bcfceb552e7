/**
 * What an HTTP signature covers (RFC 9421, 2.5): one line for each component, then the parameters. Derived
 * components that a node can know for certain, and whole fields; no component with parameters of its own.
 */
import { utf8 } from '../bytes.ts'
import { OnehopError } from '../errors.ts'

/** An HTTP request as far as signatures look at it. */
export interface HttpRequest {
  readonly method: string
  /** As in the Host field or in the URL. */
  readonly authority: string
  /** As sent: percent-encoding is left alone. */
  readonly path: string
  /** From the `?` on; empty where there is none. */
  readonly query: string
  /** The lines of a field, by lower-case name; undefined where there is none. */
  readonly field: (name: string) => readonly string[] | undefined
}

/** Throws UNAUTHENTICATED for a component that the request does not have or that has no certain value. */
export function signatureBase(request: HttpRequest, covered: readonly string[], params: string): Uint8Array {
  const lines = covered.map((name) => `"${name}": ${componentValue(request, name)}\n`)
  return utf8(`${lines.join('')}"@signature-params": ${params}`)
}

export function componentValue(request: HttpRequest, name: string): string {
  const value = name.startsWith('@') ? derivedValue(request, name) : fieldValue(request, name)
  if (value === undefined) throw new OnehopError('UNAUTHENTICATED', `the request has no ${shown(name)}`)
  // A line break would let one component pass for two.
  if (!/^[\u0020-\u007e]*$/.test(value)) {
    throw new OnehopError('UNAUTHENTICATED', `${shown(name)} holds what cannot be signed`)
  }
  return value
}

function derivedValue(request: HttpRequest, name: string): string | undefined {
  switch (name) {
    case '@method':
      return request.method
    case '@authority':
      // Nodes speak plain HTTP; whoever goes through a proxy with TLS names no port, as its Host field does not.
      return request.authority.toLowerCase().replace(/:80$/, '')
    case '@path':
      return request.path === '' ? '/' : request.path
    case '@query':
      return request.query === '' ? '?' : request.query
    default:
      throw new OnehopError('UNAUTHENTICATED', `${shown(name)} is not among what this release can check`)
  }
}

function fieldValue(request: HttpRequest, name: string): string | undefined {
  const lines = request.field(name)
  if (lines === undefined || lines.length === 0) return undefined
  return lines
    .map((line) => line.replaceAll(/\r?\n[ \t]+/g, ' ').replaceAll(/^[ \t]+|[ \t]+$/g, ''))
    .join(', ')
}

function shown(name: string): string {
  return JSON.stringify(name.slice(0, 64))
}
