import type { Clock } from '../protocol/ports.ts'

/** Something to do, for one who waits. Told while nobody waits, it is remembered. */
export class Wake {
  #isSet = false
  #resolve: (() => void) | undefined

  set(): void {
    this.#isSet = true
    this.#resolve?.()
  }

  /** Resolves when it was set, `timeoutMs` passed or the signal aborted; never rejects. */
  async wait(clock: Clock, signal: AbortSignal, timeoutMs?: number): Promise<void> {
    if (!this.#isSet && !signal.aborted) {
      const { promise, resolve } = Promise.withResolvers<void>()
      this.#resolve = resolve
      signal.addEventListener('abort', resolve as () => void, { once: true })
      const cancel = timeoutMs === undefined ? undefined : clock.after(timeoutMs, resolve)
      await promise
      cancel?.()
      signal.removeEventListener('abort', resolve as () => void)
      this.#resolve = undefined
    }
    this.#isSet = false
  }
}
