import type { Log } from '../protocol/ports.ts'

/** The loops that run as long as the node does. One that fails is logged; the others go on. */
export class Tasks {
  readonly #log: Log
  readonly #running = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(log: Log) {
    this.#log = log
  }

  /** Aborts when the node begins to close. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  start(name: string, run: (signal: AbortSignal) => Promise<void>): void {
    const task = run(this.signal)
      .catch((error: unknown) => {
        if (!this.signal.aborted) this.#log.error('task.failed', { task: name, error })
      })
      .finally(() => this.#running.delete(task))
    this.#running.add(task)
  }

  /** Tells all of them to end, and waits until they have. */
  async stop(): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#running)
  }
}
