import { toHex } from '../../protocol/bytes.ts'
import type { Range } from '../../protocol/query/query.ts'
import type { FeedPlan } from '../../protocol/query/view-plan.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import type { FeedEntry, Store } from '../../storage/types.ts'
import { compareRefs } from '../streams/source.ts'
import type { Streams } from '../streams/streams.ts'
import type { Shown, ShownRecords } from './shown-records.ts'

export interface FeedItemShown extends Shown {
  readonly author: IdentityId
}

export interface FeedPage {
  readonly items: readonly FeedItemShown[]
  readonly more: RecordRef | undefined
}

/** Entries of a feed kept in memory, its newest: what a page looks at. */
const windowEntries = 100
const windowsMax = 4_096

/** Reads a person's feed: what those whom they follow now wrote and still show. */
export class FeedReader {
  readonly #store: Store
  readonly #streams: Pick<Streams, 'followed'>
  readonly #shown: ShownRecords
  readonly #windows = new Map<string, readonly FeedEntry[]>()
  readonly #reading = new Map<string, { isValid: boolean }>()

  constructor(store: Store, streams: Pick<Streams, 'followed'>, shown: ShownRecords) {
    this.#store = store
    this.#streams = streams
    this.#shown = shown
  }

  /** `bytesMax` of records; what does not fit comes on the next page. */
  async page(
    owner: IdentityId,
    app: string,
    plan: Pick<FeedPlan, 'collection' | 'withheld'>,
    range: Range & { readonly limit: number; readonly bytesMax: number },
  ): Promise<FeedPage> {
    const items: FeedItemShown[] = []
    const selection = {
      app,
      collection: plan.collection,
      withheld: plan.withheld,
      audience: 'owner' as const,
    }
    let { before, bytesMax } = { before: range.before, bytesMax: range.bytesMax }
    for (;;) {
      const entries = await this.#entries(owner, app, before)
      for (const { author, ref } of entries) {
        before = ref
        if (range.after !== undefined && compareRefs(ref, range.after) >= 0) return { items, more: undefined }
        if (!this.#streams.followed(owner, app, author).has(plan.collection)) continue
        const shown = this.#shown.current(author, ref, selection)
        if (shown === undefined) continue
        bytesMax -= shown.bytes.length + 48
        const isFull = items.length >= range.limit || (bytesMax < 0 && items.length > 0)
        if (isFull) return { items, more: items.at(-1)?.ref }
        items.push({ ...shown, author })
      }
      if (entries.length < windowEntries) return { items, more: undefined }
    }
  }

  /** The feed on disk is another now. */
  drop(owner: string, app: string): void {
    const name = windowName(owner, app)
    this.#windows.delete(name)
    const reading = this.#reading.get(name)
    if (reading !== undefined) reading.isValid = false
  }

  async #entries(
    owner: IdentityId,
    app: string,
    before: RecordRef | undefined,
  ): Promise<readonly FeedEntry[]> {
    if (before !== undefined) return this.#store.feeds.latest(owner, app, windowEntries, before)
    const name = windowName(toHex(owner), app)
    const known = this.#windows.get(name)
    if (known !== undefined) {
      this.#windows.delete(name)
      this.#windows.set(name, known)
      return known
    }
    const reading = { isValid: true }
    // A later reader takes the place; of two, the one that was begun last may be kept.
    this.#reading.set(name, reading)
    const entries = await this.#store.feeds.latest(owner, app, windowEntries)
    if (this.#reading.get(name) === reading) this.#reading.delete(name)
    else reading.isValid = false
    if (reading.isValid) {
      this.#windows.set(name, entries)
      if (this.#windows.size > windowsMax) this.#windows.delete(this.#windows.keys().next().value as string)
    }
    return entries
  }
}

function windowName(owner: string, app: string): string {
  return `${owner} ${app}`
}
