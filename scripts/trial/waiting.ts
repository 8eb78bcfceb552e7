import { setTimeout as sleep } from 'node:timers/promises'

export interface Patience {
  readonly withinMs: number
  readonly everyMs?: number
  readonly signal: AbortSignal
}

/** Waits for what `look` finds; throws with the last that was known when it takes too long. */
export async function until<T>(
  what: string,
  { withinMs, everyMs = 100, signal }: Patience,
  look: () => Promise<T | undefined | false>,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs
  for (;;) {
    signal.throwIfAborted()
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadlineMs) throw new Error(`${what}: not within ${withinMs / 1000} s`)
    await sleep(everyMs, undefined, { signal })
  }
}

/** Runs at most so many at once, in order of the list. */
export async function inParallel<T, R>(
  all: readonly T[],
  width: number,
  action: (one: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (next < all.length) {
      const index = next++
      results[index] = await action(all[index] as T, index)
    }
  }
  await Promise.all(Array.from({ length: Math.min(width, all.length) }, worker))
  return results
}
