/**
 * Range-based set reconciliation: two sides find what each lacks by comparing fingerprints of ever smaller ranges.
 * Bytes in, bytes out, in Negentropy protocol V1 with 64-bit clocks. The responder keeps no state between messages.
 */
import { equalBytes } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import type { RecordId, RecordRef } from '../record/types.ts'
import { type Bound, boundAt, boundBetween, boundInfinity } from './bound.ts'
import { decodeRanges, idKey, MessageWriter, type Range, reconcileLimits, versionByte } from './message.ts'
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

export interface ReconcileStep {
  /** What to send next; undefined when all is known. */
  readonly reply: Uint8Array | undefined
  /**
   * Ours that the other side lacks. No id comes twice in the steps of an honest exchange, if what was found is moved before the
   * next one: where a message is full, the rest is compared anew with what was found in it and is missing still.
   */
  readonly have: readonly RecordRef[]
  /** Theirs that we lack in the range where they list it. Unproven: fetch and verify. */
  readonly need: readonly RecordId[]
}

/** The set may have grown between two messages: what is new is found, or not yet. */
export interface Initiator {
  initiate(set: ReconcileSet): Uint8Array
  /** Throws BAD_MESSAGE or TOO_LARGE on hostile bytes, UNSUPPORTED when the other side speaks another version. */
  reconcile(set: ReconcileSet, message: Uint8Array): ReconcileStep
}

export function createInitiator(options: ReconcileOptions = {}): Initiator {
  let rounds = 0
  return {
    initiate(set) {
      const writer = createWriter(options)
      writer.tryRanges(split(set, 0, set.size, boundInfinity))
      return writer.finish()
    },
    reconcile(set, message) {
      // A peer that changes its mind with every message must not hold us for ever.
      if (++rounds > reconcileLimits.roundsMax) {
        throw new OnehopError('BAD_MESSAGE', 'reconcile: the other side does not converge')
      }
      const version = readVersion(message, options)
      if (version !== versionByte)
        throw new OnehopError('UNSUPPORTED', 'reconcile: version not spoken by the peer')
      const have: RecordRef[] = []
      const need = new Map<string, RecordId>()
      const reply = answer(set, message, options, (lower, upper, ids) => {
        const theirs = keysOf(ids)
        for (let index = lower; index < upper; index++) {
          const ref = set.at(index)
          if (!theirs.delete(idKey(ref.id))) have.push(ref)
        }
        // Copies: the message's buffer belongs to the caller.
        for (const [key, id] of theirs) need.set(key, id.slice())
        return undefined
      })
      return { reply: reply.length === 1 ? undefined : reply, have, need: [...need.values()] }
    },
  }
}

/** The answer to an initiator's message. A message of another version is answered by ours in one byte. */
export function respond(set: ReconcileSet, message: Uint8Array, options: ReconcileOptions = {}): Uint8Array {
  if (readVersion(message, options) !== versionByte) return Uint8Array.of(versionByte)
  return answer(set, message, options, (lower, upper, ids, idsMax) => {
    keysOf(ids)
    return Math.min(upper, lower + idsMax)
  })
}

/** Takes the ids of a list; tells up to which item ours must be listed in return, or undefined when they need not. */
type OnIds = (lower: number, upper: number, ids: readonly Uint8Array[], idsMax: number) => number | undefined

function answer(set: ReconcileSet, message: Uint8Array, options: ReconcileOptions, onIds: OnIds): Uint8Array {
  // All is decoded before any is acted upon: a message that breaks off half-way changes nothing.
  const ranges = decodeRanges(message)
  const writer = createWriter(options)
  let lower = 0
  for (const range of ranges) {
    const upper = set.lowerBound(range.upper)
    let replies: Range[] = []
    let end = upper
    if (range.mode === 'fingerprint') {
      if (!equalBytes(range.fingerprint, set.fingerprint(lower, upper))) {
        replies = split(set, lower, upper, range.upper, options.onListed)
      }
    } else if (range.mode === 'ids') {
      const listed = onIds(lower, upper, range.ids, writer.idsThatFit())
      if (listed !== undefined) {
        end = listed
        // When nothing of a long list fits, the whole range is left to the fingerprint of the rest.
        if (end > lower || upper === lower)
          replies = [listRange(set, lower, end, upper, range.upper, options.onListed)]
      }
    }
    const fits = writer.tryRanges(replies)
    if (!fits || end < upper) {
      // From the first item that the message leaves out: a later start could hide a difference in between. The
      // ranges of theirs that follow lie within this rest, so going through them would report ids twice.
      writer.rest(set.fingerprint(fits ? end : lower, set.size))
      break
    }
    if (replies.length === 0) writer.skipTo(range.upper)
    lower = upper
  }
  return writer.finish()
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

function split(
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

function keysOf(ids: readonly Uint8Array[]): Map<string, Uint8Array> {
  const keys = new Map(ids.map((id) => [idKey(id), id]))
  if (keys.size !== ids.length) throw new OnehopError('BAD_MESSAGE', 'reconcile: an id is listed twice')
  return keys
}

function readVersion(message: Uint8Array, options: ReconcileOptions): number {
  if (message.length > (options.messageBytesMax ?? reconcileLimits.messageBytes)) {
    throw new OnehopError('TOO_LARGE', 'reconcile: message too large')
  }
  const version = message[0]
  if (version === undefined || version < 0x60 || version > 0x6f) {
    throw new OnehopError('BAD_MESSAGE', 'reconcile: no version byte')
  }
  return version
}

function createWriter(options: ReconcileOptions): MessageWriter {
  const bytesMax = options.messageBytes ?? reconcileLimits.messageBytes
  if (bytesMax < reconcileLimits.messageBytesMin)
    throw new OnehopError('BAD_REQUEST', 'reconcile: limit too small')
  return new MessageWriter(bytesMax)
}
