import { equalBytes } from '../bytes.ts'
import type { Batch, Cursor, StreamEntry } from './messages.ts'

/** What a serving node does with a batch, given how far it had come with that author. */
export type Advance =
  /** Store these and this cursor in one batch, then acknowledge the cursor. */
  | { readonly step: 'take'; readonly entries: readonly StreamEntry[]; readonly cursor: Cursor }
  /** All of it was here before: acknowledge the cursor again. */
  | { readonly step: 'known'; readonly cursor: Cursor }
  /** Something between the cursor and the batch is missing: acknowledge the cursor, the source goes on from there. */
  | { readonly step: 'gap'; readonly cursor: Cursor }
  /** Another source or epoch: positions cannot be compared. Reconcile the stream's set, then go on from the head. */
  | { readonly step: 'reconcile' }

/**
 * Batches come at least once and in any order. Whatever comes, a cursor never passes over an entry that was not
 * taken, and never goes back. Without a cursor the stream begins with this batch: older records are read as a list.
 */
export function advance(cursor: Cursor | undefined, source: Uint8Array, batch: Batch): Advance {
  const { epoch, after, through } = batch
  const reached = { source, epoch, position: through }
  if (cursor === undefined) return { step: 'take', entries: batch.entries, cursor: reached }
  if (cursor.epoch !== epoch || !equalBytes(cursor.source, source)) return { step: 'reconcile' }
  if (through <= cursor.position) return { step: 'known', cursor }
  if (after > cursor.position) return { step: 'gap', cursor }
  return {
    step: 'take',
    entries: batch.entries.filter((entry) => entry.position > cursor.position),
    cursor: reached,
  }
}
