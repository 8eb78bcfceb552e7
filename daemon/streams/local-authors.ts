import type { Clock, Log } from '../../protocol/ports.ts'
import { utf8 } from '../../protocol/bytes.ts'
import type { CursorName, Store } from '../../storage/types.ts'
import type { FeedWriter, StreamRecord } from './feed-writer.ts'
import { readLog } from './log-reader.ts'
import { streamLimits } from './stream-limits.ts'
import { Wake } from '../wake.ts'
import type { Wanted, WantedAuthors } from './wanted.ts'

export interface LocalAuthorsParts {
  readonly clock: Clock
  readonly log: Log
  readonly store: Store
  readonly wanted: WantedAuthors
  readonly feeds: FeedWriter
}

/**
 * Followed people whose shards this node holds: their arrival logs feed the followers here as another node's would,
 * with a durable cursor each, so that no crash leaves a record out of a feed.
 */
export class LocalAuthors {
  readonly #parts: LocalAuthorsParts
  readonly #dirty = new Set<Wanted>()
  readonly #wake = new Wake()

  constructor(parts: LocalAuthorsParts) {
    this.#parts = parts
  }

  /** From now on this author is read here. */
  begin(wanted: Wanted): void {
    const position = this.#parts.store.cursors.get(cursorName(wanted))?.position
    wanted.place = { state: 'local', position }
    this.mark(wanted)
  }

  mark(wanted: Wanted): void {
    this.#dirty.add(wanted)
    this.#wake.set()
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#wake.wait(this.#parts.clock, signal)
      try {
        while (this.#dirty.size > 0 && !signal.aborted) await this.#flush()
      } catch (error) {
        if (signal.aborted) return
        // The disk is full or busy: the cursors did not move, so nothing is lost.
        this.#parts.log.warn('stream.feeds-failed', { error: String(error) })
        await this.#parts.clock.sleep(streamLimits.retryMs, signal).catch(() => undefined)
        this.#wake.set()
      }
    }
  }

  async #flush(): Promise<void> {
    const { store, feeds, wanted: all } = this.#parts
    const taken = [...this.#dirty].slice(0, streamLimits.feedAuthorsMax)
    for (const wanted of taken) this.#dirty.delete(wanted)
    try {
      const steps = await Promise.all(taken.map((wanted) => this.#step(wanted)))
      const moved = steps.filter((step) => step !== undefined)
      if (moved.length === 0) return
      await store.write((batch) => {
        for (const { wanted, records, through } of moved) {
          feeds.addIn(batch, wanted, records)
          if (all.has(wanted)) store.cursors.setIn(batch, cursorName(wanted), { epoch: 0, position: through })
        }
      })
      for (const { wanted, records, through } of moved) {
        if (wanted.place.state === 'local') wanted.place = { state: 'local', position: through }
        if (through < store.records.logHead(wanted.author)) this.#dirty.add(wanted)
        feeds.tell({ app: wanted.app, author: wanted.author, owners: [...wanted.followers.keys()], records })
      }
    } catch (error) {
      for (const wanted of taken) this.#dirty.add(wanted)
      throw error
    }
  }

  async #step(
    wanted: Wanted,
  ): Promise<{ wanted: Wanted; records: StreamRecord[]; through: number } | undefined> {
    const { store, feeds, wanted: all } = this.#parts
    if (!all.has(wanted) || wanted.place.state !== 'local') return undefined
    const head = store.records.logHead(wanted.author)
    const { position } = wanted.place
    // Further behind than a page reads, or never begun: the newest are enough.
    if (position === undefined || head - position > streamLimits.listDeletesMax) {
      const streams = new Set([...wanted.followers.values()].flatMap((one) => [...one]))
      const records = await feeds.newest(wanted, streams, streamLimits.listLatest)
      return { wanted, records, through: head }
    }
    if (head <= position) return undefined
    const page = await readLog(store, wanted.author, position, streamLimits.logEntriesMax)
    const records = page.records.flatMap(({ record: { header, id } }) =>
      header.app === wanted.app && header.operation === 'put'
        ? [{ collection: header.collection, ref: { clock: header.clock, id } }]
        : [],
    )
    return { wanted, records, through: page.through }
  }
}

function cursorName({ author, app }: Wanted): CursorName {
  return { kind: 'feed', peer: utf8(app), shard: author }
}
