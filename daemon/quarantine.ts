import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../protocol/bytes.ts'
import { makeFolder } from '../storage/folder.ts'

/** A folder beside the store for what is not what it should be: kept for whoever wants to look, and never read again. */
export class Quarantine {
  readonly #path: string
  #kept = 0

  constructor(statePath: string) {
    this.#path = join(statePath, 'quarantine')
  }

  get path(): string {
    return this.#path
  }

  /** How many things were put there by this one. */
  get kept(): number {
    return this.#kept
  }

  async open(): Promise<void> {
    await makeFolder(this.#path)
  }

  /** A record, by its shard and the end of the key that it lay under. */
  async keep(shard: Uint8Array, key: Uint8Array, bytes: Uint8Array): Promise<void> {
    await makeFolder(this.#path)
    const name = `${toHex(shard).slice(0, 16)}-${toHex(key.subarray(-40))}.record`
    await writeFile(join(this.#path, name), bytes, { mode: 0o600 })
    this.#kept++
  }

  /** A file of the store or of a blob. */
  async move(file: string, name: string): Promise<void> {
    await makeFolder(this.#path)
    await rename(file, join(this.#path, name))
    this.#kept++
  }
}
