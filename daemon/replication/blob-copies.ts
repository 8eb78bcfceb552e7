import { concatBytes, equalBytes, toHex } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { encode } from '../../protocol/codec.ts'
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
import { decodeAs, uint } from '../../protocol/shape.ts'
import type { BlobStore, ShardInfo, Store, StoreBatch } from '../../storage/types.ts'
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
/** The same pairs, with the cut at which the last record that was known to name the blob was swept. */
const looseTable = 'blob-loose'
/** The same pairs, of what went by that. It is not fetched again from whoever has it still. */
const goneTable = 'blob-gone'

/** Blobs travel to the other holders of a shard as soon as they are whole here: offered, then fetched by chunk. */
export class BlobCopies {
  readonly #parts: BlobCopiesParts
  readonly #tasks = new Set<Promise<unknown>>()
  #signal: AbortSignal | undefined

  constructor(parts: BlobCopiesParts) {
    this.#parts = parts
    parts.hosting.beforeRemoval((owner) => this.#release(owner))
    parts.rpc.handle('shard/blob-offer', async ({ from, body }) => {
      const { owner, blob } = decodeBlobOffer(body)
      if (!parts.hosting.has(owner))
        throw new OnehopError('NOT_HOSTED', `the shard of ${toHex(owner)} is not held here`)
      // A stranger's blobs would eat the owner's quota.
      if (!parts.holders.isHolder(owner, from) && !parts.wasAsked(owner, from))
        throw new OnehopError('FORBIDDEN', `${from} holds no seat of the shard of ${toHex(owner)}`)
      if (this.#isGone(owner, blob) || (await this.#isWhole(owner, blob))) return encodeMaybe(hasIt)
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

  #isGone(owner: IdentityId, blob: Uint8Array): boolean {
    return this.#parts.store.table(goneTable).get(concatBytes(owner, blob)) !== undefined
  }

  /** A record that named it was swept. Stages it with that. */
  noteLooseIn(batch: StoreBatch, owner: IdentityId, blob: Uint8Array, cutMs: number): void {
    this.#parts.store.table(looseTable).putIn(batch, concatBytes(owner, blob), encode(cutMs))
  }

  /** Those that became so at an earlier cut; as many as are looked at together. */
  async loose(owner: IdentityId, beforeMs: number): Promise<readonly Uint8Array[]> {
    const entries = await this.#parts.store.table(looseTable).range({ prefix: owner, limit: keysAtOnce })
    return entries
      .filter(({ value }) => decodeAs(uint(), value, looseTable) < beforeMs)
      .map(({ key }) => key.slice(32))
  }

  /** Something names it after all. */
  async noteTied(owner: IdentityId, blob: Uint8Array): Promise<void> {
    await this.#parts.store.table(looseTable).delete(concatBytes(owner, blob))
  }

  /** A record came that names it: whatever was swept, it is wanted now, and fetched where it had gone. */
  async noteNamed(owner: IdentityId, blob: Uint8Array): Promise<void> {
    const { store } = this.#parts
    const key = concatBytes(owner, blob)
    const tables = [looseTable, goneTable].map((name) => store.table(name))
    if (tables.every((one) => one.get(key) === undefined)) return
    const hadGone = await store.write((batch) => {
      const isGone = store.table(goneTable).getIn(batch, key) !== undefined
      for (const one of tables) if (one.getIn(batch, key) !== undefined) one.deleteIn(batch, key)
      return isGone
    })
    if (hadGone && this.#tasks.size < tasksMax) this.#start(this.#seek(owner, blob))
  }

  /** From whichever holder has it. */
  async #seek(owner: IdentityId, blob: Uint8Array): Promise<void> {
    for (const node of this.#parts.holders.others(owner)) if (await this.bring(node, owner, blob)) return
  }

  /**
   * Counts it no more in the owner's shard, and deletes it where it is in nobody else's. What is loose says so until it is gone, so
   * that a crash in between is gone on with. False when it was sent or named anew meanwhile.
   */
  async letGo(owner: IdentityId, blob: Uint8Array): Promise<boolean> {
    const { store, blobs } = this.#parts
    const key = concatBytes(owner, blob)
    const size = (await blobs.manifest(blob))?.size ?? 0
    const goes = await store.write((batch) => {
      if (store.table(looseTable).getIn(batch, key) === undefined) return false
      store.table(goneTable).putIn(batch, key, new Uint8Array(0))
      if (store.table(table).getIn(batch, key) === undefined) return true
      store.table(table).deleteIn(batch, key)
      store.shards.addBlobBytesIn(batch, owner, -size)
      return true
    })
    if (!goes) return false
    const isAnothers = await this.#isAnothers(owner, blob)
    if (!this.#isGone(owner, blob)) {
      await this.hold(owner, blob)
      return false
    }
    if (!isAnothers) await blobs.delete(blob)
    await this.noteTied(owner, blob)
    return true
  }

  /**
   * The shard goes: with it the files that are in nobody else's, and what was noted of them. Were it taken in again with these notes,
   * its files would count as nothing and be in no list.
   */
  async #release(owner: IdentityId): Promise<void> {
    const { blobs, hosting, store } = this.#parts
    for (const name of [table, looseTable, goneTable])
      for (;;) {
        const keys = await store.table(name).keys({ prefix: owner, limit: keysAtOnce })
        // Taken in again meanwhile, it keeps what it has still.
        if (keys.length === 0 || hosting.has(owner)) break
        let bytes = 0
        for (const blob of name === table ? keys.map((key) => key.slice(32)) : []) {
          bytes += (await blobs.manifest(blob))?.size ?? 0
          if (!(await this.#isAnothers(owner, blob))) await blobs.delete(blob)
        }
        await store.write((batch) => {
          for (const key of keys) store.table(name).deleteIn(batch, key)
          if (bytes > 0) store.shards.addBlobBytesIn(batch, owner, -bytes)
        })
      }
  }

  async #isAnothers(owner: IdentityId, blob: Uint8Array): Promise<boolean> {
    let after: IdentityId | undefined
    const isHeldIn = ({ shard, blobBytes }: ShardInfo): boolean =>
      blobBytes > 0 && !equalBytes(shard, owner) && this.isHeldFor(shard, blob)
    for (;;) {
      const page = await this.#parts.store.shards.list(after && { after })
      if (page.some(isHeldIn)) return true
      after = page.at(-1)?.shard
      if (after === undefined) return false
    }
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
      // It is wanted, whatever was swept before.
      for (const name of [looseTable, goneTable])
        if (store.table(name).getIn(batch, key) !== undefined) store.table(name).deleteIn(batch, key)
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
    // As good as here: nothing is missing of what anybody could ask for.
    if (this.#isGone(owner, blob)) return true
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
