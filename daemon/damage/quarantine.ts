import { constants } from 'node:fs'
import { copyFile, link, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toHex } from '../../protocol/bytes.ts'
import { makeFolder } from '../../storage/folder.ts'

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

  /** A record, by its shard and the end of the key that it lay under. */
  async keep(shard: Uint8Array, key: Uint8Array, bytes: Uint8Array): Promise<void> {
    const name = `${toHex(shard).slice(0, 16)}-${toHex(key.subarray(-40))}.record`
    await this.#under(name, (path) => writeFile(path, bytes, { mode: 0o600, flag: 'wx' }))
  }

  /** What lies under no shard, as somebody's identity. */
  async keepDocument(kind: string, key: Uint8Array, bytes: Uint8Array): Promise<void> {
    await this.#under(`${kind}-${toHex(key)}`, (path) => writeFile(path, bytes, { mode: 0o600, flag: 'wx' }))
  }

  /** A file of the store or of a blob. */
  async move(file: string, name: string): Promise<void> {
    await this.#under(name, (path) => giveName(file, path))
    await rm(file)
  }

  /** What lies there already under that name stays. */
  async #under(name: string, put: (path: string) => Promise<void>): Promise<void> {
    await makeFolder(this.#path)
    for (let n = 1; ; n++) {
      try {
        await put(join(this.#path, n === 1 ? name : `${name}-${n}`))
        this.#kept++
        return
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
      }
    }
  }
}

/** Not every file system has second names. */
async function giveName(file: string, path: string): Promise<void> {
  try {
    await link(file, path)
  } catch (cause) {
    if (!['EPERM', 'ENOTSUP', 'EXDEV', 'EMLINK'].includes((cause as NodeJS.ErrnoException).code ?? ''))
      throw cause
    await copyFile(file, path, constants.COPYFILE_EXCL)
  }
}
