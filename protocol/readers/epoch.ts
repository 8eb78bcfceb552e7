/**
 * Epochs of what one person seals for those whom they approved. The number says under which box secret of the owner's it
 * stands: epoch = owner's box epoch * 65,536 + how often a new one was begun under it. So two devices that begin one
 * apart begin the same, and whoever could read the owner's private data before a revocation makes none after it.
 */
import { OnehopError } from '../errors.ts'

const perBox = 65_536
const dayMs = 86_400_000

export interface ReadersStand {
  /** The newest epoch that is known, and when it began. */
  readonly newest: { readonly epoch: number; readonly startedMs: number } | undefined
  /** Of the owner's newest box secret. */
  readonly boxEpoch: number
  /** Somebody was put out and could still open the newest epoch. */
  readonly isRemovalWaiting: boolean
  /** Does not wait for the day to end. */
  readonly isUrgent: boolean
  readonly nowMs: number
}

export function boxEpochOf(epoch: number): number {
  return Math.floor(epoch / perBox)
}

export function firstEpochUnder(boxEpoch: number): number {
  return boxEpoch * perBox
}

/**
 * The epoch under which to seal next. Another than the newest when a device of the owner's was revoked, at once; and when
 * somebody was put out, once a day, as each costs every reader's wrap.
 */
export function epochToSeal({ newest, boxEpoch, isRemovalWaiting, isUrgent, nowMs }: ReadersStand): number {
  if (newest === undefined || boxEpochOf(newest.epoch) < boxEpoch) return firstEpochUnder(boxEpoch)
  const { epoch, startedMs } = newest
  if (!isRemovalWaiting || !(isUrgent || nowMs - startedMs >= dayMs)) return epoch
  if (boxEpochOf(epoch + 1) !== boxEpochOf(epoch))
    throw new OnehopError('UNSUPPORTED', 'no more epochs of readers begin under this box secret', {
      help: 'Renew the recovery words, or revoke a device that is no longer used: either begins a new box secret.',
    })
  return epoch + 1
}
