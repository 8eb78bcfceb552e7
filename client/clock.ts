import type { Clock } from '../protocol/ports.ts'

/** setTimeout takes 31 bits of milliseconds and fires at once beyond them. */
const longestTimerMs = 2 ** 31 - 1

/** The clock of the page or process. The only place of this room that may touch timers. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted === true) {
        reject(signal.reason as Error)
        return
      }
      const onAbort = (): void => {
        cancel()
        reject(signal?.reason as Error)
      }
      const cancel = after(delayMs, () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      })
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
  after,
}

function after(delayMs: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout>
  const wait = (leftMs: number): void => {
    timer =
      leftMs > longestTimerMs
        ? setTimeout(() => wait(leftMs - longestTimerMs), longestTimerMs)
        : setTimeout(action, Math.max(0, leftMs))
  }
  wait(delayMs)
  return () => clearTimeout(timer)
}
