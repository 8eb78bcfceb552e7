/** One message and what is answered to it: by both sides, in as many steps as whoever drives it likes. */
import { equalBytes } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import type { RecordRef } from '../record/types.ts'
import { type Bound, boundAt, boundBetween } from './bound.ts'
import { MessageWriter, type Range, RangeReader, reconcileLimits } from './message.ts'
import type { ReconcileSet } from './set.ts'

/** Below so many items a range that differs is listed, as the reference implementation does. */
const listBelow = 32
const partsMax = 16

/**
 * In how many parts a range that differs is cut. Large ones in 16, as the reference implementation does. For small
 * ones the next message lists the ids of the parts that differ: with one difference, p parts cost about 22 p bytes
 * now and 32 size / p then, which is least at the root of 1.5 size. The protocol leaves the choice to the sender.
 */
function partsOf(size: number): number {
  return Math.min(partsMax, Math.ceil(Math.sqrt(size * 1.5)))
}

export interface ReconcileOptions {
  /** Largest message to send, at least 4,096. */
  readonly messageBytes?: number
  /** Largest message to accept. */
  readonly messageBytesMax?: number
  /** Told each item of ours that is listed to the other side, which is about to ask for it by its id. */
  readonly onListed?: (ref: RecordRef) => void
}

/** Takes the ids of a list; tells up to which item ours must be listed in return, or undefined when they need not. */
export type OnIds = (
  set: ReconcileSet,
  lower: number,
  upper: number,
  ids: readonly Uint8Array[],
  idsMax: number,
) => number | undefined

/** So many listed ids cost as much as a range. */
const idsPerRange = 32

/**
 * A message may have tens of thousands of ranges, which take a second: whoever has more to do takes up some at a time. The set may
 * have changed in between: what is not answered yet is looked up in it anew, as it would be in the next message.
 */
export class Answer {
  readonly #reader: RangeReader
  readonly #options: ReconcileOptions
  readonly #onIds: OnIds
  readonly #writer: MessageWriter
  readonly #ranges: Range[] = []
  #isRead = false
  /** Ranges answered. */
  #done = 0
  #isFull = false

  constructor(message: Uint8Array, options: ReconcileOptions, onIds: OnIds) {
    this.#reader = new RangeReader(message)
    this.#options = options
    this.#onIds = onIds
    this.#writer = createWriter(options)
  }

  /** Reads or answers about so many ranges more; what is to be sent once all of them are. */
  step(set: ReconcileSet, rangesMost: number): Uint8Array | undefined {
    const left = this.#read(rangesMost)
    // All is decoded before any is acted upon: a message that breaks off half-way changes nothing.
    if (!this.#isRead) return undefined
    this.#answer(set, left)
    return this.#isFull || this.#done === this.#ranges.length ? this.#writer.finish() : undefined
  }

  #read(rangesMost: number): number {
    let left = rangesMost
    while (!this.#isRead && left > 0) {
      const range = this.#reader.next()
      if (range === undefined) this.#isRead = true
      else {
        this.#ranges.push(range)
        left -= costOf(range)
      }
    }
    return left
  }

  #answer(set: ReconcileSet, rangesMost: number): void {
    const writer = this.#writer
    const before = this.#ranges[this.#done - 1]
    let lower = before === undefined ? 0 : set.lowerBound(before.upper)
    for (let left = rangesMost; left > 0 && this.#done < this.#ranges.length; this.#done++) {
      const range = this.#ranges[this.#done] as Range
      left -= costOf(range)
      const upper = set.lowerBound(range.upper)
      let replies: Range[] = []
      let end = upper
      if (range.mode === 'fingerprint') {
        if (!equalBytes(range.fingerprint, set.fingerprint(lower, upper))) {
          replies = split(set, lower, upper, range.upper, this.#options.onListed)
        }
      } else if (range.mode === 'ids') {
        const listed = this.#onIds(set, lower, upper, range.ids, writer.idsThatFit())
        if (listed !== undefined) {
          end = listed
          // When nothing of a long list fits, the whole range is left to the fingerprint of the rest.
          if (end > lower || upper === lower)
            replies = [listRange(set, lower, end, upper, range.upper, this.#options.onListed)]
        }
      }
      const fits = writer.tryRanges(replies)
      if (!fits || end < upper) {
        // From the first item that the message leaves out: a later start could hide a difference in between. The
        // ranges of theirs that follow lie within this rest, so going through them would report ids twice.
        writer.rest(set.fingerprint(fits ? end : lower, set.size))
        this.#isFull = true
        return
      }
      if (replies.length === 0) writer.skipTo(range.upper)
      lower = upper
    }
  }
}

function costOf(range: Range): number {
  return 1 + (range.mode === 'ids' ? range.ids.length / idsPerRange : 0)
}

function listRange(
  set: ReconcileSet,
  lower: number,
  end: number,
  upper: number,
  bound: Bound,
  onListed: ReconcileOptions['onListed'],
): Range {
  const ids = Array.from({ length: end - lower }, (_, offset) => {
    const ref = set.at(lower + offset)
    onListed?.(ref)
    return ref.id
  })
  return { mode: 'ids', upper: end === upper ? bound : boundAt(set.at(end)), ids }
}

export function split(
  set: ReconcileSet,
  lower: number,
  upper: number,
  bound: Bound,
  onListed?: ReconcileOptions['onListed'],
): Range[] {
  const size = upper - lower
  if (size < listBelow) return [listRange(set, lower, upper, upper, bound, onListed)]
  const ranges: Range[] = []
  const parts = partsOf(size)
  let from = lower
  for (let part = 0; part < parts; part++) {
    const to = from + Math.floor(size / parts) + (part < size % parts ? 1 : 0)
    ranges.push({
      mode: 'fingerprint',
      upper: to === upper ? bound : boundBetween(set.at(to - 1), set.at(to)),
      fingerprint: set.fingerprint(from, to),
    })
    from = to
  }
  return ranges
}

export function createWriter(options: ReconcileOptions): MessageWriter {
  const bytesMax = options.messageBytes ?? reconcileLimits.messageBytes
  if (bytesMax < reconcileLimits.messageBytesMin)
    throw new OnehopError('BAD_REQUEST', 'reconcile: limit too small')
  return new MessageWriter(bytesMax)
}
