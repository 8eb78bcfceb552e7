import { OnehopError } from '../../protocol/errors.ts'
import type { Clock } from '../../protocol/ports.ts'

/**
 * Runs `work` with a signal that aborts after `delayMs` (TIMEOUT) or with `parent`. Nothing of it stays behind:
 * a signal composed over a long-lived parent would be held by it for ever.
 */
export async function withDeadline<T>(
  clock: Clock,
  delayMs: number,
  parent: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const onParent = (): void => controller.abort(parent?.reason)
  const stop = clock.after(delayMs, () =>
    controller.abort(new OnehopError('TIMEOUT', `not done within ${delayMs} ms`)),
  )
  if (parent?.aborted) onParent()
  else parent?.addEventListener('abort', onParent, { once: true })
  try {
    return await work(controller.signal)
  } finally {
    stop()
    parent?.removeEventListener('abort', onParent)
  }
}
