import { concatBytes, equalBytes, toHex } from '../protocol/bytes.ts'
import { chunkLength, encodeManifest, readManifest } from '../protocol/blob-manifest.ts'
import type { BlobManifest } from '../protocol/blob-manifest.ts'
import { OnehopError } from '../protocol/errors.ts'
import { limits } from '../protocol/limits.ts'
import type { BlobReference } from '../protocol/schema/value.ts'
import type { AppParts } from './app-parts.ts'
import type { ReadOptions } from './collection.ts'
import { clientLimits } from './limits.ts'
import type { CallOptions } from './transport.ts'

/** What can be read twice: to name a file all of it is hashed before its first byte is sent. */
export type BlobSource = Blob | Uint8Array | AsyncIterable<Uint8Array>

const manifestsMax = 256

/** Files beside the records. Every byte that is handed out was checked against the hash that names the file. */
export class Blobs {
  readonly #parts: AppParts
  readonly #manifests = new Map<string, BlobManifest>()

  constructor(parts: AppParts) {
    this.#parts = parts
  }

  /** Uploads what the node lacks: a broken upload goes on where it stopped. A stream is gathered in memory first. */
  async put(source: BlobSource, mime: string, options: CallOptions = {}): Promise<BlobReference> {
    const { crypto } = this.#parts
    const owner = this.#parts.self()
    const file = await readable(source)
    const count = Math.ceil(file.size / limits.blobChunkBytes)
    const read = (index: number): Promise<Uint8Array> =>
      file.slice(index * limits.blobChunkBytes, Math.min(file.size, (index + 1) * limits.blobChunkBytes))
    const chunks: Uint8Array[] = []
    for (let index = 0; index < count; index++) chunks.push(crypto.sha256(await read(index)))
    const manifest = encodeManifest({ size: file.size, chunks })
    const hash = crypto.sha256(manifest)

    for (let missing = await this.#missing(owner, manifest, hash, options); missing.length > 0; ) {
      await inParallel(missing, async (index) => {
        const chunk = await read(index)
        await this.#parts.callAbout(owner, 'blob.put', { owner, blob: hash, index, chunk }, options)
      })
      const left = await this.#missing(owner, manifest, hash, options)
      if (left.length > 0 && left[0] === missing[0])
        throw new OnehopError('BUSY', 'the node did not keep what was uploaded')
      missing = left
    }
    return { hash, size: file.size, mime }
  }

  /** The whole file, chunk by chunk. */
  async *get(ref: Pick<BlobReference, 'hash'>, options: ReadOptions = {}): AsyncGenerator<Uint8Array> {
    const manifest = await this.#manifest(ref.hash, options)
    for (let index = 0; index < manifest.chunks.length; index++)
      yield await this.#chunk(ref.hash, manifest, index, options)
  }

  /** The whole file in memory: for pictures. Throws TOO_LARGE for a film. */
  async bytes(ref: Pick<BlobReference, 'hash'>, options: ReadOptions = {}): Promise<Uint8Array> {
    const { size } = await this.#manifest(ref.hash, options)
    return this.range(ref, 0, size, options)
  }

  /** Cut to the file's end. */
  async range(
    ref: Pick<BlobReference, 'hash'>,
    offset: number,
    length: number,
    options: ReadOptions = {},
  ): Promise<Uint8Array> {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
      throw new OnehopError('BAD_REQUEST', 'a range is two whole numbers')
    const manifest = await this.#manifest(ref.hash, options)
    const end = Math.min(manifest.size, offset + length)
    if (end - offset > clientLimits.blobBytesMax) {
      throw new OnehopError('TOO_LARGE', 'this is more than fits in memory', { help: 'Read it with get().' })
    }
    if (offset >= end) return new Uint8Array(0)
    const first = Math.floor(offset / limits.blobChunkBytes)
    const last = Math.floor((end - 1) / limits.blobChunkBytes)
    const bytes = new Uint8Array(end - offset)
    const indexes = Array.from({ length: last - first + 1 }, (_, i) => first + i)
    await inParallel(indexes, async (index) => {
      const chunk = await this.#chunk(ref.hash, manifest, index, options)
      const startsAt = index * limits.blobChunkBytes
      const from = Math.max(0, offset - startsAt)
      bytes.set(chunk.subarray(from, Math.min(chunk.length, end - startsAt)), startsAt + from - offset)
    })
    return bytes
  }

  async #missing(
    owner: Uint8Array,
    manifest: Uint8Array,
    hash: Uint8Array,
    options: CallOptions,
  ): Promise<readonly number[]> {
    const begun = await this.#parts.callAbout(owner, 'blob.begin', { owner, manifest }, options)
    if (!equalBytes(begun.blob, hash))
      throw new OnehopError('BAD_MESSAGE', 'the node names the file otherwise')
    return begun.missing
  }

  async #manifest(hash: Uint8Array, options: ReadOptions): Promise<BlobManifest> {
    const name = toHex(hash)
    const known = this.#manifests.get(name)
    if (known !== undefined) return known
    const owner = this.#parts.owner(options.owner)
    const reply = await this.#parts.callAbout(owner, 'blob.manifest', { owner, blob: hash }, bare(options))
    const manifest = readManifest(this.#parts.crypto, hash, reply.manifest)
    this.#manifests.set(name, manifest)
    if (this.#manifests.size > manifestsMax) {
      const [oldest] = this.#manifests.keys()
      if (oldest !== undefined) this.#manifests.delete(oldest)
    }
    return manifest
  }

  async #chunk(
    hash: Uint8Array,
    manifest: BlobManifest,
    index: number,
    options: ReadOptions,
  ): Promise<Uint8Array> {
    const owner = this.#parts.owner(options.owner)
    const offset = index * limits.blobChunkBytes
    const length = chunkLength(manifest, index)
    const request = { owner, blob: hash, offset, length }
    const { bytes } = await this.#parts.callAbout(owner, 'blob.get', request, bare(options))
    if (
      bytes.length !== length ||
      !equalBytes(this.#parts.crypto.sha256(bytes), manifest.chunks[index] as Uint8Array)
    )
      throw new OnehopError('BAD_SIGNATURE', `chunk ${index} is not the one that the file's name stands for`)
    return bytes
  }
}

function bare({ owner: _, ...options }: ReadOptions): CallOptions {
  return options
}

interface Readable {
  readonly size: number
  slice(start: number, end: number): Promise<Uint8Array>
}

async function readable(source: BlobSource): Promise<Readable> {
  if (source instanceof Blob) {
    return {
      size: source.size,
      slice: async (start, end) => new Uint8Array(await source.slice(start, end).arrayBuffer()),
    }
  }
  const bytes = source instanceof Uint8Array ? source : await gather(source)
  return { size: bytes.length, slice: async (start, end) => bytes.subarray(start, end) }
}

async function gather(parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const gathered: Uint8Array[] = []
  let length = 0
  for await (const part of parts) {
    length += part.length
    if (length > clientLimits.blobBytesMax) {
      throw new OnehopError('TOO_LARGE', 'a stream of this length does not fit in memory', {
        help: 'Hand in a Blob or File, which can be read twice.',
      })
    }
    gathered.push(part)
  }
  return concatBytes(...gathered)
}

async function inParallel<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values()
  const worker = async (): Promise<void> => {
    for (const item of queue) await action(item)
  }
  await Promise.all(Array.from({ length: clientLimits.blobParallel }, worker))
}
