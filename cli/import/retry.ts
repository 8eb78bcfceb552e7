import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'

/** Some eight seconds in all: a node that restarts, or that has a long batch to sync, is back by then. */
const delaysMs = [100, 200, 400, 800, 1600, 2500, 2500] as const

/** Calls again while the refusal is one that passes. Whatever is sent must be safe to send twice. */
export async function persist<T>(
  call: () => Promise<T>,
  clock: Pick<Clock, 'sleep'>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      const delayMs = delaysMs[attempt]
      const passes = error instanceof OnehopError && error.retryable && error.code !== 'ABORTED'
      if (!passes || delayMs === undefined || signal?.aborted === true) throw error
      await clock.sleep(delayMs, signal)
    }
  }
}
