import { concatBytes, equalBytes, fromUtf8, toHex, utf8 } from '../../protocol/bytes.ts'
import type { CryptoProvider } from '../../protocol/crypto/provider.ts'
import { type ErrorCode, OnehopError } from '../../protocol/errors.ts'
import { decodeRecord } from '../../protocol/record/wire.ts'
import type { SignedRecord } from '../../protocol/record/types.ts'
import type { Cursor } from '../../protocol/stream/messages.ts'
import { decodeCursor, encodeCursor } from '../../protocol/stream/wire.ts'
import type { Store, Table } from '../../storage/types.ts'
import type { Ingest, Outcome } from '../ingest.ts'
import type { NodeId } from '../net/rpc.ts'
import type { FeedWriter, StreamRecord } from './feed-writer.ts'
import type { Wanted, WantedAuthors } from './wanted.ts'

export interface IntakeParts {
  readonly crypto: CryptoProvider
  readonly store: Store
  readonly ingest: Ingest
  readonly wanted: WantedAuthors
  readonly feeds: FeedWriter
}

/** Records that a source says are an author's, with the cursor that holds once they are on disk. */
export interface Delivery {
  readonly wanted: Wanted
  readonly records: readonly Uint8Array[]
  /** Given how many of the records were taken before the first that has to wait, and why it has to. */
  readonly cursorAfter: (taken: number, waits: ErrorCode | undefined) => Cursor | undefined
}

export interface Taken {
  readonly wanted: Wanted
  /** The cursor that is on disk now. */
  readonly cursor: Cursor | undefined
  /** The first record that this node cannot judge yet, and why. */
  readonly waits: ErrorCode | undefined
}

/** Refusals that end when a clock or some space catches up, or the identity log is fetched again. */
const waiting: ReadonlySet<ErrorCode> = new Set([
  'CLOCK_AHEAD',
  'UNKNOWN_IDENTITY',
  'FORBIDDEN',
  'STORE_FULL',
  'BUSY',
])

/** Takes what sources bring: asked for, verified, stored; then feeds and cursors in one batch. */
export class Intake {
  readonly #parts: IntakeParts
  readonly #cursors: Table

  constructor(parts: IntakeParts) {
    this.#parts = parts
    this.#cursors = parts.store.table('stream/following')
  }

  /** Every cursor of an earlier run. */
  async *cursors(): AsyncGenerator<{ app: string; author: Uint8Array; cursor: Cursor }> {
    let after: Uint8Array | undefined
    do {
      const page = await this.#cursors.range({ ...(after && { gt: after }), limit: 1_000 })
      for (const { key, value } of page) {
        yield { author: key.slice(0, 32), app: fromUtf8(key.subarray(32)), cursor: decodeCursor(value) }
      }
      after = page.length < 1_000 ? undefined : page.at(-1)?.key
    } while (after !== undefined)
  }

  cursor(app: string, author: Uint8Array): Cursor | undefined {
    const bytes = this.#cursors.get(cursorKey({ app, author }))
    return bytes && decodeCursor(bytes)
  }

  async forget(gone: readonly Pick<Wanted, 'app' | 'author'>[]): Promise<void> {
    await this.#parts.store.write((batch) => {
      for (const one of gone) {
        if (this.#parts.wanted.get(one.app, toHex(one.author)) === undefined) {
          this.#cursors.deleteIn(batch, cursorKey(one))
        }
      }
    })
  }

  /** Throws FORBIDDEN, taking nothing, when a record is not what was asked for. */
  async take(
    from: NodeId,
    deliveries: readonly Delivery[],
    collections: (app: string) => ReadonlySet<string>,
  ): Promise<Taken[]> {
    const { store, ingest, feeds, wanted: all } = this.#parts
    const decoded = deliveries.map((delivery) => this.#decode(delivery, collections(delivery.wanted.app)))
    const encoded = deliveries.flatMap((delivery) => delivery.records)
    const outcomes = encoded.length === 0 ? [] : await ingest.accept(encoded, { from: 'stream', node: from })
    let next = 0
    const steps = deliveries.map((delivery, i) => {
      const mine = outcomes.slice(next, (next += delivery.records.length))
      return stepOf(delivery, decoded[i] as SignedRecord[], mine)
    })
    // After the records and not with them: whoever falls over between the two gets them again, and knows them.
    await store.write((batch) => {
      for (const { wanted, records, cursor } of steps) {
        if (!all.has(wanted)) continue
        feeds.addIn(batch, wanted, records)
        if (cursor !== undefined) this.#cursors.putIn(batch, cursorKey(wanted), encodeCursor(cursor))
      }
    })
    for (const { wanted, records, cursor } of steps) {
      if (!all.has(wanted)) continue
      if (cursor !== undefined) wanted.cursor = cursor
      feeds.tell({ app: wanted.app, author: wanted.author, owners: [...wanted.followers.keys()], records })
    }
    return steps.map(({ wanted, waits }) => ({ wanted, cursor: wanted.cursor, waits }))
  }

  #decode({ wanted, records }: Delivery, collections: ReadonlySet<string>): SignedRecord[] {
    return records.map((bytes) => {
      const record = decodeRecord(this.#parts.crypto, bytes)
      const { owner, app, collection } = record.header
      if (!equalBytes(owner, wanted.author) || app !== wanted.app || !collections.has(collection)) {
        throw new OnehopError('FORBIDDEN', 'a record that nobody here asked for')
      }
      return record
    })
  }
}

function stepOf(
  { wanted, cursorAfter }: Delivery,
  decoded: readonly SignedRecord[],
  outcomes: readonly Outcome[],
): { wanted: Wanted; records: StreamRecord[]; cursor: Cursor | undefined; waits: ErrorCode | undefined } {
  const waitsAt = outcomes.findIndex((one) => one.outcome === 'refused' && waiting.has(one.code))
  const first = outcomes[waitsAt]
  const waits = first?.outcome === 'refused' ? first.code : undefined
  const records = decoded.flatMap(({ header, id }, i) =>
    header.operation === 'put' && outcomes[i]?.outcome !== 'refused'
      ? [{ collection: header.collection, ref: { clock: header.clock, id } }]
      : [],
  )
  return {
    wanted,
    records,
    cursor: cursorAfter(waitsAt < 0 ? decoded.length : waitsAt, waits),
    waits,
  }
}

function cursorKey({ app, author }: Pick<Wanted, 'app' | 'author'>): Uint8Array {
  return concatBytes(author, utf8(app))
}
