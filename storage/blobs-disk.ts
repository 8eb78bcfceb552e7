import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobFolder, BlobStage } from './blobs.ts'
import { asStoreError } from './kv-level-errors.ts'

/**
 * `<root>/<first two hex digits>/<id>/` holds `manifest` and one file per chunk, named by its index. LevelDB would
 * copy such values at every compaction. A file is written aside, synced and renamed, and its folder synced: it is
 * there whole or not at all.
 */
export async function openBlobFolder(root: string): Promise<BlobFolder> {
  return guard(root, async () => {
    const aside = join(root, 'aside')
    // What a crash left half written.
    await rm(aside, { recursive: true, force: true })
    await mkdir(aside, { recursive: true, mode: 0o700 })
    return new DiskBlobFolder(root, aside)
  })
}

/** Names of 64 letters: a tenth of a megabyte. */
const syncedMax = 1_000

class DiskBlobFolder implements BlobFolder {
  readonly #root: string
  readonly #aside: string
  #asideCount = 0
  /** Folders of blobs whose own entries are on disk: a chunk need not see to them again. */
  readonly #synced = new Set<string>()

  constructor(root: string, aside: string) {
    this.#root = root
    this.#aside = aside
  }

  readManifest(name: string): Promise<Uint8Array | undefined> {
    return this.#read(join(this.#folder(name), 'manifest'))
  }

  writeManifest(name: string, bytes: Uint8Array): Promise<void> {
    return this.#write(name, 'manifest', bytes)
  }

  readChunk(name: string, index: number): Promise<Uint8Array | undefined> {
    return this.#read(join(this.#folder(name), String(index)))
  }

  writeChunk(name: string, index: number, bytes: Uint8Array): Promise<void> {
    return this.#write(name, String(index), bytes)
  }

  async chunkIndexes(name: string): Promise<Set<number>> {
    const files = await unlessMissing(this.#root, readdir(this.#folder(name)))
    return new Set((files ?? []).filter((file) => /^\d+$/.test(file)).map(Number))
  }

  async stage(): Promise<BlobStage> {
    const stageFolder = this.#nextAside()
    await guard(this.#root, () => mkdir(stageFolder))
    return {
      writeChunk: (index, bytes) =>
        guard(this.#root, () => writeSynced(join(stageFolder, String(index)), bytes)),
      finish: (name, manifest) =>
        guard(this.#root, async () => {
          await writeSynced(join(stageFolder, 'manifest'), manifest)
          await this.#adopt(stageFolder, name)
        }),
      abandon: () => guard(this.#root, () => rm(stageFolder, { recursive: true, force: true })),
    }
  }

  remove(name: string): Promise<void> {
    this.#synced.delete(name)
    return guard(this.#root, async () => {
      await rm(this.#folder(name), { recursive: true, force: true })
      // Of a call that made the folder while it went.
      this.#synced.delete(name)
    })
  }

  /** File by file: a part of the blob may be here already, and files of one name are equal. Manifest last. */
  async #adopt(stageFolder: string, name: string): Promise<void> {
    const folder = await this.#makeFolder(name)
    const files = await readdir(stageFolder)
    for (const file of files.filter((each) => each !== 'manifest').concat('manifest')) {
      await rename(join(stageFolder, file), join(folder, file))
    }
    await syncFolder(folder)
    await rm(stageFolder, { recursive: true, force: true })
  }

  #read(path: string): Promise<Uint8Array | undefined> {
    return unlessMissing(
      this.#root,
      readFile(path).then((bytes) => new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)),
    )
  }

  #write(name: string, file: string, bytes: Uint8Array): Promise<void> {
    return guard(this.#root, async () => {
      const aside = this.#nextAside()
      try {
        await writeSynced(aside, bytes)
        const folder = await this.#makeFolder(name)
        await rename(aside, join(folder, file))
        await syncFolder(folder)
      } finally {
        await rm(aside, { force: true })
      }
    })
  }

  async #makeFolder(name: string): Promise<string> {
    const folder = this.#folder(name)
    if (this.#synced.has(name)) return folder
    await mkdir(folder, { recursive: true })
    await syncFolder(dirname(folder))
    await syncFolder(this.#root)
    if (this.#synced.size >= syncedMax) this.#synced.clear()
    this.#synced.add(name)
    return folder
  }

  #folder(name: string): string {
    return join(this.#root, name.slice(0, 2), name)
  }

  #nextAside(): string {
    return join(this.#aside, String(++this.#asideCount))
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  await using file = await open(path, 'w', 0o600)
  await file.writeFile(bytes)
  await file.sync()
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r')
  await folder.sync()
}

async function guard<T>(root: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    throw asStoreError(cause, root)
  }
}

async function unlessMissing<T>(root: string, reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw asStoreError(cause, root)
  }
}
