import { concatBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { asOnehopError, OnehopError } from '../../protocol/errors.ts'
import type { Log } from '../../protocol/ports.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import {
  decodeBlobOffer,
  decodeChunkRequest,
  decodeHash,
  decodeMaybe,
  encodeBlobOffer,
  encodeChunkRequest,
  encodeHash,
  encodeMaybe,
} from '../../protocol/replication/messages.ts'
import { encodeManifest } from '../../protocol/blob-manifest.ts'
import type { BlobStore, Store } from '../../storage/types.ts'
import type { Hosting } from '../hosting.ts'
import type { NodeId, Rpc } from '../net/rpc.ts'
import type { Holders } from './holders.ts'

export interface BlobCopiesParts {
  readonly rpc: Rpc
  readonly crypto: CryptoProvider
  readonly log: Log
  readonly store: Store
  readonly blobs: BlobStore
  readonly hosting: Hosting
  readonly holders: Holders
  /** This node took a lease of that one for the shard, whoever has a seat now. */
  readonly wasAsked: (owner: IdentityId, node: NodeId) => boolean
}

/** Offers sent and blobs fetched at once; what is refused beyond is offered again when the holder is next filled. */
const tasksMax = 10_000
const keysAtOnce = 1_000

/** Answers an offer of what is whole here already. */
const hasIt = Uint8Array.of(1)

/** (owner, blob) pairs: whose shard a blob is counted in. A blob that two people posted is kept once. */
const table = 'blob-owner'

/** Blobs travel to the other holders of a shard as soon as they are whole here: offered, then fetched by chunk. */
export class BlobCopies {
  readonly #parts: BlobCopiesParts
  readonly #tasks = new Set<Promise<unknown>>()
  #signal: AbortSignal | undefined

  constructor(parts: BlobCopiesParts) {
    this.#parts = parts
    parts.rpc.handle('shard/blob-offer', async ({ from, body }) => {
      const { owner, blob } = decodeBlobOffer(body)
      if (!parts.hosting.has(owner))
        throw new OnehopError('NOT_HOSTED', `the shard of ${toHex(owner)} is not held here`)
      // A stranger's blobs would eat the owner's quota.
      if (!parts.holders.isHolder(owner, from) && !parts.wasAsked(owner, from))
        throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
      if (await this.#isWhole(owner, blob)) return encodeMaybe(hasIt)
      if (this.#tasks.size >= tasksMax) throw new OnehopError('BUSY', 'too many blobs are on their way')
      this.#start(this.bring(from, owner, blob))
      return encodeMaybe(undefined)
    })
    parts.rpc.handle('shard/blob-manifest', async ({ body }) => {
      const manifest = await parts.blobs.manifest(decodeHash(body))
      return encodeMaybe(manifest && encodeManifest(manifest))
    })
    parts.rpc.handle('shard/blob-chunk', async ({ body }) => {
      const { blob, index } = decodeChunkRequest(body)
      return encodeMaybe(await parts.blobs.chunk(blob, index))
    })
  }

  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    const { promise, resolve } = Promise.withResolvers<void>()
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    await Promise.all(this.#tasks)
  }

  isHeldFor(owner: IdentityId, blob: Uint8Array): boolean {
    return this.#parts.store.table(table).get(concatBytes(owner, blob)) !== undefined
  }

  async #isWhole(owner: IdentityId, blob: Uint8Array): Promise<boolean> {
    return this.isHeldFor(owner, blob) && (await this.#parts.blobs.missing(blob))?.length === 0
  }

  /** Counts the blob in the owner's shard. */
  async hold(owner: IdentityId, blob: Uint8Array): Promise<void> {
    const { store, blobs } = this.#parts
    const size = (await blobs.manifest(blob))?.size ?? 0
    await store.write((batch) => {
      const key = concatBytes(owner, blob)
      if (store.table(table).getIn(batch, key) !== undefined) return
      store.table(table).putIn(batch, key, new Uint8Array(0))
      store.shards.addBlobBytesIn(batch, owner, size)
    })
  }

  /** Offers a whole blob to every other holder of the shard. */
  spread(owner: IdentityId, blob: Uint8Array): void {
    for (const node of this.#parts.holders.others(owner)) this.offer(node, owner, blob)
  }

  offer(node: NodeId, owner: IdentityId, blob: Uint8Array): void {
    this.#start(
      (async () => {
        const { rpc, log } = this.#parts
        const signal = this.#signal
        if (signal === undefined) return
        try {
          await rpc.request(node, 'shard/blob-offer', encodeBlobOffer({ owner, blob }), { signal })
        } catch (error) {
          log.info('blob.offer-failed', { node, code: asOnehopError(error).code })
        }
      })(),
    )
  }

  /** Names of the files of a shard that are whole here, ascending. */
  async wholeOf(owner: IdentityId): Promise<readonly Uint8Array[]> {
    const { blobs, store } = this.#parts
    // Nearly all shards: at no cost.
    if ((store.shards.get(owner)?.blobBytes ?? 0) === 0) return []
    const whole: Uint8Array[] = []
    let after: Uint8Array | undefined
    for (;;) {
      const range = { prefix: owner, ...(after && { gt: after }), limit: keysAtOnce }
      const keys = await store.table(table).keys(range)
      for (const key of keys) {
        const blob = key.slice(32)
        if ((await blobs.missing(blob))?.length === 0) whole.push(blob)
      }
      after = keys.at(-1)
      if (keys.length < keysAtOnce) return whole
    }
  }

  /** Fetches what is missing of a file from a node that has it. True when it is whole here then. */
  async bring(from: NodeId, owner: IdentityId, blob: Uint8Array): Promise<boolean> {
    const { rpc, blobs, hosting, log } = this.#parts
    const signal = this.#signal
    if (signal === undefined) return false
    try {
      if ((await blobs.manifest(blob)) === undefined) {
        const encoded = decodeMaybe(
          await rpc.request(from, 'shard/blob-manifest', encodeHash(blob), { signal }),
        )
        if (encoded === undefined) return false
        await blobs.putManifest(blob, encoded)
      }
      const size = (await blobs.manifest(blob))?.size ?? 0
      if (!this.isHeldFor(owner, blob)) {
        if (!hosting.hasRoom(owner, size))
          throw new OnehopError('NO_QUOTA', `no room for a blob of ${size} bytes`)
        await this.hold(owner, blob)
      }
      for (const index of (await blobs.missing(blob)) ?? []) {
        const body = encodeChunkRequest({ blob, index })
        const chunk = decodeMaybe(
          await rpc.request(from, 'shard/blob-chunk', body, { signal, timeoutMs: 30_000 }),
        )
        if (chunk === undefined) return false
        await blobs.putChunk(blob, index, chunk)
      }
      return true
    } catch (error) {
      if (!signal.aborted) log.warn('blob.fetch-failed', { from, blob: toHex(blob), error: String(error) })
      return false
    }
  }

  #start(task: Promise<unknown>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked))
    this.#tasks.add(tracked)
  }
}
