import { hash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { chunkLength, readManifest, type BlobManifest } from '../protocol/blob-manifest.ts'
import { equalBytes, fromHex } from '../protocol/bytes.ts'
import { asOnehopError } from '../protocol/errors.ts'

const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(hash('sha256', bytes, 'buffer'))

export interface BlobsReport {
  readonly blobs: number
  readonly chunks: number
  /** Files that are not what they are named after. */
  readonly damaged: number
}

/** Every manifest and chunk against its hash, one file at a time; `onDamaged` takes a file away, and others bring it again. */
export async function verifyBlobs(
  root: string,
  onDamaged: (file: string, name: string) => Promise<void>,
  signal?: AbortSignal,
): Promise<BlobsReport> {
  let [blobs, chunks, damaged] = [0, 0, 0]
  for (const shelf of await foldersIn(root)) {
    if (!/^[0-9a-f]{2}$/.test(shelf)) continue
    for (const name of await foldersIn(join(root, shelf))) {
      const id = fromHex(name, 32)
      if (id === undefined) continue
      signal?.throwIfAborted()
      blobs++
      const folder = join(root, shelf, name)
      const manifest = await manifestOf(id, join(folder, 'manifest'))
      if (manifest === 'damaged') {
        damaged++
        await onDamaged(join(folder, 'manifest'), `${name}-manifest`)
        continue
      }
      // Without a manifest nobody can tell; it comes with the next copy.
      if (manifest === undefined) continue
      for (const file of (await readdir(folder)).filter((each) => /^\d+$/.test(each))) {
        chunks++
        if (await isChunk(manifest, Number(file), join(folder, file))) continue
        damaged++
        await onDamaged(join(folder, file), `${name}-${file}`)
      }
    }
  }
  return { blobs, chunks, damaged }
}

async function manifestOf(id: Uint8Array, path: string): Promise<BlobManifest | 'damaged' | undefined> {
  const bytes = await unlessMissing(path)
  if (bytes === undefined) return undefined
  try {
    return readManifest({ sha256 }, id, bytes)
  } catch (cause) {
    if (asOnehopError(cause).code !== 'BAD_MESSAGE') throw cause
    return 'damaged'
  }
}

async function isChunk(manifest: BlobManifest, index: number, path: string): Promise<boolean> {
  const expected = manifest.chunks[index]
  const bytes = await unlessMissing(path)
  if (bytes === undefined) return true
  return (
    expected !== undefined &&
    bytes.length === chunkLength(manifest, index) &&
    equalBytes(sha256(bytes), expected)
  )
}

async function foldersIn(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw cause
  }
}

async function unlessMissing(path: string): Promise<Uint8Array | undefined> {
  try {
    const bytes = await readFile(path)
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw cause
  }
}
