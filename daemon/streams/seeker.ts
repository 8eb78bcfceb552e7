import { toHex } from '../../protocol/bytes.ts'
import type { Clock, Log } from '../../protocol/ports.ts'
import type { NodeId } from '../net/rpc.ts'
import type { Finder } from '../placement/find.ts'
import type { ReplicaSets } from '../placement/replica-sets.ts'
import { retryAfterMs, streamLimits } from './stream-limits.ts'
import { Wake } from '../wake.ts'
import type { Wanted, WantedAuthors } from './wanted.ts'

export interface SeekerParts {
  readonly self: NodeId
  readonly clock: Clock
  readonly log: Log
  readonly finder: Pick<Finder, 'findMany'>
  readonly replicaSets: Pick<ReplicaSets, 'members'>
  readonly wanted: WantedAuthors
  readonly isSuspect: (node: NodeId) => boolean
  readonly onFound: (wanted: Wanted, node: NodeId) => void
}

/** Finds for each wanted author a node that holds them: many in one look-up, the unfound again later. */
export class Seeker {
  readonly #parts: SeekerParts
  readonly #due = new Set<Wanted>()
  readonly #later = new Set<Wanted>()
  readonly #wake = new Wake()

  constructor(parts: SeekerParts) {
    this.#parts = parts
  }

  seek(wanted: Wanted): void {
    wanted.place = { state: 'seeking', retryMs: 0 }
    this.#later.delete(wanted)
    this.#due.add(wanted)
    this.#wake.set()
  }

  /** Another holder next time, a little later. */
  seekLater(wanted: Wanted): void {
    wanted.failures++
    const retryMs = this.#parts.clock.monotonicMs() + retryAfterMs(wanted.failures)
    wanted.place = { state: 'seeking', retryMs }
    this.#due.delete(wanted)
    this.#later.add(wanted)
    this.#wake.set()
  }

  leave(wanted: Wanted): void {
    this.#due.delete(wanted)
    this.#later.delete(wanted)
  }

  /** Authors without a source. */
  get size(): number {
    return this.#due.size + this.#later.size
  }

  async run(signal: AbortSignal): Promise<void> {
    const lanes = new Set<Promise<void>>()
    while (!signal.aborted) {
      this.#bringDue()
      while (lanes.size < streamLimits.locateLanes && this.#due.size > 0) {
        const authors = [...this.#due].slice(0, streamLimits.locateAuthorsMax)
        for (const wanted of authors) this.#due.delete(wanted)
        const lane = this.#locate(authors, signal).finally(() => {
          lanes.delete(lane)
          this.#wake.set()
        })
        lanes.add(lane)
      }
      await this.#wake.wait(
        this.#parts.clock,
        signal,
        this.#later.size > 0 ? streamLimits.retryMs : undefined,
      )
    }
    await Promise.all(lanes)
  }

  #bringDue(): void {
    const nowMs = this.#parts.clock.monotonicMs()
    for (const wanted of this.#later) {
      if (wanted.place.state === 'seeking' && wanted.place.retryMs > nowMs) continue
      this.#later.delete(wanted)
      this.#due.add(wanted)
    }
  }

  async #locate(authors: readonly Wanted[], signal: AbortSignal): Promise<void> {
    const { finder, replicaSets, wanted: all, log, onFound } = this.#parts
    const unknown = authors.filter(({ author }) => replicaSets.members(author).length === 0)
    try {
      if (unknown.length > 0)
        await finder.findMany(
          unknown.map(({ author }) => author),
          signal,
        )
    } catch (error) {
      if (signal.aborted) return
      log.debug('stream.find-failed', { error: String(error) })
    }
    for (const wanted of authors) {
      if (!all.has(wanted) || wanted.place.state !== 'seeking') continue
      const node = this.#choose(wanted)
      if (node === undefined) this.seekLater(wanted)
      else onFound(wanted, node)
    }
  }

  /** The first holder that is not away; after a failure the one after it, and so round. */
  #choose({ author, cursor, failures }: Wanted): NodeId | undefined {
    const { self, replicaSets, isSuspect } = this.#parts
    const holders = replicaSets.members(author).filter((node) => node !== self && !isSuspect(node))
    // Where the stream came from before, it goes on without a list.
    const former = cursor && toHex(cursor.source)
    if (failures === 0 && former !== undefined && holders.includes(former)) return former
    return holders[failures % Math.max(1, holders.length)]
  }
}
