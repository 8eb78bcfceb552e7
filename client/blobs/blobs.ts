import { readManifest, chunkLength } from '../../protocol/blob-manifest.ts'
import type { BlobManifest } from '../../protocol/blob-manifest.ts'
import { equalBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { limits } from '../../protocol/limits.ts'
import type { BlobReference } from '../../protocol/schema/value.ts'
import { sealedLength, withoutPadding } from '../../protocol/sealed-blob.ts'
import type { AppParts } from '../app-parts.ts'
import { plainForm, sealedForm, type BlobForm } from './blob-form.ts'
import { readable, type BlobSource } from './blob-source.ts'
import { uploadFile, uploadStream, type UploadOptions } from './blob-upload.ts'
import type { ReadOptions } from '../collection.ts'
import { clientLimits } from '../limits.ts'
import type { CallOptions } from '../transport.ts'

/** What finds a file: as a record's field holds it. A sealed file needs its key and size, another only its hash. */
export type BlobName = Pick<BlobReference, 'hash'> & Partial<BlobReference>

export interface PutOptions extends UploadOptions {
  /** For a field that is not public: nodes see ciphertext, and who has the reference has the key. */
  readonly sealed?: boolean | undefined
}

export interface RangeOptions extends ReadOptions {
  /** Where to begin, 0 when not given. */
  readonly offset?: number | undefined
  /** Cut to the file's end, which it is when not given. */
  readonly length?: number | undefined
}

/** A file whose manifest was read and found to be its own. */
interface OpenFile {
  readonly hash: Uint8Array
  readonly manifest: BlobManifest
  readonly form: BlobForm
  readonly size: number
}

/** Files beside the records. Every byte that is handed out was checked against the hash that names the file. */
export class Blobs {
  readonly #parts: AppParts
  readonly #manifests = new Map<string, BlobManifest>()
  #chunksKnown = 0

  constructor(parts: AppParts) {
    this.#parts = parts
  }

  /**
   * Uploads a file, holding a few chunks of it. A Blob, File or bytes are read twice, and uploading again sends what
   * the node lacks (sealed: all, under a new key). A stream is read once and sent to one node: when that one goes
   * away in the middle, it has to be sent again.
   */
  async put(source: BlobSource, mime: string, options: PutOptions = {}): Promise<BlobReference> {
    const { crypto } = this.#parts
    const key = options.sealed === true ? crypto.random(32) : undefined
    const form = key === undefined ? plainForm : sealedForm(crypto, key)
    const file = readable(source)
    const { hash, size } =
      file === undefined
        ? await uploadStream(this.#parts, source as Exclude<BlobSource, Blob | Uint8Array>, form, options)
        : await uploadFile(this.#parts, file, form, options)
    return { hash, size, mime, ...(key !== undefined && { key }) }
  }

  /** The file or a range of it, chunk by chunk as it is read: a few chunks ahead of the reader and no more. */
  get(ref: BlobName, options: RangeOptions = {}): ReadableStream<Uint8Array> {
    const stop = new AbortController()
    const pieces = this.#pieces(ref, options, stop)
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const next = await pieces.next()
          if (next.done === true) controller.close()
          else controller.enqueue(next.value)
        },
        async cancel() {
          stop.abort(new OnehopError('ABORTED', 'the reader left'))
          await pieces.return(undefined)
        },
      },
      { highWaterMark: 0 },
    )
  }

  /** The whole file in memory: for pictures. Throws TOO_LARGE for a film. */
  async bytes(ref: BlobName, options: ReadOptions = {}): Promise<Uint8Array> {
    return this.range(ref, 0, Number.MAX_SAFE_INTEGER, options)
  }

  /** A range in memory, cut to the file's end. */
  async range(ref: BlobName, offset: number, length: number, options: ReadOptions = {}): Promise<Uint8Array> {
    const { size } = await this.#open(ref, options)
    const wanted = Math.min(size - Math.min(size, offset), length)
    if (wanted > clientLimits.blobBytesMax) {
      throw new OnehopError('TOO_LARGE', 'this is more than fits in memory', { help: 'Read it with get().' })
    }
    const bytes = new Uint8Array(Math.max(0, wanted))
    let at = 0
    for await (const piece of this.#pieces(ref, { ...options, offset, length }, new AbortController())) {
      bytes.set(piece, at)
      at += piece.length
    }
    return bytes
  }

  /** Chunks are fetched a few at once and handed out in order. `stop` ends those under way. */
  async *#pieces(
    ref: BlobName,
    { offset = 0, length = Number.MAX_SAFE_INTEGER, signal, ...options }: RangeOptions,
    stop: AbortController,
  ): AsyncGenerator<Uint8Array, undefined> {
    if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
      throw new OnehopError('BAD_REQUEST', 'a range is two whole numbers')
    const onAbort = (): void => stop.abort(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) onAbort()
    try {
      const reading = { ...options, signal: stop.signal }
      const file = await this.#open(ref, reading)
      const { chunkBytes } = file.form
      const end = Math.min(file.size, offset + length)
      if (offset >= end) return
      const waiting: Promise<Uint8Array>[] = []
      for (let index = Math.floor(offset / chunkBytes), next = index; ; index++) {
        for (; waiting.length < clientLimits.blobParallel && next * chunkBytes < end; next++) {
          const fetched = this.#chunk(file, next, reading)
          // Whoever awaits it hears of it; nobody does when the reader has left.
          fetched.catch(() => undefined)
          waiting.push(fetched)
        }
        const chunk = await waiting.shift()
        if (chunk === undefined) return
        const base = index * chunkBytes
        yield chunk.subarray(Math.max(0, offset - base), Math.min(chunk.length, end - base))
      }
    } finally {
      signal?.removeEventListener('abort', onAbort)
      stop.abort(new OnehopError('ABORTED', 'the reader left'))
    }
  }

  async #open({ hash, key, size }: BlobName, options: ReadOptions): Promise<OpenFile> {
    const manifest = await this.#manifest(hash, options)
    if (key === undefined) return { hash, manifest, form: plainForm, size: manifest.size }
    if (size === undefined || !Number.isSafeInteger(size) || size < 0)
      throw new OnehopError('BAD_REQUEST', 'a sealed file needs its size too: give the whole reference')
    if (sealedLength(size).sealedBytes !== manifest.size)
      throw new OnehopError('BAD_MESSAGE', `the file is not one of ${size} bytes`)
    return { hash, manifest, form: sealedForm(this.#parts.crypto, key), size }
  }

  async #manifest(hash: Uint8Array, options: ReadOptions): Promise<BlobManifest> {
    const name = toHex(hash)
    const known = this.#manifests.get(name)
    if (known !== undefined) return known
    const owner = this.#parts.owner(options.owner)
    const reply = await this.#parts.callAbout(owner, 'blob.manifest', { owner, blob: hash }, bare(options))
    const manifest = readManifest(this.#parts.crypto, hash, reply.manifest)
    if (!this.#manifests.has(name)) this.#chunksKnown += manifest.chunks.length
    this.#manifests.set(name, manifest)
    for (const [oldest, { chunks }] of this.#manifests) {
      const isFew = this.#manifests.size <= clientLimits.manifestsMax
      if ((isFew && this.#chunksKnown <= clientLimits.manifestChunksMax) || oldest === name) break
      this.#manifests.delete(oldest)
      this.#chunksKnown -= chunks.length
    }
    return manifest
  }

  async #chunk(
    { hash, manifest, form, size }: OpenFile,
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
    const opened = form.fromChunk({ index, last: index === manifest.chunks.length - 1 }, bytes)
    if (opened === undefined)
      throw new OnehopError('BAD_SIGNATURE', `chunk ${index} does not open with the file's key at its place`)
    const plain = form === plainForm ? opened : withoutPadding(opened, index, size)
    if (plain === undefined) throw new OnehopError('BAD_MESSAGE', `the file goes on behind byte ${size}`)
    return plain
  }
}

function bare({ signal, timeoutMs, token }: ReadOptions): CallOptions {
  return { signal, timeoutMs, token }
}
