/** Words in the open, on a disk. */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Kv } from '../../../storage/kv.ts'

/** Looks for texts in bytes by their first eight letters, then the whole. */
export class Words {
  readonly found = new Set<string>()
  readonly #texts: readonly string[]
  readonly #starts: readonly string[]

  constructor(texts: readonly string[]) {
    this.#texts = texts
    this.#starts = [...new Set(texts.map((text) => text.slice(0, 8)))]
  }

  look(bytes: Uint8Array): void {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const start of this.#starts) {
      if (!buffer.includes(start)) continue
      for (const text of this.#texts) if (buffer.includes(text)) this.found.add(text)
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
