import type { Clock } from '../../protocol/ports.ts'
import type { RecordId } from '../../protocol/record/types.ts'
import type { Operations } from '../api/operations.ts'
import type { Identities } from '../identities.ts'
import type { Ingest, Outcome } from '../ingest.ts'
import type { Replication } from '../replication/replication.ts'
import { speaksFor } from './caller.ts'

export interface RecordOperationsParts {
  readonly clock: Clock
  readonly identities: Identities
  readonly ingest: Ingest
  readonly replication: Replication
}

/** Writing; reading is in views, beside the pages it serves. */
export function recordOperations(
  parts: RecordOperationsParts,
): Pick<Operations, 'record.put' | 'record.status'> {
  const { clock, identities, ingest, replication } = parts
  return {
    async 'record.put'({ records }) {
      const outcomes = await ingest.accept(records, { from: 'client' })
      return { results: outcomes.map(resultOf), clockMs: clock.nowMs() }
    },

    async 'record.status'({ owner, ids, copies = 0, waitMs = 0 }, { caller, signal }) {
      const lately = !speaksFor(identities, caller, owner)
      const deadlineMs = clock.monotonicMs() + waitMs
      for (;;) {
        const counted = await replication.copies.count(owner, ids, { lately })
        const lacking = counted.findIndex((count) => count < copies)
        const leftMs = deadlineMs - clock.monotonicMs()
        if (lacking < 0 || leftMs <= 0 || signal.aborted) return { copies: counted }
        await replication.receipts.change(ids[lacking] as RecordId, leftMs, signal)
      }
    },
  }
}

function resultOf(outcome: Outcome): {
  outcome: Outcome['outcome']
  id: RecordId | null
  code: string | null
  message: string | null
} {
  if (outcome.outcome !== 'refused') return { ...outcome, code: null, message: null }
  return { ...outcome, id: outcome.id ?? null, message: outcome.message.slice(0, 1024) }
}
