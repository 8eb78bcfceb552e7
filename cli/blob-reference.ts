/** A file's reference as text: JSON, as it stands in an item; of a plain file its hash alone will do. */
import { text as readAll } from 'node:stream/consumers'
import type { BlobName } from '../client/blobs/blobs.ts'
import { fromHex, toHex } from '../protocol/bytes.ts'
import { checkFieldValue } from '../protocol/schema/check-value.ts'
import type { BlobReference } from '../protocol/schema/value.ts'
import type { Context } from './command.ts'
import { UsageError } from './failure.ts'
import { formatBytes } from './units.ts'

export function referenceJson({ hash, size, mime, key }: BlobReference): object {
  return { hash: toHex(hash), size, mime, ...(key !== undefined && { key: toHex(key) }) }
}

/** `-` reads it from standard input: there the key shows in no list of processes. */
export async function readReference(given: string, stdin: Context['stdin']): Promise<BlobName> {
  const text = (given === '-' ? await readAll(stdin) : given).trim()
  const hash = fromHex(text, 32)
  if (hash !== undefined) return { hash }
  const reference = fromJson(text)
  if (checkFieldValue({ type: 'blob' }, new Map(), reference) === undefined) return reference as BlobReference
  throw new UsageError(
    'REF is what onehop blob put printed, or the 64 hex digits of a plain file',
    `Quote it for the shell: '{"hash": ...}', or give - and write it to standard input.`,
  )
}

function fromJson(text: string): unknown {
  try {
    const value = JSON.parse(text) as Record<string, unknown>
    const { hash, key, ...rest } = value
    return { ...rest, hash: bytesOf(hash), ...(key !== undefined && { key: bytesOf(key) }) }
  } catch {
    // No JSON is no reference, which the caller says.
    return undefined
  }
}

function bytesOf(value: unknown): unknown {
  return typeof value === 'string' ? fromHex(value) : value
}

/** `12 MB in 1.5 s (8.0 MB/s)` */
export function transferred(bytes: number, seconds: number): string {
  return `${formatBytes(bytes)} in ${seconds.toFixed(1)} s (${formatBytes(bytes / Math.max(seconds, 0.001))}/s)`
}
