/**
 * LevelDB's manifest: a log of edits, each a list of numbered fields, that together say which tables there are. A table that it does not name
 * is one that was being written as the process ended: nothing reads it, and the next opening takes it away.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readLog } from './log-file.ts'

const tags = {
  comparator: 1,
  logNumber: 2,
  nextFile: 3,
  lastSequence: 4,
  compactPointer: 5,
  deletedFile: 6,
  newFile: 7,
  previousLog: 9,
} as const

/** By number. Undefined where the manifest cannot be read whole: then every table may be one that counts. */
export async function namedTables(level: string): Promise<ReadonlySet<number> | undefined> {
  try {
    const manifest = (await readFile(join(level, 'CURRENT'), 'utf8')).trim()
    if (!/^MANIFEST-\d+$/.test(manifest)) return undefined
    const { batches, isDamaged } = readLog(await readFile(join(level, manifest)))
    if (isDamaged || batches.length === 0) return undefined
    const named = new Set<number>()
    for (const edit of batches) if (!apply(new Fields(edit), named)) return undefined
    return named
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}

/** False for an edit of another form. */
function apply(fields: Fields, named: Set<number>): boolean {
  while (!fields.isEnd) {
    switch (fields.number()) {
      case tags.logNumber:
      case tags.nextFile:
      case tags.lastSequence:
      case tags.previousLog:
        fields.number()
        break
      case tags.comparator:
        fields.skip()
        break
      case tags.compactPointer:
        fields.number() // level
        fields.skip()
        break
      case tags.deletedFile:
        fields.number() // level
        named.delete(fields.number())
        break
      case tags.newFile:
        fields.number() // level
        named.add(fields.number())
        fields.number() // bytes
        fields.skip()
        fields.skip()
        break
      default:
        return false
    }
    if (fields.isBeyond) return false
  }
  return true
}

class Fields {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get isEnd(): boolean {
    return this.#at >= this.#bytes.length
  }

  get isBeyond(): boolean {
    return this.#at > this.#bytes.length
  }

  /** Seven bits a byte, the lowest first. */
  number(): number {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = this.#bytes[this.#at++] ?? 0
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }

  /** A string behind its length. */
  skip(): void {
    const length = this.number()
    this.#at += length
  }
}
