import type { Clock } from '../protocol/ports.ts'

/** setTimeout takes 31 bits of milliseconds and fires at once beyond them. */
const longestTimerMs = 2 ** 31 - 1

/** The machine's own clock. Its timers keep the process alive: whoever starts one stops it. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep(delayMs, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
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
  let timer: NodeJS.Timeout
  const wait = (leftMs: number): void => {
    timer =
      leftMs > longestTimerMs
        ? setTimeout(() => wait(leftMs - longestTimerMs), longestTimerMs)
        : setTimeout(action, Math.max(0, leftMs))
  }
  wait(delayMs)
  return () => clearTimeout(timer)
}

/** Resolves when everything that is ready now has run. Not a wait: it lets small writes gather into one. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
