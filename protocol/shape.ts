/**
 * What a decoded value must look like. A shape takes an unknown value and returns it typed, or refuses it; a
 * refusal gathers its path on the way out, so that what fits costs nothing for being named.
 *
 *   const point = struct({ name: text(64), at: tuple(uint(), uint()) })   // on the wire: [name, [x, y]]
 *   const { name, at } = decodeAs(point, bytes, 'point')                  // or BAD_MESSAGE 'point.at[1]: ...'
 */
import { decode, type CodecLimits } from './codec.ts'
import { OnehopError } from './errors.ts'
import { Mismatch, type Shape, text, within } from './shape-scalars.ts'

export * from './shape-scalars.ts'

export type Typed<S> = S extends Shape<infer T> ? T : never
type Fields = Readonly<Record<string, Shape<unknown>>>
type TypedFields<F extends Fields> = { readonly [K in keyof F]: Typed<F[K]> }
type Optional<F extends Fields> = { readonly [K in keyof F]?: Typed<F[K]> }

/** The value as the shape describes it, or BAD_MESSAGE with the path and what was expected there. */
export function parse<T>(shape: Shape<T>, value: unknown, name: string): T {
  try {
    return shape(value)
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error
    throw new OnehopError('BAD_MESSAGE', `${name}${error.path}: ${error.expected} expected`)
  }
}

export function decodeAs<T>(shape: Shape<T>, bytes: Uint8Array, name: string, bounds?: CodecLimits): T {
  return parse(shape, decode(bytes, bounds), name)
}

/** null on the wire is undefined in code, as everywhere a thing may be missing. */
export function nullable<T>(of: Shape<T>): Shape<T | undefined> {
  return (value) => (value === null ? undefined : of(value))
}

export function array<T>(of: Shape<T>, max: number, min = 0): Shape<T[]> {
  return (value) => {
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw new Mismatch(`array of ${min} to ${max} items`)
    }
    const items: T[] = []
    let i = 0
    try {
      for (; i < value.length; i++) items.push(of(value[i]))
    } catch (error) {
      throw within(error, `[${i}]`)
    }
    return items
  }
}

export function tuple<const S extends readonly Shape<unknown>[]>(
  ...shapes: S
): Shape<{ readonly [K in keyof S]: Typed<S[K]> }> {
  return (value) => {
    if (!Array.isArray(value) || value.length !== shapes.length)
      throw new Mismatch(`array of ${shapes.length} items`)
    const items: unknown[] = []
    let i = 0
    try {
      for (; i < shapes.length; i++) items.push((shapes[i] as Shape<unknown>)(value[i]))
    } catch (error) {
      throw within(error, `[${i}]`)
    }
    return items as { readonly [K in keyof S]: Typed<S[K]> }
  }
}

/** An array on the wire whose places have names in code, in the order written here. */
export function struct<F extends Fields>(fields: F): Shape<TypedFields<F>> {
  const names = Object.keys(fields)
  const shapes = Object.values(fields)
  return (value) => {
    if (!Array.isArray(value) || value.length !== names.length)
      throw new Mismatch(`array of ${names.length} items`)
    const parsed: Record<string, unknown> = {}
    let i = 0
    try {
      for (; i < names.length; i++) parsed[names[i] as string] = (shapes[i] as Shape<unknown>)(value[i])
    } catch (error) {
      throw within(error, `.${names[i]}`)
    }
    return parsed as TypedFields<F>
  }
}

/** A map on the wire with exactly these keys; the second set may be missing. */
export function fields<R extends Fields, O extends Fields = Record<never, never>>(
  required: R,
  optional?: O,
): Shape<TypedFields<R> & Optional<O>> {
  const requiredEntries = Object.entries(required)
  const optionalEntries = Object.entries(optional ?? {})
  return (value) => {
    const given = asMap(value)
    const parsed: Record<string, unknown> = {}
    let name = ''
    let shape: Shape<unknown>
    let seen = requiredEntries.length
    try {
      for ([name, shape] of requiredEntries) {
        if (!Object.hasOwn(given, name)) throw new Mismatch('a value')
        parsed[name] = shape(given[name])
      }
      for ([name, shape] of optionalEntries) {
        if (!Object.hasOwn(given, name)) continue
        parsed[name] = shape(given[name])
        seen++
      }
    } catch (error) {
      throw within(error, `.${name}`)
    }
    if (Object.keys(given).length !== seen) {
      throw new Mismatch(
        `no key but ${[...requiredEntries, ...optionalEntries].map(([key]) => key).join(', ')}`,
      )
    }
    return parsed as TypedFields<R> & Optional<O>
  }
}

/** A map on the wire with keys of the sender's choice. The result has no prototype: `map[key]` is safe for any key. */
export function map<T>(
  of: Shape<T>,
  bounds: { readonly max: number; readonly keyBytesMax: number },
): Shape<Record<string, T>> {
  const keyShape = text(bounds.keyBytesMax)
  return (value) => {
    const given = asMap(value)
    const keys = Object.keys(given)
    if (keys.length > bounds.max) throw new Mismatch(`map of at most ${bounds.max} keys`)
    const parsed = Object.create(null) as Record<string, T>
    let key = ''
    try {
      for (key of keys) parsed[keyShape(key)] = of(given[key])
    } catch (error) {
      throw within(error, `[${JSON.stringify(key)}]`)
    }
    return parsed
  }
}

type Cases = Readonly<Record<number, Shape<unknown>>>
type Variant<C extends Cases> = { [K in keyof C]: { readonly tag: K; readonly value: Typed<C[K]> } }[keyof C]

/** `[tag, value]` on the wire, the tag an integer that says which shape the value has. */
export function variant<C extends Cases>(cases: C): Shape<Variant<C>> {
  const shapes = new Map(Object.entries(cases).map(([tag, shape]) => [Number(tag), shape]))
  return (value) => {
    if (!Array.isArray(value) || value.length !== 2) throw new Mismatch('array of 2 items')
    const shape = shapes.get(value[0] as number)
    if (shape === undefined) throw within(new Mismatch(`one of ${[...shapes.keys()].join(', ')}`), '[0]')
    try {
      return { tag: value[0], value: shape(value[1]) } as Variant<C>
    } catch (error) {
      throw within(error, '[1]')
    }
  }
}

/** The first shape that fits; for values that their CBOR type tells apart, such as an integer or an id. */
export function either<const S extends readonly Shape<unknown>[]>(...shapes: S): Shape<Typed<S[number]>> {
  return (value) => {
    const expected: string[] = []
    for (const shape of shapes) {
      try {
        return shape(value) as Typed<S[number]>
      } catch (error) {
        if (!(error instanceof Mismatch)) throw error
        expected.push(error.path === '' ? error.expected : `${error.expected} at ${error.path}`)
      }
    }
    throw new Mismatch(expected.join(' or '))
  }
}

/** A further condition, or a conversion: `convert` may throw `mismatch(...)`. */
export function mapped<T, U>(of: Shape<T>, convert: (value: T) => U): Shape<U> {
  return (value) => convert(of(value))
}

function asMap(value: unknown): Record<string, unknown> {
  if (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Uint8Array)
  ) {
    return value as Record<string, unknown>
  }
  throw new Mismatch('map')
}
