import { fromHex } from '../../protocol/bytes.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import type { FeedEntry, Store, StoreBatch } from '../../storage/types.ts'
import type { Wanted, WantedAuthors } from './wanted.ts'

/** A record of an author's stream, as far as a feed needs it. */
export interface StreamRecord {
  readonly collection: string
  readonly ref: RecordRef
}

/** What changed on the pages of some people of this house. Told when it is on disk. */
export interface FeedChange {
  readonly app: string
  /** Undefined: the owners' feed was read anew or shortened. */
  readonly author: IdentityId | undefined
  /** Owners in hex. */
  readonly owners: readonly string[]
  readonly records: readonly StreamRecord[]
}

export type FeedListener = (change: FeedChange) => void

/** Puts records of followed streams into the feeds of those here who follow them. */
export class FeedWriter {
  readonly #store: Store
  readonly #wanted: WantedAuthors
  readonly #listeners = new Set<FeedListener>()

  constructor(store: Store, wanted: WantedAuthors) {
    this.#store = store
    this.#wanted = wanted
  }

  onChange(listener: FeedListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  tell(change: FeedChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  /** Into the feeds of all followers, or of one. Who unfollowed since is asked when the batch is made. */
  addIn(batch: StoreBatch, wanted: Wanted, records: readonly StreamRecord[], only?: string): void {
    if (records.length === 0 || !this.#wanted.has(wanted)) return
    const byStreams = new Map<ReadonlySet<string>, readonly FeedEntry[]>()
    for (const [owner, streams] of wanted.followers) {
      if (only !== undefined && only !== owner) continue
      const entries = byStreams.get(streams) ?? entriesOf(wanted.author, streams, records)
      byStreams.set(streams, entries)
      if (entries.length > 0) {
        this.#store.feeds.addIn(batch, fromHex(owner, 32) as Uint8Array, wanted.app, entries)
      }
    }
  }

  /** The stream records of a wanted author that this node has, newest first. */
  async newest(wanted: Wanted, streams: ReadonlySet<string>, limit: number): Promise<StreamRecord[]> {
    const lists = await Promise.all(
      [...streams].map(async (collection) => {
        const stored = await this.#store.records.latest(wanted.author, wanted.app, collection, { limit })
        return stored.map(({ ref }) => ({ collection, ref }))
      }),
    )
    return lists.flat()
  }
}

function entriesOf(
  author: IdentityId,
  streams: ReadonlySet<string>,
  records: readonly StreamRecord[],
): readonly FeedEntry[] {
  return records.flatMap(({ collection, ref }) => (streams.has(collection) ? [{ author, ref }] : []))
}
