/**
 * Shapes of API messages: each reads an untrusted value into a typed one, or refuses it naming the path.
 *
 * (protocol/shape.ts describes the signed arrays; these maps exist in two forms and may gain fields.)
 *
 * One message has two forms. CBOR carries bytes and u64 as they are. JSON has neither, so there bytes are
 * lower-case hex and a u64 is a decimal string (a number too, while it is exact): what a string means follows from
 * the field that it stands in, never from how it looks.
 */
import { fromHex, toHex, utf8 } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { shaped, shapeOf } from './field-shape.ts'

export type Form = 'cbor' | 'json'

export type Field<T> = (value: unknown, path: string, form: Form) => T

declare const absent: unique symbol
/** A field that may be left out of its map. */
export type OptionalField<T> = Field<T> & { readonly [absent]: true }

export type Typed<F> = F extends (value: unknown, path: string, form: Form) => infer T ? T : never

export type FieldMap = Readonly<Record<string, Field<unknown>>>
type OptionalNames<M> = { [K in keyof M]: M[K] extends { readonly [absent]: true } ? K : never }[keyof M]
export type TypedMap<M extends FieldMap> = {
  readonly [K in Exclude<keyof M, OptionalNames<M>>]: Typed<M[K]>
} & {
  readonly [K in OptionalNames<M>]?: Typed<M[K]>
}

function refuse(path: string, expected: string): never {
  throw new OnehopError('BAD_REQUEST', `${path === '' ? 'the message' : path}: expected ${expected}`)
}

export function boolean(): Field<boolean> {
  return shaped({ kind: 'boolean' }, (value, path) =>
    typeof value === 'boolean' ? value : refuse(path, 'true or false'),
  )
}

export function uint(max: number = Number.MAX_SAFE_INTEGER): Field<number> {
  return shaped({ kind: 'uint', max }, (value, path) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max
      ? value
      : refuse(path, `a whole number from 0 to ${max}`),
  )
}

const u64Max = 2n ** 64n - 1n

/** A u64, as a bigint in code however small it is. */
export function bigUint(): Field<bigint> {
  return shaped({ kind: 'u64' }, (value, path, form) => {
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return BigInt(value)
    if (typeof value === 'bigint' && value >= 0n && value <= u64Max) return value
    if (form === 'json' && typeof value === 'string' && /^(?:0|[1-9][0-9]{0,19})$/.test(value)) {
      const parsed = BigInt(value)
      if (parsed <= u64Max) return parsed
    }
    return refuse(path, form === 'json' ? 'a decimal string below 2^64' : 'an integer below 2^64')
  })
}

export function text(bytesMax: number): Field<string> {
  return shaped({ kind: 'text', bytesMax }, (value, path) =>
    typeof value === 'string' && value.length <= bytesMax && utf8(value).length <= bytesMax
      ? value
      : refuse(path, `text of at most ${bytesMax} bytes`),
  )
}

/** The name of an app, collection, view: one to 64 bytes. What it names is for the schema to judge. */
export function name(): Field<string> {
  const bounded = text(limits.nameBytesMax)
  return shaped({ kind: 'name' }, (value, path, form) => {
    const read = bounded(value, path, form)
    return read === '' ? refuse(path, 'a name') : read
  })
}

function bytesOf(bytesMin: number, bytesMax: number, expected: string): Field<Uint8Array> {
  return shaped({ kind: 'bytes', bytesMin, bytesMax }, (value, path, form) => {
    const bytes =
      form === 'json' && typeof value === 'string'
        ? fromHex(value)
        : value instanceof Uint8Array
          ? value
          : undefined
    return bytes !== undefined && bytes.length >= bytesMin && bytes.length <= bytesMax
      ? bytes
      : refuse(path, form === 'json' ? `${expected} as lower-case hex` : expected)
  })
}

export function bytesMax(max: number): Field<Uint8Array> {
  return bytesOf(0, max, `at most ${max} bytes`)
}

/** An identity, device, node, hash or nonce. */
export function key32(): Field<Uint8Array> {
  return bytesOf(32, 32, '32 bytes')
}

export function signature64(): Field<Uint8Array> {
  return bytesOf(64, 64, '64 bytes')
}

export function anyOf<const T extends string>(...choices: readonly T[]): Field<T> {
  return shaped(
    { kind: 'choice', choices },
    (value, path) =>
      choices.find((choice) => choice === value) ?? refuse(path, `one of ${choices.join(', ')}`),
  )
}

export function orNull<T>(field: Field<T>): Field<T | null> {
  return shaped({ kind: 'null-or', of: field }, (value, path, form) =>
    value === null ? null : field(value, path, form),
  )
}

export function list<T>(field: Field<T>, max: number): Field<readonly T[]> {
  return shaped({ kind: 'list', of: field, max }, (value, path, form) => {
    if (!Array.isArray(value) || value.length > max) refuse(path, `a list of at most ${max}`)
    return (value as readonly unknown[]).map((entry, index) => field(entry, `${path}[${index}]`, form))
  })
}

export function optional<T>(field: Field<T>): OptionalField<T> {
  const wrapped: Field<T> = (value, path, form) => field(value, path, form)
  return shaped({ kind: 'optional', of: field }, wrapped) as OptionalField<T>
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
  )
}

/**
 * A map with these fields. A request with a field that is not among them is refused, so that a misspelt option is
 * noticed; in a reply (`open`) an unknown one is dropped, so that an older client reads a newer node.
 */
export function fields<const M extends FieldMap>(
  members: M,
  kind: 'closed' | 'open' = 'open',
): Field<TypedMap<M>> {
  const known = Object.entries(members)
  return shaped({ kind: 'map', members }, (value, path, form) => {
    if (!isMap(value)) refuse(path, 'a map')
    if (kind === 'closed') {
      for (const key of Object.keys(value)) {
        if (!Object.hasOwn(members, key))
          refuse(join(path, key), `no such field; known are ${known.map(([k]) => k).join(', ') || 'none'}`)
      }
    }
    const read: Record<string, unknown> = {}
    for (const [key, field] of known) {
      if (Object.hasOwn(value, key)) read[key] = field(value[key], join(path, key), form)
      else if (shapeOf(field).kind !== 'optional') refuse(join(path, key), 'this field')
    }
    return read as TypedMap<M>
  })
}

/** A map from free names to counts. */
export function tally(max: number): Field<Readonly<Record<string, number>>> {
  const count = uint()
  return shaped({ kind: 'tally', max }, (value, path, form) => {
    if (!isMap(value) || Object.keys(value).length > max) refuse(path, `a map of at most ${max}`)
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [key, count(entry, join(path, key), form)]),
    )
  })
}

function join(path: string, key: string): string {
  const shown = key.length > limits.nameBytesMax ? `${key.slice(0, limits.nameBytesMax)}…` : key
  return path === '' ? shown : `${path}.${shown}`
}

/** The JSON form of a reply or event, ready for JSON.stringify. */
export function toJson(value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value)
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) return value.map(toJson)
  if (isMap(value))
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, toJson(entry)]))
  return value
}
