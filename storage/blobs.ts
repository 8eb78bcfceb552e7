import { hash } from 'node:crypto'
import { chunkLength, encodeManifest, readManifest } from '../protocol/blob-manifest.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { chunksOf } from './blob-chunks.ts'
import type { BlobManifest, BlobStore, StagedBlob } from './types.ts'

/** Where blobs lie; names are hex ids. What is written is on disk (or wherever) when the promise resolves. */
export interface BlobFolder {
  readManifest(name: string): Promise<Uint8Array | undefined>
  writeManifest(name: string, bytes: Uint8Array): Promise<void>
  readChunk(name: string, index: number): Promise<Uint8Array | undefined>
  writeChunk(name: string, index: number, bytes: Uint8Array): Promise<void>
  chunkIndexes(name: string): Promise<Set<number>>
  /** A blob whose name is known only at its end. */
  stage(): Promise<BlobStage>
  remove(name: string): Promise<void>
}

export interface BlobStage {
  writeChunk(index: number, bytes: Uint8Array): Promise<void>
  finish(name: string, manifest: Uint8Array): Promise<void>
  abandon(): Promise<void>
}

export function openBlobs(folder: BlobFolder): BlobStore {
  return new FolderBlobs(folder)
}

function sha256(data: Uint8Array): Uint8Array {
  return new Uint8Array(hash('sha256', data, 'buffer'))
}

function decodeManifest(id: Uint8Array, encoded: Uint8Array): BlobManifest {
  return { id, ...readManifest({ sha256 }, id, encoded) }
}

/** What is asked at every chunk: of a gigabyte the list alone has 130 KB, and the folder 4,096 files. */
interface KnownBlob {
  readonly manifest: BlobManifest
  /** Indexes of the chunks that are here. */
  readonly here: Set<number>
}

/** Blobs under way at once; the largest list takes some 3 MB in memory. */
const knownMax = 8

class FolderBlobs implements BlobStore {
  readonly #folder: BlobFolder
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #known = new Map<string, Promise<KnownBlob | undefined>>()
  #closed = false

  constructor(folder: BlobFolder) {
    this.#folder = folder
  }

  put(parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, bytesMax: number): Promise<BlobManifest> {
    return this.#run(async () => {
      const stage = await this.stage()
      try {
        const chunks: Uint8Array[] = []
        let size = 0
        for await (const chunk of chunksOf(parts, bytesMax)) {
          chunks.push(await stage.putChunk(chunks.length, chunk))
          size += chunk.length
        }
        return await stage.finish(encodeManifest({ size, chunks }))
      } catch (error) {
        await stage.abandon()
        throw error
      }
    })
  }

  stage(): Promise<StagedBlob> {
    return this.#run(async () => {
      const stage = await this.#folder.stage()
      const staged = new Map<number, { readonly hash: Uint8Array; readonly length: number }>()
      return {
        putChunk: (index, bytes) =>
          this.#run(async () => {
            const hash = sha256(bytes)
            await stage.writeChunk(index, bytes)
            staged.set(index, { hash, length: bytes.length })
            return hash
          }),
        finish: (manifestBytes) =>
          this.#run(async () => {
            const id = sha256(manifestBytes)
            const manifest = decodeManifest(id, manifestBytes)
            const isAll = manifest.chunks.every((hash, index) => {
              const chunk = staged.get(index)
              return chunk?.length === chunkLength(manifest, index) && equalBytes(chunk.hash, hash)
            })
            if (!isAll || staged.size !== manifest.chunks.length)
              throw new OnehopError('BAD_MESSAGE', 'what was staged is not what the manifest names')
            await stage.finish(toHex(id), manifestBytes)
            // Whoever looked before saw a part of it.
            this.#known.delete(toHex(id))
            return manifest
          }),
        abandon: () => stage.abandon(),
      }
    })
  }

  putManifest(id: Uint8Array, manifestBytes: Uint8Array): Promise<BlobManifest> {
    return this.#run(async () => {
      const manifest = decodeManifest(id, manifestBytes)
      await this.#folder.writeManifest(toHex(id), manifestBytes)
      // One who is just looking may have found none.
      this.#known.delete(toHex(id))
      return manifest
    })
  }

  putChunk(id: Uint8Array, index: number, bytes: Uint8Array): Promise<void> {
    return this.#run(async () => {
      const manifest = (await this.#blob(id))?.manifest
      const expected = manifest?.chunks[index]
      if (manifest === undefined || expected === undefined) {
        throw new OnehopError('NOT_FOUND', 'no manifest names this chunk')
      }
      if (bytes.length !== chunkLength(manifest, index) || !equalBytes(sha256(bytes), expected)) {
        throw new OnehopError('BAD_MESSAGE', `chunk ${index} is not the one that the manifest names`)
      }
      await this.#folder.writeChunk(toHex(id), index, bytes)
      // Asked again: the first answer may have been forgotten, and one under way may not know of this chunk.
      const known = await this.#blob(id)
      known?.here.add(index)
    })
  }

  has(id: Uint8Array): Promise<boolean> {
    return this.#run(async () => {
      const known = await this.#blob(id)
      return known !== undefined && known.here.size === known.manifest.chunks.length
    })
  }

  manifest(id: Uint8Array): Promise<BlobManifest | undefined> {
    return this.#run(async () => (await this.#blob(id))?.manifest)
  }

  missing(id: Uint8Array): Promise<number[] | undefined> {
    return this.#run(async () => {
      const known = await this.#blob(id)
      return known?.manifest.chunks.map((_, index) => index).filter((index) => !known.here.has(index))
    })
  }

  chunk(id: Uint8Array, index: number): Promise<Uint8Array | undefined> {
    return this.#run(() => this.#folder.readChunk(toHex(id), index))
  }

  read(id: Uint8Array, start: number, end: number): Promise<Uint8Array> {
    return this.#run(async () => {
      const manifest = (await this.#blob(id))?.manifest
      if (manifest === undefined) throw new OnehopError('NOT_FOUND', `blob ${toHex(id)} is not here`)
      if (start < 0 || start > end || end > manifest.size) {
        throw new OnehopError(
          'BAD_REQUEST',
          `range ${start}-${end} is outside a blob of ${manifest.size} bytes`,
        )
      }
      const result = new Uint8Array(end - start)
      for (let at = start; at < end; ) {
        const index = Math.floor(at / limits.blobChunkBytes)
        const chunk = await this.#folder.readChunk(toHex(id), index)
        if (chunk === undefined) throw new OnehopError('NOT_FOUND', `chunk ${index} is not here`)
        const base = index * limits.blobChunkBytes
        const piece = chunk.subarray(at - base, Math.min(chunk.length, end - base))
        if (piece.length === 0) throw new OnehopError('STORE_CORRUPT', `chunk ${index} is cut short`)
        result.set(piece, at - start)
        at += piece.length
      }
      return result
    })
  }

  delete(id: Uint8Array): Promise<void> {
    return this.#run(async () => {
      await this.#folder.remove(toHex(id))
      this.#known.delete(toHex(id))
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#underWay)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #blob(id: Uint8Array): Promise<KnownBlob | undefined> {
    const name = toHex(id)
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const looking = this.#look(id, name)
    this.#known.set(name, looking)
    const forget = (): void => {
      if (this.#known.get(name) === looking) this.#known.delete(name)
    }
    looking.then((found) => found ?? forget(), forget)
    if (this.#known.size > knownMax) {
      const [oldest] = this.#known.keys()
      if (oldest !== undefined) this.#known.delete(oldest)
    }
    return looking
  }

  async #look(id: Uint8Array, name: string): Promise<KnownBlob | undefined> {
    const bytes = await this.#folder.readManifest(name)
    if (bytes === undefined) return undefined
    return { manifest: decodeManifest(id, bytes), here: await this.#folder.chunkIndexes(name) }
  }

  async #run<T>(action: () => Promise<T>): Promise<T> {
    if (this.#closed) throw closedError()
    const running = action()
    this.#underWay.add(running)
    try {
      return await running
    } finally {
      this.#underWay.delete(running)
    }
  }
}

function closedError(): OnehopError {
  return new OnehopError('CLOSED', 'the blob store is closed')
}
