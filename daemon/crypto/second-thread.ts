import { availableParallelism } from 'node:os'
import { extname } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { Clock, Log } from '../../protocol/ports.ts'
import { packedBytes, packSigned, there, type Signed } from './verify-batch.ts'

/** Verifies signatures while this thread does something else. */
export interface VerifiesAhead extends AsyncDisposable {
  readonly isRunning: boolean
  /**
   * Whether it answers sooner than this thread would: it runs, and has little waiting. Where it does not run yet it is started, and
   * until it is there this thread is not to wait for it.
   */
  isFree(): boolean
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

/** A slice of ordinary records. */
const blockBytesMin = 256 * 1024
/** Two slices: one that it verifies, and one so that it never waits for this thread. */
const waitingMax = 512
/** It keeps nothing from one batch to the next. */
const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 }

interface Waiting {
  readonly block: Uint8Array
  readonly count: number
  readonly resolve: (answer: Uint8Array | undefined) => void
}

class SecondThread implements VerifiesAhead {
  readonly #clock: Clock
  readonly #log: Log
  #worker: Worker | undefined
  #isThere = false
  #signaturesWaiting = 0
  /** It answers in the order in which it was asked. */
  readonly #waiting: Waiting[] = []
  /** Used again and again: blocks that went from thread to thread left holes in the memory of both. */
  readonly #blocks: Uint8Array[] = []
  #stopIdle = (): void => {}
  #hasFailed = false

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  get isRunning(): boolean {
    return this.#worker !== undefined
  }

  isFree(): boolean {
    if (this.#hasFailed) return false
    this.#worker ??= this.#start()
    return this.#isThere && this.#signaturesWaiting < waitingMax
  }

  async verify(batch: readonly Signed[]): Promise<Uint8Array | undefined> {
    if (this.#hasFailed) return undefined
    this.#stopIdle()
    const worker = (this.#worker ??= this.#start())
    const block = this.#takeBlock(packedBytes(batch))
    packSigned(batch, block)
    const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>()
    this.#waiting.push({ block, count: batch.length, resolve })
    this.#signaturesWaiting += batch.length
    worker.postMessage({ bytes: block, count: batch.length })
    return promise
  }

  #takeBlock(length: number): Uint8Array {
    const at = this.#blocks.findIndex((block) => block.length >= length)
    const [block] = at < 0 ? [] : this.#blocks.splice(at, 1)
    return block ?? new Uint8Array(new SharedArrayBuffer(Math.max(length, blockBytesMin)))
  }

  #answered(): void {
    const { block, count, resolve } = this.#waiting.shift() as Waiting
    this.#signaturesWaiting -= count
    resolve(block.slice(0, count))
    this.#blocks.push(block)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hasFailed = true
    await this.#end()
  }

  #start(): Worker {
    // As this file is: built, or not.
    const file = `./verify-worker${extname(import.meta.url)}`
    const worker = new Worker(new URL(file, import.meta.url), { resourceLimits })
    // Whoever waits for an answer keeps the process; an idle thread does not.
    worker.unref()
    worker.on('message', (message) => {
      if (message === there) this.#isThere = true
      else this.#answered()
      if (this.#waiting.length === 0) this.#rest()
    })
    worker.on('error', (error) => this.#fail(worker, error))
    worker.on('exit', () => this.#fail(worker, undefined))
    return worker
  }

  /** What comes meanwhile stops it. */
  #rest(): void {
    this.#stopIdle = this.#clock.after(idleMs, () => void this.#end())
  }

  /** What it was to verify is left to this thread, and so is all that comes. */
  #fail(worker: Worker, error: unknown): void {
    if (this.#worker !== worker) return
    this.#hasFailed = true
    this.#log.warn('crypto.second-thread-ended', { error })
    this.#letGo()
  }

  async #end(): Promise<void> {
    await this.#letGo()?.terminate()
  }

  /** Whoever waits verifies for itself; an answer that comes all the same is nobody's. */
  #letGo(): Worker | undefined {
    const worker = this.#worker
    this.#worker = undefined
    this.#isThere = false
    this.#signaturesWaiting = 0
    worker?.removeAllListeners('message')
    this.#stopIdle()
    for (const { resolve } of this.#waiting.splice(0)) resolve(undefined)
    this.#blocks.length = 0
    return worker
  }
}
