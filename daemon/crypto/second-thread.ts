import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import type { Clock, Log } from '../../protocol/ports.ts'
import { packSigned, type Signed } from './verify-batch.ts'

/** Verifies signatures while this thread does something else. */
export interface VerifiesAhead extends AsyncDisposable {
  /** One answer a signature; undefined where there is no second thread, and then this one has to. In order of the asking. */
  verify(batch: readonly Signed[]): Promise<Uint8Array | undefined>
}

/** A thread takes some megabytes: it ends when a node has had nothing for it for so long. */
const idleMs = 60_000

/** A second thread when there is much to verify and a core for it. Undefined on a machine of one. */
export function secondThread(
  clock: Clock,
  log: Log,
  cores = availableParallelism(),
): VerifiesAhead | undefined {
  return cores < 2 ? undefined : new SecondThread(clock, log)
}

type Waiting = (answer: Uint8Array | undefined) => void

class SecondThread implements VerifiesAhead {
  readonly #clock: Clock
  readonly #log: Log
  #worker: Worker | undefined
  /** It answers in the order in which it was asked. */
  readonly #waiting: Waiting[] = []
  #stopIdle = (): void => {}
  #hasFailed = false

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  async verify(batch: readonly Signed[]): Promise<Uint8Array | undefined> {
    if (this.#hasFailed) return undefined
    const worker = (this.#worker ??= this.#start())
    const packed = packSigned(batch)
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>()
    this.#waiting.push(resolve)
    worker.postMessage(packed, [packed.buffer])
    return promise
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hasFailed = true
    await this.#end()
  }

  #start(): Worker {
    const isBuilt = import.meta.url.endsWith('.js')
    const worker = new Worker(new URL(isBuilt ? './verify-worker.js' : './verify-worker.ts', import.meta.url))
    // Whoever waits for an answer keeps the process; an idle thread does not.
    worker.unref()
    worker.on('message', (answer: Uint8Array) => {
      this.#waiting.shift()?.(answer)
      if (this.#waiting.length === 0) this.#rest()
    })
    worker.on('error', (error) => this.#fail(worker, error))
    worker.on('exit', () => this.#fail(worker, undefined))
    return worker
  }

  #rest(): void {
    this.#stopIdle()
    this.#stopIdle = this.#clock.after(idleMs, () => {
      if (this.#waiting.length === 0) void this.#end()
    })
  }

  /** What it was to verify is left to this thread, and so is all that comes. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return
    this.#worker = undefined
    this.#hasFailed = true
    this.#log.warn('crypto.second-thread-ended', { error })
    this.#release()
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve(undefined)
  }

  async #end(): Promise<void> {
    this.#stopIdle()
    const worker = this.#worker
    this.#worker = undefined
    this.#release()
    await worker?.terminate()
  }
}
