import type { Clock } from '../../protocol/ports.ts'
import type { Taking } from '../../protocol/reconcile/machine.ts'
import type { IdentityId } from '../../protocol/record/types.ts'
import type { Digests } from './digests.ts'

/** Ranges taken up in a row, in a few milliseconds; a message may have 65,536. */
export const turnRanges = 256

export interface ByTurnsParts {
  readonly clock: Clock
  readonly digests: Digests
}

/**
 * Takes up a message about a shard's records below a bound. After so many ranges all others have their turn, those who write as well:
 * what came meanwhile is found now, or the next time.
 */
export async function byTurns<T>(
  { clock, digests }: ByTurnsParts,
  { owner, until }: { readonly owner: IdentityId; readonly until: bigint },
  taking: Taking<T>,
  signal: AbortSignal,
): Promise<T> {
  for (;;) {
    signal.throwIfAborted()
    const done = await digests.over(owner, until, (set) => taking.step(set, turnRanges))
    if (done !== undefined) return done
    await clock.sleep(0, signal)
  }
}
