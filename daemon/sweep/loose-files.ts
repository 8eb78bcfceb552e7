import { toHex } from '../../protocol/bytes.ts'
import { asOnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { readSection } from '../../protocol/record/section.ts'
import type { FieldValue, IdentityId, SignedRecord } from '../../protocol/record/types.ts'
import { decodeStored } from '../../storage/stored-record.ts'
import type { AlsoSwept, Store, StoredRecord } from '../../storage/types.ts'
import type { Ingest } from '../ingest.ts'
import type { BlobCopies } from '../replication/blob-copies.ts'

export interface LooseFilesParts {
  readonly clock: Pick<Clock, 'sleep'>
  readonly log: Log
  readonly store: Store
  readonly ingest: Pick<Ingest, 'onStored'>
  readonly copies: Pick<
    BlobCopies,
    'isHeldFor' | 'noteLooseIn' | 'loose' | 'noteTied' | 'noteNamed' | 'letGo'
  >
}

const readRecords = 128
const pauseMs = 20

/**
 * Files that only swept records named. They wait until the next cut, as an app sends a file before the record that names it; then
 * they go, unless some record of the shard names them.
 */
export class LooseFiles {
  readonly #parts: LooseFilesParts

  constructor(parts: LooseFilesParts) {
    this.#parts = parts
    parts.ingest.onStored((arrivals) => {
      for (const { record, bytes } of arrivals) if (mayName(bytes)) this.#named(record)
    })
  }

  #named(record: SignedRecord): void {
    const { copies, log } = this.#parts
    for (const blob of filesNamed(record))
      copies.noteNamed(record.header.owner, blob).catch((cause: unknown) => {
        log.warn('sweep.file-not-noted', { code: asOnehopError(cause).code })
      })
  }

  /** In the batch that takes the names away, so that a crash forgets no file. */
  noteSwept(owner: IdentityId, cutMs: number): AlsoSwept {
    const { copies } = this.#parts
    return (batch, swept) => {
      for (const stored of swept)
        for (const blob of filesNamed(decodeStored(stored)))
          if (copies.isHeldFor(owner, blob)) copies.noteLooseIn(batch, owner, blob, cutMs)
    }
  }

  /** Lets those go that were loose at an earlier cut and that nothing names; how many. */
  async collect(owner: IdentityId, cutMs: number, signal: AbortSignal): Promise<number> {
    const { copies, log } = this.#parts
    const loose = await copies.loose(owner, cutMs)
    if (loose.length === 0) return 0
    const named = await this.#namedOf(owner, loose, signal)
    let gone = 0
    for (const blob of loose) {
      if (named.has(toHex(blob))) await copies.noteTied(owner, blob)
      else if (await copies.letGo(owner, blob)) gone++
    }
    if (gone > 0) log.info('sweep.files', { owner: toHex(owner), files: gone })
    return gone
  }

  async #namedOf(
    owner: IdentityId,
    blobs: readonly Uint8Array[],
    signal: AbortSignal,
  ): Promise<ReadonlySet<string>> {
    const named = new Set<string>()
    for await (const records of this.#records(owner)) {
      for (const { bytes } of records) {
        const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
        for (const blob of blobs) if (text.includes(Buffer.from(blob))) named.add(toHex(blob))
      }
      await this.#parts.clock.sleep(pauseMs, signal)
    }
    return named
  }

  async *#records(owner: IdentityId): AsyncGenerator<readonly StoredRecord[]> {
    const { records } = this.#parts.store
    for (const place of await records.places(owner)) {
      for (let page = await records.items(owner, place, readRecords); page.length > 0; ) {
        yield page
        page = await records.items(owner, place, readRecords, page.at(-1)?.ref)
      }
    }
    let page = await records.unlisted(owner, readRecords)
    for (;;) {
      yield page.records
      if (page.last === undefined) return
      page = await records.unlisted(owner, readRecords, page.last)
    }
  }
}

/** Every record passes here: nearly none names a file, and reading one costs much more than this. */
function mayName(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('mime')
}

/** By the sections that anybody can read: what is sealed names its files to its readers alone. */
function filesNamed({ header, sections }: SignedRecord): Uint8Array[] {
  return header.sections.flatMap(({ epoch }, i) => {
    const section = sections[i]
    if (epoch !== 0 || section === undefined) return []
    try {
      return filesIn(readSection(section))
    } catch {
      // An author may write what no app can read; it names nothing.
      return []
    }
  })
}

function filesIn(value: FieldValue): Uint8Array[] {
  if (value === null || typeof value !== 'object' || value instanceof Uint8Array) return []
  if (Array.isArray(value)) return value.flatMap(filesIn)
  const { hash, mime } = value as { readonly [name: string]: FieldValue }
  if (hash instanceof Uint8Array && hash.length === 32 && typeof mime === 'string') return [hash]
  return Object.values(value as { readonly [name: string]: FieldValue }).flatMap(filesIn)
}
