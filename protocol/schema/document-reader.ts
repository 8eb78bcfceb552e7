import { limits } from '../limits.ts'
import { type Problems, nearestWord } from './problem.ts'

type Bag = Readonly<Record<string, unknown>>

const namePattern = /^[a-z][A-Za-z0-9]*$/

/**
 * Reads pieces of a document that may be anything at all, and notes what is wrong instead of throwing. A piece
 * that is not what it should be comes back undefined, and its parts are then not looked at.
 */
export class DocumentReader {
  readonly problems: Problems

  constructor(problems: Problems) {
    this.problems = problems
  }

  /** An object with none but the known keys. */
  object(value: unknown, path: string, known: readonly string[]): Bag | undefined {
    const bag = this.bag(value, path)
    if (bag === undefined) return undefined
    for (const key of Object.keys(bag)) {
      if (known.includes(key)) continue
      const near = nearestWord(key, known)
      this.problems.add(
        joinPath(path, key),
        `unknown key${near === undefined ? '' : `, did you mean "${near}"?`}`,
        near === undefined
          ? `Remove it; known here are ${known.join(', ')}`
          : `Write "${near}", or remove it`,
      )
    }
    return bag
  }

  /** An object whose keys are names that the author chose. */
  named(value: unknown, path: string, max: number): [name: string, value: unknown, path: string][] {
    const bag = this.bag(value, path)
    if (bag === undefined) return []
    const entries = Object.entries(bag)
    if (entries.length > max) {
      this.problems.add(path, `has ${entries.length} entries, at most ${max} are allowed`, 'Remove some')
    }
    const read: [string, unknown, string][] = []
    for (const [name, entry] of entries.slice(0, max)) {
      const at = joinPath(path, name)
      if (namePattern.test(name) && name.length <= limits.nameBytesMax) read.push([name, entry, at])
      else
        this.problems.add(
          at,
          'not a name',
          `Use a small letter, then letters and digits, at most ${limits.nameBytesMax}`,
        )
    }
    return read
  }

  private bag(value: unknown, path: string): Bag | undefined {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) {
      const prototype: unknown = Object.getPrototypeOf(value)
      if (prototype === Object.prototype || prototype === null) return value as Bag
    }
    this.problems.add(path, `is ${kindOf(value)}, not an object`, 'Write { ... } here')
    return undefined
  }

  array(value: unknown, path: string, max: number): readonly unknown[] {
    if (!Array.isArray(value)) {
      this.problems.add(path, `is ${kindOf(value)}, not a list`, 'Write [ ... ] here')
      return []
    }
    if (value.length === 0) this.problems.add(path, 'is empty', 'Add an entry, or leave the key out')
    if (value.length > max) {
      this.problems.add(path, `has ${value.length} entries, at most ${max} are allowed`, 'Remove some')
    }
    return value.slice(0, max)
  }

  integer(value: unknown, path: string, min: number, max: number): number | undefined {
    if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max)
      return value as number
    const range = max === Number.MAX_SAFE_INTEGER ? `from ${min}` : `from ${min} to ${max}`
    this.problems.add(path, `is ${show(value)}, not a whole number ${range}`, `Give a whole number ${range}`)
    return undefined
  }

  boolean(value: unknown, path: string): boolean | undefined {
    if (typeof value === 'boolean') return value
    this.problems.add(path, `is ${show(value)}, not true or false`, 'Write true, or leave the key out')
    return undefined
  }

  /** `need` says what a word must stand for, where not every declared one will do. */
  oneOf<const W extends string>(
    value: unknown,
    path: string,
    words: readonly W[],
    need?: string,
  ): W | undefined {
    const word = words.find((known) => known === value)
    if (word !== undefined) return word
    const near = typeof value === 'string' ? nearestWord(value, words) : undefined
    this.problems.add(
      path,
      `is ${show(value)}${near === undefined ? '' : `, did you mean "${near}"?`}`,
      words.length === 0
        ? `Name ${need ?? 'something declared'}; there is none yet`
        : `Use ${need === undefined ? 'one of' : `${need}:`} ${words.join(', ')}`,
    )
    return undefined
  }

  /** `collection.field`, cut in two. */
  fieldPath(value: unknown, path: string): [collection: string, field: string] | undefined {
    const parts = typeof value === 'string' ? value.split('.') : []
    if (parts.length === 2 && parts.every((part) => namePattern.test(part))) return parts as [string, string]
    this.problems.add(path, `is ${show(value)}, not collection.field`, 'Name a field such as "profile.place"')
    return undefined
  }
}

export function joinPath(path: string, key: string): string {
  const shown = namePattern.test(key) || /^[a-z][a-z0-9-]*$/.test(key) ? key : show(key)
  return path === '' ? shown : `${path}.${shown}`
}

/** An own property: names that an author chose may be `constructor`. */
export function own(bag: Bag, key: string): unknown {
  return Object.hasOwn(bag, key) ? bag[key] : undefined
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'missing'
  if (value === null) return 'null'
  return Array.isArray(value) ? 'a list' : `a ${typeof value}`
}

function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : kindOf(value)
}
