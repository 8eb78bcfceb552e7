import type { Clock, Log } from '../protocol/ports.ts'

/** A store that is opened anew, as after a full disk, is there again by then. */
const againMs = 5_000

/** The loops that run as long as the node does. One that fails is logged and begun anew after a pause; the others go on. */
export class Tasks {
  readonly #parts: { readonly clock: Clock; readonly log: Log }
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(parts: { readonly clock: Clock; readonly log: Log }) {
    this.#parts = parts
  }

  /** Aborts when the node begins to close. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  start(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    const task = this.#keep(name, run).finally(() => this.#running.delete(task))
    this.#running.add(task)
  }

  async #keep(name: string, run: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const { clock, log } = this.#parts
    while (!this.signal.aborted) {
      // Its own: what else began in a run that failed must not go on beside the next.
      const turn = new AbortController()
      const end = (): void => turn.abort()
      this.signal.addEventListener('abort', end, { once: true })
      try {
        return await run(turn.signal)
      } catch (error) {
        if (this.signal.aborted) return
        log.error('task.failed', { task: name, error })
        this.signal.removeEventListener('abort', end)
        turn.abort()
        await clock.sleep(againMs, this.signal).catch(() => undefined)
      }
    }
  }

  /** Tells all of them to end, and waits until they have. */
  async stop(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#running)
  }
}
