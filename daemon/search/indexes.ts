import { concatBytes } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import { limits } from '../../protocol/limits.ts'
import { analysedLayers } from '../../protocol/search/document.ts'
import { searchDocumentOf } from '../../protocol/search/record-document.ts'
import { bytes, decodeAs, struct, text, uint } from '../../protocol/shape.ts'
import { PostingsIndex, type PostingsIndexPorts } from '../../storage/search/postings-index.ts'
import type { Store, StoreBatch, Table } from '../../storage/types.ts'
import type { Config } from '../config.ts'
import { type Change, type Documents, type KeptDocument, liveRecord } from './documents.ts'

/** Unix milliseconds after which a document is hidden, and where it is indexed. */
const expiryShape = struct({ hierarchy: text(limits.scopeBytesMax, 1), item: bytes(32), position: uint() })
/** Taken out of the index at a time. */
const expiredPerStep = 1_000
/** After a full disk. */
const retryMs = 5_000
/** Added before others get a turn. */
const documentsPerTurn = 64

export interface IndexesParts {
  readonly store: Store
  readonly crypto: Pick<CryptoProvider, 'sha256'>
  readonly clock: Clock
  readonly documents: Documents
  readonly log: Log
  readonly config: Pick<Config['search'], 'memoryWords' | 'cacheBytes'>
}

/** What an aggregator's documents are searched by: an index for each hierarchy, kept in step with them. */
export class Indexes {
  readonly #parts: IndexesParts
  readonly #byHierarchy = new Map<string, PostingsIndex>()
  readonly #expiries: Table
  readonly #closing = new AbortController()

  private constructor(parts: IndexesParts) {
    this.#parts = parts
    this.#expiries = parts.store.table('search/expiry')
  }

  /** What is in segments is there at once; what came after the last of them is added anew. */
  static async open(parts: IndexesParts, hierarchies: Iterable<string>): Promise<Indexes> {
    const indexes = new Indexes(parts)
    for (const hierarchy of new Set(hierarchies)) {
      const { store, clock, config } = parts
      const ports = {
        table: store.table(`search/index/${hierarchy}`),
        write: (prepare) => store.write(prepare),
        pause: () => clock.sleep(0),
        failed: (error: unknown) => indexes.#failed(hierarchy, error),
      } satisfies PostingsIndexPorts
      const index = await PostingsIndex.open(ports, config)
      indexes.#byHierarchy.set(hierarchy, index)
      let added = 0
      for await (const { item, document } of parts.documents.since(hierarchy, index.through)) {
        indexes.#add(hierarchy, item, document)
        if (++added % documentsPerTurn === 0) await clock.sleep(0)
      }
    }
    await indexes.dropExpired()
    return indexes
  }

  get(hierarchy: string): PostingsIndex | undefined {
    return this.#byHierarchy.get(hierarchy)
  }

  /** Into the batch that changes the documents: what a crash after it must not forget. */
  stage(batch: StoreBatch, changes: readonly Change[]): void {
    for (const { key: item, hierarchy, before, after } of changes) {
      if (liveRecord(before) !== undefined)
        this.#byHierarchy.get(hierarchy)?.stageRemoval(batch, (before as KeptDocument).position)
      const expiresMs = liveRecord(after)?.header.expiresMs
      if (expiresMs !== undefined) {
        const { position } = after
        this.#expiries.putIn(batch, expiryKey(expiresMs, position), encode([hierarchy, item, position]))
      }
    }
  }

  /** After that batch, and in its order. */
  apply({ key: item, hierarchy, before, after }: Change): void {
    if (before !== undefined) this.#byHierarchy.get(hierarchy)?.remove(before.position)
    this.#add(hierarchy, item, after)
  }

  /** Whose time is over by this node's clock. */
  async dropExpired(): Promise<void> {
    const { store, clock } = this.#parts
    for (;;) {
      const rows = await this.#expiries.range({
        lte: expiryKey(clock.nowMs(), Number.MAX_SAFE_INTEGER),
        limit: expiredPerStep,
      })
      if (rows.length === 0) return
      const over = rows.map(({ key, value }) => ({ key, ...decodeAs(expiryShape, value, 'expiry') }))
      await store.write((batch) => {
        for (const { key, hierarchy, position } of over) {
          this.#byHierarchy.get(hierarchy)?.stageRemoval(batch, position)
          this.#expiries.deleteIn(batch, key)
        }
      })
      for (const { hierarchy, position } of over) this.#byHierarchy.get(hierarchy)?.remove(position)
      if (rows.length < expiredPerStep) return
    }
  }

  /** What is under way ends; what is in no segment yet is added again at the next start. */
  async close(): Promise<void> {
    this.#closing.abort()
    await Promise.all([...this.#byHierarchy.values()].map((index) => index.settled()))
  }

  async #failed(hierarchy: string, error: unknown): Promise<void> {
    const { clock, log } = this.#parts
    if (this.#closing.signal.aborted) return
    log.warn('search.not-written', { hierarchy, error: String(error) })
    await clock.sleep(retryMs, this.#closing.signal).catch(() => undefined)
  }

  #add(hierarchy: string, item: Uint8Array, kept: KeptDocument): void {
    const record = liveRecord(kept)
    if (record === undefined) return
    const { expiresMs, app, collection } = record.header
    if (expiresMs !== undefined && expiresMs <= this.#parts.clock.nowMs()) return
    const { scope, analyser, position } = kept
    const document = searchDocumentOf(this.#parts.crypto.sha256, record, { scope, analyser })
    const layers = analysedLayers(document)
    const { id } = document
    this.#byHierarchy.get(hierarchy)?.add({ position, item, id, app, collection, scope, layers })
  }
}

function expiryKey(expiresMs: number, position: number): Uint8Array {
  return concatBytes(number(expiresMs), number(position))
}

function number(value: number): Uint8Array {
  const wide = new Uint8Array(8)
  new DataView(wide.buffer).setBigUint64(0, BigInt(Math.max(0, Math.floor(value))))
  return wide
}
