/**
 * Range-based set reconciliation: two sides find what each lacks by comparing fingerprints of ever smaller ranges.
 * Bytes in, bytes out, in Negentropy protocol V1 with 64-bit clocks. The responder keeps no state between messages.
 */
import { OnehopError } from '../errors.ts'
import type { RecordId, RecordRef } from '../record/types.ts'
import { Answer, createWriter, type ReconcileOptions, split } from './answer.ts'
import { boundInfinity } from './bound.ts'
import { idKey, reconcileLimits, versionByte } from './message.ts'
import type { ReconcileSet } from './set.ts'

export type { ReconcileOptions } from './answer.ts'

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

/** A message that is taken up by and by. What it throws ends it. */
export interface Taking<T> {
  /** Reads or answers about so many ranges more, with the set as it is now; undefined: there are more. */
  step(set: ReconcileSet, rangesMost: number): T | undefined
}

/** The set may have grown between two messages, or two steps of one: what is new is found, or not yet. */
export interface Initiator {
  initiate(set: ReconcileSet): Uint8Array
  /** Throws BAD_MESSAGE or TOO_LARGE on hostile bytes, UNSUPPORTED when the other side speaks another version. */
  reconcile(set: ReconcileSet, message: Uint8Array): ReconcileStep
  /** The same by and by. */
  take(message: Uint8Array): Taking<ReconcileStep>
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
      return atOnce(this.take(message), set)
    },
    take(message) {
      // A peer that changes its mind with every message must not hold us for ever.
      if (++rounds > reconcileLimits.roundsMax) {
        throw new OnehopError('BAD_MESSAGE', 'reconcile: the other side does not converge')
      }
      const version = readVersion(message, options)
      if (version !== versionByte)
        throw new OnehopError('UNSUPPORTED', 'reconcile: version not spoken by the peer')
      const have: RecordRef[] = []
      const need = new Map<string, RecordId>()
      const answer = new Answer(message, options, (set, lower, upper, ids) => {
        const theirs = keysOf(ids)
        for (let index = lower; index < upper; index++) {
          const ref = set.at(index)
          if (!theirs.delete(idKey(ref.id))) have.push(ref)
        }
        // Copies: the message's buffer belongs to the caller.
        for (const [key, id] of theirs) need.set(key, id.slice())
        return undefined
      })
      return {
        step(set, rangesMost) {
          const reply = answer.step(set, rangesMost)
          if (reply === undefined) return undefined
          return { reply: reply.length === 1 ? undefined : reply, have, need: [...need.values()] }
        },
      }
    },
  }
}

/** The answer to an initiator's message. A message of another version is answered by ours in one byte. */
export function respond(set: ReconcileSet, message: Uint8Array, options: ReconcileOptions = {}): Uint8Array {
  return atOnce(takeUp(message, options), set)
}

/** The same by and by. */
export function takeUp(message: Uint8Array, options: ReconcileOptions = {}): Taking<Uint8Array> {
  if (readVersion(message, options) !== versionByte) return { step: () => Uint8Array.of(versionByte) }
  return new Answer(message, options, (_, lower, upper, ids, idsMax) => {
    keysOf(ids)
    return Math.min(upper, lower + idsMax)
  })
}

function atOnce<T>(taking: Taking<T>, set: ReconcileSet): T {
  return taking.step(set, Infinity) as T
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
