import { concatBytes, toHex } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { BlobStore, StagedBlob } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { BlobCopies } from '../replication/blob-copies.ts'

/** A phone and a laptop, each with two. */
const perOwnerMax = 4
/** Their hashes lie in memory: 2 MB for the longest. */
const uploadsMax = 16
/** A phone between two lifts goes on; a source that stalled for longer begins anew. */
const idleMs = 10 * 60_000
const lookEveryMs = 60_000

interface Upload {
  readonly owner: string
  readonly staged: Promise<StagedBlob>
  readonly lengths: Map<number, number>
  bytes: number
  /** Chunks being written. */
  underWay: number
  heardMs: number
}

export interface UploadsParts {
  readonly clock: Clock
  readonly log: Log
  readonly blobs: BlobStore
  readonly hosting: Hosting
  readonly copies: Pick<BlobCopies, 'hold' | 'isHeldFor'>
}

/** Streams on their way in: chunks first, under a name that the caller drew, and the manifest last. */
export class Uploads {
  readonly #parts: UploadsParts
  readonly #uploads = new Map<string, Upload>()

  constructor(parts: UploadsParts) {
    this.#parts = parts
  }

  /** BUSY beyond the uploads of one owner or of the node; NO_QUOTA where all that is staged would not fit. */
  async stage(owner: IdentityId, upload: Uint8Array, index: number, chunk: Uint8Array): Promise<void> {
    const of = this.#find(owner, upload) ?? this.#begin(owner, upload)
    const grows = chunk.length - (of.lengths.get(index) ?? 0)
    const stagedBytes = this.#of(of.owner).reduce((sum, { bytes }) => sum + bytes, 0)
    if (!this.#parts.hosting.hasRoom(owner, stagedBytes + grows))
      throw new OnehopError('NO_QUOTA', `${of.bytes + grows} bytes do not fit into the quota`)
    // Counted before it is written: others look while it is.
    of.bytes += grows
    of.lengths.set(index, chunk.length)
    of.heardMs = this.#parts.clock.monotonicMs()
    of.underWay++
    try {
      await (await of.staged).putChunk(index, chunk)
    } finally {
      of.underWay--
    }
  }

  /** Answered again as the first time, for whoever did not hear the answer. */
  async commit(owner: IdentityId, upload: Uint8Array, blob: Uint8Array, manifest: Uint8Array): Promise<void> {
    const { blobs, copies, hosting } = this.#parts
    const of = this.#find(owner, upload)
    if (of === undefined) {
      if (copies.isHeldFor(owner, blob) && (await blobs.has(blob))) return
      throw new OnehopError('NOT_FOUND', 'nothing is staged under this name', {
        help: 'Send the stream again: this node dropped it, or another one has it.',
      })
    }
    this.#uploads.delete(nameOf(owner, upload))
    const staged = await of.staged
    try {
      if (!copies.isHeldFor(owner, blob) && !hosting.hasRoom(owner, of.bytes))
        throw new OnehopError('NO_QUOTA', `${of.bytes} bytes do not fit into the quota`)
      await staged.finish(manifest)
    } catch (error) {
      await staged.abandon()
      throw error
    }
    await copies.hold(owner, blob)
  }

  async drop(owner: IdentityId, upload: Uint8Array): Promise<void> {
    const of = this.#find(owner, upload)
    this.#uploads.delete(nameOf(owner, upload))
    await (await of?.staged)?.abandon()
  }

  /** Drops what nobody goes on with. What a crash left lies apart, and goes when the store opens. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#parts
    while (!signal.aborted) {
      await clock.sleep(lookEveryMs, signal).catch(() => undefined)
      const nowMs = clock.monotonicMs()
      for (const [name, { underWay, heardMs, staged, bytes }] of this.#uploads) {
        if (underWay > 0 || nowMs - heardMs < idleMs) continue
        this.#uploads.delete(name)
        log.info('blob.upload-dropped', { bytes })
        await (await staged).abandon()
      }
    }
    const left = [...this.#uploads.values()]
    this.#uploads.clear()
    for (const { staged } of left) await (await staged).abandon()
  }

  #find(owner: IdentityId, upload: Uint8Array): Upload | undefined {
    return this.#uploads.get(nameOf(owner, upload))
  }

  #of(owner: string): readonly Upload[] {
    return [...this.#uploads.values()].filter((upload) => upload.owner === owner)
  }

  #begin(owner: IdentityId, upload: Uint8Array): Upload {
    const id = toHex(owner)
    if (this.#uploads.size >= uploadsMax || this.#of(id).length >= perOwnerMax)
      throw new OnehopError('BUSY', 'too many uploads are under way')
    const name = nameOf(owner, upload)
    const begun: Upload = {
      owner: id,
      staged: this.#parts.blobs.stage(),
      lengths: new Map(),
      bytes: 0,
      underWay: 0,
      heardMs: this.#parts.clock.monotonicMs(),
    }
    this.#uploads.set(name, begun)
    begun.staged.catch(() => this.#uploads.delete(name))
    return begun
  }
}

function nameOf(owner: IdentityId, upload: Uint8Array): string {
  return toHex(concatBytes(owner, upload))
}
