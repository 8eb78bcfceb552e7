/** What a recovery waits for: somebody who knows the words, somebody who has the records, and all of them here. */
import type { ReplyOf } from '../protocol/api/operations.ts'
import { equalBytes } from '../protocol/bytes.ts'
import { asOnehopError, type ErrorCode } from '../protocol/errors.ts'
import type { Call } from './command.ts'
import type { Daemon } from './daemon.ts'

const pollMs = 500

/** Again and again as long as it fails with one of these, or till then. What it waits for is said once. */
export async function tryUntil<T>(
  { context: { signal, clock }, output }: Call,
  lastMs: number,
  passing: readonly ErrorCode[],
  action: () => Promise<T>,
): Promise<T> {
  let isSaid = output.json
  for (;;) {
    try {
      return await action()
    } catch (cause) {
      const error = asOnehopError(cause)
      if (!passing.includes(error.code) || clock.monotonicMs() > lastMs) throw error
      if (!isSaid) output.words(`Waiting: ${error.message} ...`)
      isSaid = true
      await clock.sleep(pollMs, signal)
    }
  }
}

export interface Hosted {
  readonly records: number
  readonly isWhole: boolean
}

/** Until the node counts its own copy among the good ones, or till then. `stay` sees to it that it keeps its seat. */
export async function untilWhole(
  { context: { signal, clock } }: Call,
  daemon: Daemon,
  id: Uint8Array,
  lastMs: number,
  stay: () => Promise<void>,
): Promise<Hosted> {
  for (;;) {
    const shown = await hostedShard(daemon, id, signal)
    const current = shown?.replicas.filter(({ state }) => state === 'current').length ?? 0
    const found = { records: shown?.records ?? 0, isWhole: shown !== undefined && shown.copies > current }
    if (found.isWhole || clock.monotonicMs() >= lastMs) return found
    await stay()
    await clock.sleep(pollMs, signal)
  }
}

type Shown = ReplyOf<'admin.status'>['hosted'][number]

async function hostedShard(daemon: Daemon, id: Uint8Array, signal: AbortSignal): Promise<Shown | undefined> {
  let after: Uint8Array | undefined
  for (;;) {
    const page = await daemon.call('admin.status', after === undefined ? {} : { after }, { signal })
    const found = page.hosted.find(({ identity }) => equalBytes(identity, id))
    if (found !== undefined || page.next === null) return found
    after = page.next
  }
}
