import { OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'

/** Runs the action under a signal that aborts with the caller's or after `timeoutMs`, and lets go of both at the end. */
export async function withDeadline<T>(
  clock: Clock,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  action: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const onAbort = (): void => controller.abort(abortReason(signal))
  if (signal?.aborted === true) throw abortReason(signal)
  signal?.addEventListener('abort', onAbort, { once: true })
  const stop = clock.after(timeoutMs, () =>
    controller.abort(new OnehopError('TIMEOUT', `no answer within ${timeoutMs} ms`)),
  )
  const aborted = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason as Error), {
      once: true,
    })
  })
  try {
    return await Promise.race([action(controller.signal), aborted])
  } finally {
    stop()
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Stops waiting with the signal; what is waited for goes on. */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  if (signal.aborted) {
    // Nobody hears how it ends.
    promise.catch(() => undefined)
    return Promise.reject(abortReason(signal))
  }
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(abortReason(signal))
    signal.addEventListener('abort', onAbort, { once: true })
    void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

export function abortReason(signal: AbortSignal | undefined): OnehopError {
  const reason: unknown = signal?.reason
  return reason instanceof OnehopError ? reason : new OnehopError('ABORTED', 'the call was cancelled')
}
