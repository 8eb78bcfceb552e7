import { concatBytes, fromUtf8, utf8 } from '../../protocol/bytes.ts'
import { encode } from '../../protocol/codec.ts'
import { compareVersions, itemKey } from '../../protocol/record/merge.ts'
import type { SignedRecord, VerifiedRecord } from '../../protocol/record/types.ts'
import { encodeRecord } from '../../protocol/record/wire.ts'
import { limits } from '../../protocol/limits.ts'
import type { Analyser } from '../../protocol/search/analysis.ts'
import { itemHash } from '../../protocol/search/log.ts'
import { array, bytes, choice, decodeAs, nullable, struct, text, uint } from '../../protocol/shape.ts'
import { decodeBytes } from '../../storage/stored-record.ts'
import type { Store, StoreBatch, Table } from '../../storage/types.ts'

/** One item as an aggregator keeps it. */
export interface KeptDocument {
  /** In the aggregator's own log: where it was last accepted. */
  readonly position: number
  readonly child: string
  readonly app: string
  readonly scope: string
  readonly analyser: Analyser
  /** Undefined: it was taken out, which those above have to learn. A delete is a record. */
  readonly record: Uint8Array | undefined
}

const rowShape = struct({
  position: uint(),
  child: text(512, 1),
  app: text(limits.nameBytesMax, 1),
  scope: text(limits.scopeBytesMax, 1),
  analyser: choice('plain', 'en'),
  record: nullable(bytes(1, limits.recordBytesMax)),
})
const headShape = array(uint(), 2, 2)
const headKey = utf8('head')

export type Offer =
  | {
      readonly operation: 'put'
      readonly record: VerifiedRecord
      readonly hierarchy: string
      readonly scope: string
      readonly analyser: Analyser
    }
  | {
      readonly operation: 'remove'
      readonly item: Uint8Array
      readonly app: string
      readonly hierarchy: string
    }

/** What a batch did to one item: for the index, and for the counts of the sources. */
export interface Change {
  readonly key: Uint8Array
  readonly hierarchy: string
  readonly before: KeptDocument | undefined
  readonly after: KeptDocument
}

/**
 * What was accepted from below, by item, and the order in which it was: this node's own log, which those above it are
 * sent. Every item stands in the order once, at its last change.
 */
export class Documents {
  readonly #documents: Table
  readonly #order: Table
  readonly #head: Table
  readonly #sha256: (bytes: Uint8Array) => Uint8Array

  constructor(store: Store, sha256: (bytes: Uint8Array) => Uint8Array) {
    this.#documents = store.table('search/document')
    this.#order = store.table('search/order')
    this.#head = store.table('search/head')
    this.#sha256 = sha256
  }

  get(hierarchy: string, item: Uint8Array): KeptDocument | undefined {
    return decodeRow(this.#documents.get(concatBytes(item, utf8(hierarchy))))
  }

  /** Epoch and position of the log; undefined before the first entry. */
  head(): { epoch: number; position: number } {
    const row = this.#head.get(headKey)
    const [epoch = 0, position = 0] = row === undefined ? [] : decodeAs(headShape, row, 'head')
    return { epoch, position }
  }

  async begin(epoch: number): Promise<void> {
    if (this.#head.get(headKey) === undefined) await this.#head.put(headKey, encode([epoch, 0]))
  }

  /**
   * Stages what is new. Versions are compared, so that the order in which sources come does not matter; `yields` says
   * whether a source gives an item of the same version up to the one that sends it now.
   */
  acceptIn(
    batch: StoreBatch,
    child: string,
    offers: readonly Offer[],
    yields: (holder: string) => boolean,
  ): Change[] {
    const changes: Change[] = []
    const row = this.#head.getIn(batch, headKey)
    const [epoch = 1, start = 0] = row === undefined ? [] : decodeAs(headShape, row, 'head')
    let position = start
    for (const offer of offers) {
      const item =
        offer.operation === 'remove'
          ? offer.item
          : itemHash(this.#sha256, { ...offer.record.header, itemKey: itemKey(offer.record) })
      const { hierarchy } = offer
      const key = concatBytes(item, utf8(hierarchy))
      const before = decodeRow(this.#documents.getIn(batch, key))
      const after = decide(offer, child, before, yields)
      if (after === undefined) continue
      const kept: KeptDocument = { ...after, position: ++position }
      if (before !== undefined) this.#order.deleteIn(batch, orderKey(before.app, hierarchy, before.position))
      this.#order.putIn(batch, orderKey(kept.app, hierarchy, position), item)
      this.#documents.putIn(batch, key, encodeRow(kept))
      changes.push({ key: item, hierarchy, before, after: kept })
    }
    if (position > start) this.#head.putIn(batch, headKey, encode([epoch, position]))
    return changes
  }

  /** Entries of the log after a position, oldest first. */
  async after(
    app: string,
    hierarchy: string,
    position: number,
    limit: number,
  ): Promise<{ item: Uint8Array; document: KeptDocument }[]> {
    const prefix = orderKey(app, hierarchy, 0).slice(0, -8)
    const rows = await this.#order.range({
      gt: orderKey(app, hierarchy, position),
      lte: concatBytes(prefix, new Uint8Array(8).fill(255)),
      limit,
    })
    return rows.flatMap(({ value: item }) => {
      const document = this.get(hierarchy, item)
      return document === undefined ? [] : [{ item, document }]
    })
  }

  /** Of one hierarchy, whatever the app, what was accepted after a position: in that order. */
  async *since(
    hierarchy: string,
    position: number,
  ): AsyncIterable<{ readonly item: Uint8Array; readonly document: KeptDocument }> {
    const later: { readonly position: number; readonly item: Uint8Array }[] = []
    for await (const prefix of this.#logs(hierarchy)) {
      for (let gt = concatBytes(prefix, bigEndian(position)); ; ) {
        const rows = await this.#order.range({ gt, lte: concatBytes(prefix, lastPosition), limit: pageSize })
        for (const { key, value } of rows) later.push({ position: positionOf(key), item: value })
        gt = rows.at(-1)?.key ?? gt
        if (rows.length < pageSize) break
      }
    }
    later.sort((a, z) => a.position - z.position)
    for (const { item } of later) {
      const document = this.get(hierarchy, item)
      if (document !== undefined) yield { item, document }
    }
  }

  /** Of which something was ever accepted. */
  async *apps(): AsyncGenerator<string> {
    for await (const prefix of this.#logs()) yield fromUtf8(prefix).split('\0')[0] as string
  }

  /** What the logs of a hierarchy begin with: one for each app. */
  async *#logs(hierarchy?: string): AsyncGenerator<Uint8Array> {
    for (let gte: Uint8Array | undefined; ; ) {
      const [first] = await this.#order.keys({ ...(gte && { gte }), limit: 1 })
      if (first === undefined) return
      const prefix = first.slice(0, -8)
      if (hierarchy === undefined || fromUtf8(prefix).endsWith(`\0${hierarchy}\0`)) yield prefix
      gte = concatBytes(prefix, lastPosition, new Uint8Array(1))
    }
  }
}

const pageSize = 1_000
const lastPosition = new Uint8Array(8).fill(255)

function decide(
  offer: Offer,
  child: string,
  before: KeptDocument | undefined,
  yields: (holder: string) => boolean,
): Omit<KeptDocument, 'position'> | undefined {
  if (offer.operation === 'remove') {
    // Only who brought an item takes it out: another source may have brought it since, from elsewhere.
    if (before?.record === undefined || before.child !== child) return undefined
    return { ...before, record: undefined }
  }
  const { record, scope, analyser } = offer
  const after = { child, app: record.header.app, scope, analyser, record: encodeRecord(record) }
  if (before?.record === undefined) return after
  const order = compareVersions(record, decodeBytes(before.record))
  if (order < 0) return undefined
  // Said to stand elsewhere now: its owner moved out of what the other source covers.
  const hasMoved = before.scope !== scope
  if (order === 0 && !hasMoved && before.child !== child && !yields(before.child)) return undefined
  return after
}

/** Undefined for what is no document: taken out, or deleted. */
export function liveRecord(document: KeptDocument | undefined): SignedRecord | undefined {
  if (document?.record === undefined) return undefined
  const record = decodeBytes(document.record)
  return record.header.operation === 'put' ? record : undefined
}

function orderKey(app: string, hierarchy: string, position: number): Uint8Array {
  return concatBytes(utf8(`${app}\0${hierarchy}\0`), bigEndian(position))
}

function bigEndian(position: number): Uint8Array {
  const number = new Uint8Array(8)
  new DataView(number.buffer).setBigUint64(0, BigInt(position))
  return number
}

function positionOf(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset + key.length - 8, 8).getBigUint64(0))
}

function encodeRow({ position, child, app, scope, analyser, record }: KeptDocument): Uint8Array {
  return encode([position, child, app, scope, analyser === 'plain' ? 0 : 1, record ?? null])
}

function decodeRow(row: Uint8Array | undefined): KeptDocument | undefined {
  return row && decodeAs(rowShape, row, 'document', { bytesMax: limits.recordBytesMax * 2 })
}
