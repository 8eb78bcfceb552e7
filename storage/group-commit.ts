import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import type { Kv } from './kv.ts'
import { StagedBatch } from './staged-batch.ts'
import type { StoreFailure, StoreStats } from './types.ts'

export interface GroupLimits {
  /** One batch takes no further writer beyond these: bounds the memory and the time of one write. */
  readonly writesMax: number
  readonly bytesMax: number
  /** Writers in line; the next is refused as BUSY. */
  readonly waitingMax: number
}

export const groupLimits: GroupLimits = { writesMax: 16_384, bytesMax: 8 * 1024 * 1024, waitingMax: 10_000 }

/** State that is kept in memory while a batch is staged and must follow its fate. */
export interface StagedState {
  /** Stages what is dirty. */
  flush(batch: StagedBatch): void
  committed(): void
  /** Forgets everything that is not on disk. */
  discarded(): void
  /** Forgets everything that was read: what is on disk may be more. */
  reread(): void
}

export interface GroupOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly limits?: GroupLimits
  /**
   * Upkeep between two batches, when nothing else writes; the writers have their answers already. When it fails
   * it is called again after the next batch, whose writers then learn of a broken disk themselves.
   */
  readonly afterBatch?: () => Promise<void>
  /**
   * Resolves when what came in meanwhile was heard, as at the end of a turn of the event loop: those who write in one turn then
   * share a batch, where the first would have one to itself. At the next microtask when not given.
   */
  readonly gathered?: (() => Promise<void>) | undefined
}

interface Reader {
  readonly read: () => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
}

interface Writer {
  readonly prepare: (batch: StagedBatch) => unknown
  readonly resolve: (value: unknown) => void
  readonly reject: (reason: unknown) => void
  result: unknown
}

/**
 * Many writers share one synced batch. While one batch is on its way to the disk, writers gather; then all of
 * them (up to the limits) are prepared, one after the other, against what is committed and what those before
 * them in the same batch staged.
 *
 * 1. One batch is under way at a time, so no writer ever reads what may yet fail to be written.
 * 2. A writer resolves only after its batch is on disk, and its batch rejects all its writers or none.
 * 3. A writer whose preparation throws is alone in failing: the batch is prepared again without it.
 * 4. A batch that failed may be on the disk all the same. The next is prepared after the database was opened anew, never before: else it
 *    would write over indexes in which that one's records are, and these would be held and named by nothing.
 */
export class GroupCommit {
  readonly #kv: Kv
  readonly #state: StagedState
  readonly #limits: GroupLimits
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #afterBatch: (() => Promise<void>) | undefined
  readonly #gathered: () => Promise<void>
  #waiting: Writer[] = []
  #readers: Reader[] = []
  #draining: Promise<void> | undefined
  #closed = false
  #batches = 0
  #writes = 0
  #upkeepFailures = 0
  #failure: StoreFailure | undefined
  /** The last batch failed, or upkeep after it. */
  #isInDoubt = false

  constructor(kv: Kv, state: StagedState, options: GroupOptions) {
    this.#kv = kv
    this.#state = state
    this.#limits = options.limits ?? groupLimits
    this.#clock = options.clock
    this.#afterBatch = options.afterBatch
    this.#gathered = options.gathered ?? (() => Promise.resolve())
  }

  get stats(): Omit<StoreStats, 'formatVersion'> {
    return {
      failure: this.#failure,
      batches: this.#batches,
      writes: this.#writes,
      waiting: this.#waiting.length,
      upkeepFailures: this.#upkeepFailures,
    }
  }

  submit<T>(prepare: (batch: StagedBatch) => T): Promise<T> {
    if (this.#closed) return Promise.reject(new OnehopError('CLOSED', 'the store is closed'))
    if (this.#waiting.length >= this.#limits.waitingMax) {
      return Promise.reject(new OnehopError('BUSY', 'too many writes are waiting for the disk'))
    }
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ prepare, resolve: resolve as (value: unknown) => void, reject, result: undefined })
      // Not at once: writers of the same turn share the batch, and a lone one loses nothing.
      this.#draining ??= this.#drain()
    })
  }

  /** All that `read` reads, at once, is of one moment: no batch is under way meanwhile. */
  between<T>(read: () => T): Promise<T> {
    if (this.#closed) return Promise.reject(new OnehopError('CLOSED', 'the store is closed'))
    if (this.#readers.length >= this.#limits.waitingMax)
      return Promise.reject(new OnehopError('BUSY', 'too many reads are waiting for the disk'))
    return new Promise<T>((resolve, reject) => {
      this.#readers.push({ read, resolve: resolve as (value: unknown) => void, reject })
      this.#draining ??= this.#drain()
    })
  }

  /** Refuses new writers and resolves when those accepted are served. */
  async close(): Promise<void> {
    this.#closed = true
    await this.#draining
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0 || this.#readers.length > 0) {
      await this.#gathered()
      if (this.#isInDoubt) {
        await this.#kv.settle?.()
        this.#state.reread()
      }
      this.#read()
      const { batch, writers } = this.#prepare()
      if (writers.length === 0) continue
      try {
        if (batch.writes.length > 0) {
          await this.#kv.batch(batch.writes)
          this.#batches++
          this.#writes += batch.writes.length
          this.#failure = undefined
          this.#isInDoubt = false
        }
      } catch (error) {
        this.#state.discarded()
        this.#isInDoubt = true
        this.#failed(asOnehopError(error))
        for (const writer of writers) writer.reject(error)
        continue
      }
      this.#state.committed()
      for (const writer of writers) writer.resolve(writer.result)
      try {
        await this.#afterBatch?.()
      } catch {
        this.#isInDoubt = true
        this.#upkeepFailures++
      }
    }
    this.#draining = undefined
  }

  #read(): void {
    for (const { read, resolve, reject } of this.#readers.splice(0)) {
      try {
        resolve(read())
      } catch (error) {
        reject(error)
      }
    }
  }

  #failed(error: OnehopError): void {
    if (error.code === 'CLOSED') return
    this.#failure = { error, sinceMs: this.#failure?.sinceMs ?? this.#clock.monotonicMs() }
  }

  #prepare(): { batch: StagedBatch; writers: Writer[] } {
    const { writesMax, bytesMax } = this.#limits
    let batch = new StagedBatch(this.#kv)
    let writers: Writer[] = []
    let taken = 0
    while (taken < this.#waiting.length && batch.writes.length < writesMax && batch.bytes < bytesMax) {
      const writer = this.#waiting[taken] as Writer
      try {
        writer.result = writer.prepare(batch)
        writers.push(writer)
        taken++
      } catch (error) {
        writer.reject(error)
        this.#waiting.splice(taken, 1)
        // It may have staged a part already.
        this.#state.discarded()
        batch = new StagedBatch(this.#kv)
        writers = []
        taken = 0
      }
    }
    this.#waiting.splice(0, taken)
    try {
      this.#state.flush(batch)
    } catch (error) {
      this.#state.discarded()
      for (const writer of writers) writer.reject(error)
      return { batch, writers: [] }
    }
    return { batch, writers }
  }
}
