/** The fields Signature-Input and Signature: dictionaries of RFC 8941, with one signature and in one spelling. */
import { isInnerList, parseDictionary, serializeDictionary, serializeInnerList } from 'structured-headers'
import type { BareItem, Dictionary, InnerList } from 'structured-headers'
import { OnehopError } from '../errors.ts'
import { apiLimits } from './limits.ts'

export type SignatureParameters = ReadonlyMap<string, BareItem>

export interface SignatureInput {
  /** What ties the two fields together. */
  readonly label: string
  readonly covered: readonly string[]
  readonly parameters: SignatureParameters
  /** The value of "@signature-params". */
  readonly text: string
}

const unauthenticated = (message: string): OnehopError => new OnehopError('UNAUTHENTICATED', message)

export function parseSignatureInput(field: string): SignatureInput {
  const [label, member] = soleMember('Signature-Input', field)
  if (!isInnerList(member)) throw unauthenticated('Signature-Input holds no list of components')
  const [items, parameters] = member
  if (items.length > apiLimits.signatureComponentsMax)
    throw unauthenticated(`a signature may cover ${apiLimits.signatureComponentsMax} components`)
  const covered = items.map(([name, own]) => {
    if (typeof name !== 'string' || !/^@?[a-z0-9!#$%&'*+.^_`|~-]+$/.test(name))
      throw unauthenticated('Signature-Input covers what is no name of a component')
    if (own.size > 0)
      throw unauthenticated(`"${name.slice(0, 64)}" has parameters, which this release cannot check`)
    return name
  })
  if (new Set(covered).size < covered.length) throw unauthenticated('a component is covered twice')
  return { label, covered, parameters, text: serializeInnerList(member) }
}

/** The signature under this label. */
export function parseSignature(field: string, label: string): Uint8Array {
  const [found, [value]] = soleMember('Signature', field)
  if (found !== label) throw unauthenticated('Signature and Signature-Input have different labels')
  if (!(value instanceof ArrayBuffer) || value.byteLength !== 64)
    throw unauthenticated('Signature holds no 64 bytes')
  return new Uint8Array(value)
}

export function formatSignatureInput(
  covered: readonly string[],
  parameters: SignatureParameters,
): { readonly member: InnerList; readonly text: string } {
  const member: InnerList = [covered.map((name) => [name, new Map()]), new Map(parameters)]
  return { member, text: serializeInnerList(member) }
}

/**
 * A dictionary in the spelling that RFC 8941 gives it (4.1), and in no other. Parsers let the last of two equal keys
 * stand, so one that reads two `created` and one that reads the first would judge different requests.
 */
export function parseStrictly(what: string, field: string): Dictionary {
  if (field.length > apiLimits.signatureFieldBytesMax) throw unauthenticated(`${what} is too long`)
  let parsed: Dictionary
  try {
    parsed = parseDictionary(field)
  } catch (cause) {
    throw new OnehopError('UNAUTHENTICATED', `${what} is not a dictionary of RFC 8941`, { cause })
  }
  if (serializeDictionary(parsed) === field) return parsed
  throw unauthenticated(`${what} says something twice, or not in the one spelling of RFC 8941`)
}

function soleMember(
  what: string,
  field: string,
): [label: string, member: NonNullable<ReturnType<Dictionary['get']>>] {
  const [first, ...more] = parseStrictly(what, field)
  if (first === undefined || more.length > 0) throw unauthenticated(`${what} must hold one signature`)
  return first
}
