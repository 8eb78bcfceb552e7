import type { Clock } from '../../protocol/ports.ts'

interface Timer {
  readonly dueMs: number
  readonly order: number
  readonly action: () => void
}

/** The first timer is at the top. What is cancelled stays until it comes there: most are, as every call sets a deadline. */
class TimerHeap {
  readonly #heap: Timer[] = []
  readonly #waiting = new Set<Timer>()

  get size(): number {
    return this.#waiting.size
  }

  add(timer: Timer): void {
    const heap = this.#heap
    this.#waiting.add(timer)
    let at = heap.length
    heap.push(timer)
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(timer, heap[above] as Timer)) break
      heap[at] = heap[above] as Timer
      at = above
    }
    heap[at] = timer
  }

  cancel(timer: Timer): void {
    this.#waiting.delete(timer)
  }

  /** The first one that is due by then, taken out. */
  take(untilMs: number): Timer | undefined {
    for (let first = this.#heap[0]; first !== undefined && first.dueMs <= untilMs; first = this.#heap[0]) {
      this.#pop()
      if (this.#waiting.delete(first)) return first
    }
    return undefined
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop() as Timer
    if (heap.length === 0) return
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Timer, heap[below] as Timer)) below++
      if (!isBefore(heap[below] as Timer, last)) break
      heap[at] = heap[below] as Timer
      at = below
    }
    heap[at] = last
  }
}

function isBefore(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order)
}

export interface VirtualClock extends Clock {
  /** Runs every timer due within `ms`, in order of time and then of creation, with all promises in between. */
  advance(ms: number): Promise<void>
  /** Lets promises run until nothing more happens at this instant. */
  settle(): Promise<void>
  /** Sets Unix time off against monotonic time, as a wrong clock or a correction does. */
  jump(ms: number): void
  /** Passes time in which nobody does anything: what was due meanwhile is late, and comes with the next advance. */
  skip(ms: number): void
  /** Timers not yet due. A closed component leaves none. */
  pending(): number
}

/** Time that stands still unless it is told to pass. 2026-01-01T00:00:00Z when no start is given. */
export function createVirtualClock(startMs = 1_767_225_600_000): VirtualClock {
  const timers = new TimerHeap()
  let elapsedMs = 0
  let offsetMs = 0
  let order = 0

  // Promise callbacks run before the next turn of the event loop, however long their chains are.
  const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

  const after = (delayMs: number, action: () => void): (() => void) => {
    const timer: Timer = { dueMs: elapsedMs + Math.max(0, delayMs), order: order++, action }
    timers.add(timer)
    return () => timers.cancel(timer)
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
      for (let timer = timers.take(untilMs); timer !== undefined; timer = timers.take(untilMs)) {
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
    skip(ms) {
      elapsedMs += ms
    },
    pending: () => timers.size,
  }
}
