/** Words in the open, on a disk. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kv } from '../../../storage/kv.ts'

/** Looks for texts, and for bytes that have a name, by the first eight bytes, then the whole. */
export class Words {
  readonly found = new Set<string>()
  readonly #sought: readonly (readonly [name: string, bytes: Buffer])[]
  readonly #starts: readonly Buffer[]

  constructor(texts: readonly string[], named: Readonly<Record<string, Uint8Array>> = {}) {
    this.#sought = [
      ...texts.map((text) => [text, Buffer.from(text)] as const),
      ...Object.entries(named).map(([name, bytes]) => [name, Buffer.from(bytes)] as const),
    ]
    const starts = this.#sought.map(([, bytes]) => bytes.toString('hex', 0, 8))
    this.#starts = [...new Set(starts)].map((hex) => Buffer.from(hex, 'hex'))
  }

  look(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const start of this.#starts) {
      if (!buffer.includes(start)) continue
      for (const [name, sought] of this.#sought) if (buffer.includes(sought)) this.found.add(name)
    }
  }
}

export async function searchFiles(folder: string, words: Words): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) words.look(await readFile(join(entry.parentPath, entry.name)))
  }
}

const between = Uint8Array.of(0)

/** Tables are compressed on disk: what the database itself reads is searched as well. */
export async function searchStore(kv: Kv, words: Words): Promise<void> {
  let after: Uint8Array | undefined
  do {
    const page = await kv.range(after === undefined ? {} : { gt: after })
    // In one piece: looking through a million small ones takes a minute. No text holds the byte between.
    words.look(Buffer.concat(page.flatMap(({ key, value }) => [key, between, value, between])))
    after = page.at(-1)?.key
  } while (after !== undefined)
}
