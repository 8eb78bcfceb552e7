import { encodeManifest } from '../../protocol/blob-manifest.ts'
import { equalBytes } from '../../protocol/bytes.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { AppParts } from '../app-parts.ts'
import type { BlobForm } from './blob-form.ts'
import { chunkAt, chunksOf, type FileChunk, type Readable } from './blob-source.ts'
import { abortReason } from '../deadline.ts'
import { clientLimits } from '../limits.ts'
import type { CallOptions } from '../transport.ts'

export interface UploadOptions extends CallOptions {
  /** Told after each chunk: bytes of the file that the node has. */
  readonly onProgress?: ((sentBytes: number) => void) | undefined
}

interface Uploaded {
  /** The blob's name. */
  readonly hash: Uint8Array
  /** Of the file. */
  readonly size: number
}

const triesMax = 5

/**
 * Reads twice: once for the manifest, which tells the node what is to come, once to send what it lacks. A chunk that
 * is another one the second time is never sent: sealed, it would be a second text under one key.
 */
export async function uploadFile(
  parts: AppParts,
  file: Readable,
  form: BlobForm,
  options: UploadOptions,
): Promise<Uploaded> {
  const { crypto } = parts
  const owner = parts.self()
  if (file.size > form.fileBytesMax)
    throw new OnehopError('TOO_LARGE', `a file of more than ${form.fileBytesMax} bytes fits into no blob`)
  const call = callOptions(options)
  const count = Math.ceil(form.paddedBytes(file.size) / form.chunkBytes)
  const chunkOf = async (index: number): Promise<Uint8Array> => {
    const chunk = await chunkAt(file, form, index)
    return form.toChunk(chunk, chunk.plain)
  }
  const hashes: Uint8Array[] = []
  for (let index = 0; index < count; index++) {
    hashes.push(crypto.sha256(await chunkOf(index)))
    if (options.signal?.aborted === true) throw abortReason(options.signal)
  }
  const manifest = encodeManifest({ size: form.blobBytes(file.size), chunks: hashes })
  const hash = crypto.sha256(manifest)
  let sent = 0
  const send = async (index: number): Promise<void> => {
    const chunk = await chunkOf(index)
    if (!equalBytes(crypto.sha256(chunk), hashes[index] as Uint8Array))
      throw new OnehopError('BAD_REQUEST', 'the file changed while it was read', {
        help: 'Upload it again when nobody writes it.',
      })
    await persist(parts, options, () =>
      parts.callAbout(owner, 'blob.put', { owner, blob: hash, index, chunk }, call),
    )
    options.onProgress?.(Math.min(file.size, ++sent * form.chunkBytes))
  }
  for (let missing = await begin(parts, manifest, hash, call); missing.length > 0; ) {
    await inParallel(missing, send)
    const left = await begin(parts, manifest, hash, call)
    if (left.length > 0 && left[0] === missing[0])
      throw new OnehopError('BUSY', 'the node did not keep what was uploaded')
    missing = left
  }
  return { hash, size: file.size }
}

/** Reads once: chunks go to the node under a name that stands for nothing yet, and the manifest follows them. */
export async function uploadStream(
  parts: AppParts,
  source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
  form: BlobForm,
  options: UploadOptions,
): Promise<Uploaded> {
  const { crypto } = parts
  const owner = parts.self()
  const call = callOptions(options)
  const upload = crypto.random(32)
  const hashes: Uint8Array[] = []
  let size = 0
  let sent = 0
  const send = async ({ plain, ...place }: FileChunk): Promise<void> => {
    const chunk = form.toChunk(place, plain)
    const { index } = place
    hashes[index] = crypto.sha256(chunk)
    await persist(parts, options, () =>
      parts.callAbout(owner, 'blob.stage', { owner, upload, index, chunk }, call),
    )
    options.onProgress?.(++sent * form.chunkBytes)
  }
  async function* chunks(): AsyncGenerator<FileChunk> {
    size = yield* chunksOf(source, form)
  }
  try {
    await inParallel(chunks(), send)
  } catch (error) {
    // The node would drop it by itself, later; the signal may have aborted, and this is to go out nevertheless.
    await parts.callAbout(owner, 'blob.drop', { owner, upload }).catch(() => undefined)
    throw error
  }
  const manifest = encodeManifest({ size: form.blobBytes(size), chunks: hashes })
  const hash = crypto.sha256(manifest)
  // Nothing was staged of an empty file.
  if (hashes.length === 0) await begin(parts, manifest, hash, call)
  else {
    const committed = await persist(parts, options, () =>
      parts.callAbout(owner, 'blob.commit', { owner, upload, manifest }, call),
    )
    checkName(committed.blob, hash)
  }
  return { hash, size }
}

async function begin(
  parts: AppParts,
  manifest: Uint8Array,
  hash: Uint8Array,
  options: CallOptions,
): Promise<readonly number[]> {
  const owner = parts.self()
  const begun = await parts.callAbout(owner, 'blob.begin', { owner, manifest }, options)
  checkName(begun.blob, hash)
  return begun.missing
}

function checkName(told: Uint8Array, hash: Uint8Array): void {
  if (!equalBytes(told, hash)) throw new OnehopError('BAD_MESSAGE', 'the node names the file otherwise')
}

function callOptions({ signal, timeoutMs, token }: CallOptions): CallOptions {
  return { signal, timeoutMs, token }
}

/** A gigabyte takes minutes, in which a phone changes from one access point to the next. */
async function persist<T>(
  { clock }: AppParts,
  { signal }: CallOptions,
  action: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await action()
    } catch (cause) {
      const error = asOnehopError(cause)
      const isOver = error.code === 'ABORTED' || error.code === 'CLOSED' || signal?.aborted === true
      if (!error.retryable || isOver || tries >= triesMax) throw error
      await clock.sleep(clientLimits.retryFirstMs * 2 ** (tries - 1), signal)
    }
  }
}

/** The first failure ends it: nothing more is begun, and what is under way is waited for. */
async function inParallel<T>(
  items: Iterable<T> | AsyncIterable<T>,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const underWay = new Set<Promise<void>>()
  let failure: { readonly error: unknown } | undefined
  const start = (item: T): void => {
    const task = action(item)
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(() => underWay.delete(task))
    underWay.add(task)
  }
  try {
    for await (const item of items) {
      start(item)
      while (underWay.size >= clientLimits.blobParallel) await Promise.race(underWay)
      if (failure !== undefined) break
    }
  } finally {
    await Promise.all(underWay)
  }
  if (failure !== undefined) throw failure.error
}
