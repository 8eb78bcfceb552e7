import { OnehopError } from '../../protocol/errors.ts'
import type { ChunkPlace } from '../../protocol/sealed-blob.ts'
import type { BlobForm } from './blob-form.ts'

/**
 * A Blob (a File is one) or bytes are read twice, and an upload that broke goes on where it stopped; a stream is read
 * once, as fast as it is sent. Neither is held in memory.
 */
export type BlobSource = Blob | Uint8Array | ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>

/** What can be read again, anywhere. */
export interface Readable {
  readonly size: number
  slice(start: number, end: number): Promise<Uint8Array>
}

/** Undefined for a stream. */
export function readable(source: BlobSource): Readable | undefined {
  if (source instanceof Blob) {
    return {
      size: source.size,
      async slice(start, end) {
        try {
          return new Uint8Array(await source.slice(start, end).arrayBuffer())
        } catch (cause) {
          throw new OnehopError('BAD_REQUEST', 'the file changed while it was read, or is gone', {
            cause,
            help: 'Upload it again when nobody writes it.',
          })
        }
      },
    }
  }
  if (!(source instanceof Uint8Array)) return undefined
  return { size: source.length, slice: async (start, end) => source.subarray(start, end) }
}

export interface FileChunk extends ChunkPlace {
  /** With the zeros behind the file's end. */
  readonly plain: Uint8Array
}

/** One chunk of a file that can be read anywhere. */
export async function chunkAt({ size, slice }: Readable, form: BlobForm, index: number): Promise<FileChunk> {
  const padded = form.paddedBytes(size)
  const start = index * form.chunkBytes
  const end = Math.min(padded, start + form.chunkBytes)
  const read = await slice(Math.min(size, start), Math.min(size, end))
  return { index, last: end === padded, plain: padTo(read, end - start) }
}

/** A stream in chunks, of which only the last knows that it is. Returns the file's length. */
export async function* chunksOf(
  source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
  form: BlobForm,
): AsyncGenerator<FileChunk, number> {
  const { chunkBytes, fileBytesMax } = form
  let plain = new Uint8Array(chunkBytes)
  let used = 0
  let index = 0
  let size = 0
  for await (const part of partsOf(source)) {
    size += part.length
    if (size > fileBytesMax)
      throw new OnehopError('TOO_LARGE', `a file of more than ${fileBytesMax} bytes fits into no blob`)
    for (let offset = 0; offset < part.length; ) {
      // A full chunk waits for the byte behind it: the last one is sealed otherwise.
      if (used === chunkBytes) {
        yield { index: index++, last: false, plain }
        plain = new Uint8Array(chunkBytes)
        used = 0
      }
      const piece = part.subarray(offset, offset + chunkBytes - used)
      plain.set(piece, used)
      used += piece.length
      offset += piece.length
    }
  }
  const padded = form.paddedBytes(size)
  for (let rest = plain.subarray(0, used); index * chunkBytes < padded; rest = new Uint8Array(0)) {
    const end = Math.min(padded, (index + 1) * chunkBytes)
    yield { index, last: end === padded, plain: padTo(rest, end - index * chunkBytes) }
    index++
  }
  return size
}

function padTo(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes
  const padded = new Uint8Array(length)
  padded.set(bytes)
  return padded
}

/** Not every browser can loop over a stream. */
async function* partsOf(
  source: ReadableStream<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  if (!('getReader' in source)) {
    yield* source
    return
  }
  const reader = source.getReader()
  let isDone = false
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
    isDone = true
  } finally {
    // Whoever feeds a stream that is left early is to stop.
    if (!isDone) await reader.cancel().catch(() => undefined)
    reader.releaseLock()
  }
}
