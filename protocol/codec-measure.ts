import { OnehopError } from './errors.ts'

const u64Max = 2n ** 64n - 1n
const i64Min = -(2n ** 63n)

/**
 * Refuses every value that a decoder would refuse, and returns how many bytes the rest needs (an upper bound:
 * floats count as nine). The recursion goes no deeper than `depthMax`, which also ends cycles.
 */
export class Measure {
  readonly #depthMax: number
  readonly #itemsMax: number
  #items = 0

  constructor(depthMax: number, itemsMax: number) {
    this.#depthMax = depthMax
    this.#itemsMax = itemsMax
  }

  bytes(value: unknown, depth = 0): number {
    if (++this.#items > this.#itemsMax)
      throw new OnehopError('TOO_LARGE', `more than ${this.#itemsMax} items`)
    switch (typeof value) {
      case 'string':
        return textBytes(value)
      case 'number':
        return numberBytes(value)
      case 'bigint':
        if (value > u64Max || value < i64Min) throw refuse('an integer out of range')
        return 9
      case 'boolean':
        return 1
      case 'object':
        if (value === null) return 1
        if (value instanceof Uint8Array) return headBytes(value.length) + value.length
        if (depth >= this.#depthMax) throw new OnehopError('TOO_LARGE', `more than ${this.#depthMax} levels`)
        return Array.isArray(value) ? this.#array(value, depth + 1) : this.#map(value, depth + 1)
      default:
        throw refuse(typeof value)
    }
  }

  #array(values: readonly unknown[], depth: number): number {
    let total = headBytes(values.length)
    // By index, so that holes are seen as undefined and refused.
    for (let i = 0; i < values.length; i++) total += this.bytes(values[i], depth)
    return total
  }

  #map(value: object, depth: number): number {
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) throw refuse('an instance of a class')
    const keys = Object.keys(value)
    let total = headBytes(keys.length)
    for (const key of keys) {
      if (key === '__proto__') throw refuse('the key __proto__')
      total += this.bytes(key, depth) + this.bytes((value as Record<string, unknown>)[key], depth)
    }
    return total
  }
}

function headBytes(argument: number): number {
  return argument < 24 ? 1 : argument < 0x100 ? 2 : argument < 0x10000 ? 3 : argument < 0x1_0000_0000 ? 5 : 9
}

function numberBytes(value: number): number {
  if (Number.isSafeInteger(value)) {
    if (Object.is(value, -0)) throw refuse('negative zero')
    return headBytes(value < 0 ? -1 - value : value)
  }
  if (!Number.isFinite(value)) throw refuse('a number that is not finite')
  return 9
}

function textBytes(text: string): number {
  if (!text.isWellFormed()) throw refuse('text with half a surrogate pair')
  const length = utf8Length(text)
  return headBytes(length) + length
}

/** Bytes of well-formed text in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length
  // A megabyte of plain text a hundred times faster than unit by unit.
  if (length > longTextUnits && plainText.test(text)) return length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    // Each half of a surrogate pair counts two of its four bytes.
    if (unit > 0x7f) length += unit > 0x7ff && (unit < 0xd800 || unit > 0xdfff) ? 2 : 1
  }
  return length
}

const longTextUnits = 256
// eslint-disable-next-line no-control-regex
const plainText = /^[\0-\x7f]*$/

function refuse(what: string): OnehopError {
  return new OnehopError('BAD_MESSAGE', `cannot encode ${what}`)
}
