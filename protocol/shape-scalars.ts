/** Shapes of single values, and what a refusal is. Use them through shape.ts. */
import { utf8Length } from './codec-measure.ts'

export type Shape<T> = (value: unknown) => T

/** Not an Error: a stranger's nonsense should not cost a stack trace at every level. */
export class Mismatch {
  path = ''
  readonly expected: string

  constructor(expected: string) {
    this.expected = expected
  }
}

/** For shapes made elsewhere: `throw mismatch('a scope path')`. */
export function mismatch(expected: string): unknown {
  return new Mismatch(expected)
}

export function within(error: unknown, step: string): unknown {
  if (error instanceof Mismatch) error.path = step + error.path
  return error
}

export function anything(value: unknown): unknown {
  return value
}

/** An integer from `min` to `max`, both at most 2^53-1. */
export function uint(max = Number.MAX_SAFE_INTEGER, min = 0): Shape<number> {
  return (value) => {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
      return value as number
    throw new Mismatch(
      max === Number.MAX_SAFE_INTEGER ? `integer from ${min}` : `integer from ${min} to ${max}`,
    )
  }
}

/** Any safe integer, negative ones too. */
export function integer(value: unknown): number {
  if (Number.isSafeInteger(value)) return value as number
  throw new Mismatch('integer')
}

export function number(value: unknown): number {
  if (typeof value === 'number') return value
  throw new Mismatch('number')
}

/** 0 to 2^64-1, always as a bigint; the codec gives small ones as numbers. */
export function u64(value: unknown): bigint {
  if (typeof value === 'bigint' ? value >= 0n : Number.isSafeInteger(value) && (value as number) >= 0) {
    return BigInt(value as number | bigint)
  }
  throw new Mismatch('unsigned 64-bit integer')
}

export function boolean(value: unknown): boolean {
  if (typeof value === 'boolean') return value
  throw new Mismatch('boolean')
}

/** Bounded in UTF-8 bytes. */
export function text(bytesMax: number, bytesMin = 0): Shape<string> {
  return (value) => {
    if (typeof value === 'string' && value.length <= bytesMax) {
      if (bytesMin === 0 && value.length * 3 <= bytesMax) return value
      const length = utf8Length(value)
      if (length >= bytesMin && length <= bytesMax) return value
    }
    throw new Mismatch(`text of ${bytesMin} to ${bytesMax} bytes`)
  }
}

/** Exactly `min` bytes, or from `min` to `max`. */
export function bytes(min: number, max = min): Shape<Uint8Array> {
  return (value) => {
    if (value instanceof Uint8Array && value.length >= min && value.length <= max) return value
    throw new Mismatch(min === max ? `${min} bytes` : `${min} to ${max} bytes`)
  }
}

export function literal<const T extends string | number | boolean | null>(wanted: T): Shape<T> {
  return (value) => {
    if (value === wanted) return wanted
    throw new Mismatch(JSON.stringify(wanted))
  }
}

/** An integer on the wire that names one of these: `choice('register', 'append')` reads 0 and 1. */
export function choice<const T extends readonly string[]>(...names: T): Shape<T[number]> {
  return (value) => {
    const name = typeof value === 'number' ? names[value] : undefined
    if (name !== undefined) return name
    throw new Mismatch(`integer from 0 to ${names.length - 1}`)
  }
}
