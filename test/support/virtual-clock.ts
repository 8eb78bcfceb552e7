import type { Clock } from '../../protocol/ports.ts'

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly action: () => void
}

export interface VirtualClock extends Clock {
  /** Runs every timer due within `ms`, in order of time and then of creation, with all promises in between. */
  advance(ms: number): Promise<void>
  /** Lets promises run until nothing more happens at this instant. */
  settle(): Promise<void>
  /** Sets Unix time off against monotonic time, as a wrong clock or a correction does. */
  jump(ms: number): void
  /** Timers not yet due. A closed component leaves none. */
  pending(): number
}

/** Time that stands still unless it is told to pass. 2026-01-01T00:00:00Z when no start is given. */
export function createVirtualClock(startMs = 1_767_225_600_000): VirtualClock {
  const timers = new Set<Timer>()
  let elapsedMs = 0
  let offsetMs = 0
  let order = 0

  const next = (untilMs: number): Timer | undefined => {
    let first: Timer | undefined
    for (const timer of timers) {
      if (timer.dueMs > untilMs) continue
      if (
        first === undefined ||
        timer.dueMs < first.dueMs ||
        (timer.dueMs === first.dueMs && timer.order < first.order)
      ) {
        first = timer
      }
    }
    return first
  }

  // Promise callbacks run before the next turn of the event loop, however long their chains are.
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  const after = (delayMs: number, action: () => void): (() => void) => {
    const timer: Timer = { dueMs: elapsedMs + Math.max(0, delayMs), order: order++, action }
    timers.add(timer)
    return () => void timers.delete(timer)
  }

  return {
    nowMs: () => startMs + offsetMs + Math.floor(elapsedMs),
    monotonicMs: () => elapsedMs,
    after,
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
    async advance(ms) {
      const untilMs = elapsedMs + ms
      await settle()
      for (let timer = next(untilMs); timer !== undefined; timer = next(untilMs)) {
        timers.delete(timer)
        elapsedMs = Math.max(elapsedMs, timer.dueMs)
        timer.action()
        await settle()
      }
      elapsedMs = untilMs
    },
    settle,
    jump(ms) {
      offsetMs += ms
    },
    pending: () => timers.size,
  }
}
