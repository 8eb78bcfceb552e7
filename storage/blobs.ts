import { hash } from 'node:crypto'
import { chunkLength, encodeManifest, readManifest } from '../protocol/blob-manifest.ts'
import { equalBytes, toHex } from '../protocol/bytes.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import { chunksOf } from './blob-chunks.ts'
import type { BlobManifest, BlobStore } from './types.ts'

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

class FolderBlobs implements BlobStore {
  readonly #folder: BlobFolder
  readonly #underWay = new Set<Promise<unknown>>()
  #closed = false

  constructor(folder: BlobFolder) {
    this.#folder = folder
  }

  put(parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, bytesMax: number): Promise<BlobManifest> {
    return this.#run(async () => {
      const stage = await this.#folder.stage()
      try {
        const chunks: Uint8Array[] = []
        let size = 0
        for await (const chunk of chunksOf(parts, bytesMax)) {
          if (this.#closed) throw closedError()
          await stage.writeChunk(chunks.length, chunk)
          chunks.push(sha256(chunk))
          size += chunk.length
        }
        const manifest = encodeManifest({ size, chunks })
        const id = sha256(manifest)
        await stage.finish(toHex(id), manifest)
        return { id, size, chunks }
      } catch (error) {
        await stage.abandon()
        throw error
      }
    })
  }

  putManifest(id: Uint8Array, manifestBytes: Uint8Array): Promise<BlobManifest> {
    return this.#run(async () => {
      const manifest = decodeManifest(id, manifestBytes)
      await this.#folder.writeManifest(toHex(id), manifestBytes)
      return manifest
    })
  }

  putChunk(id: Uint8Array, index: number, bytes: Uint8Array): Promise<void> {
    return this.#run(async () => {
      const manifest = await this.#manifest(id)
      const expected = manifest?.chunks[index]
      if (manifest === undefined || expected === undefined) {
        throw new OnehopError('NOT_FOUND', 'no manifest names this chunk')
      }
      if (bytes.length !== chunkLength(manifest, index) || !equalBytes(sha256(bytes), expected)) {
        throw new OnehopError('BAD_MESSAGE', `chunk ${index} is not the one that the manifest names`)
      }
      await this.#folder.writeChunk(toHex(id), index, bytes)
    })
  }

  async has(id: Uint8Array): Promise<boolean> {
    return (await this.missing(id))?.length === 0
  }

  manifest(id: Uint8Array): Promise<BlobManifest | undefined> {
    return this.#run(() => this.#manifest(id))
  }

  missing(id: Uint8Array): Promise<number[] | undefined> {
    return this.#run(async () => {
      const manifest = await this.#manifest(id)
      if (manifest === undefined) return undefined
      const here = await this.#folder.chunkIndexes(toHex(id))
      return manifest.chunks.map((_, index) => index).filter((index) => !here.has(index))
    })
  }

  chunk(id: Uint8Array, index: number): Promise<Uint8Array | undefined> {
    return this.#run(() => this.#folder.readChunk(toHex(id), index))
  }

  read(id: Uint8Array, start: number, end: number): Promise<Uint8Array> {
    return this.#run(async () => {
      const manifest = await this.#manifest(id)
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
    return this.#run(() => this.#folder.remove(toHex(id)))
  }

  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled(this.#underWay)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #manifest(id: Uint8Array): Promise<BlobManifest | undefined> {
    const bytes = await this.#folder.readManifest(toHex(id))
    return bytes && decodeManifest(id, bytes)
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
