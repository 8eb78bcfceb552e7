import type { ReplyOf } from '../protocol/api/operations.ts'
import { asOnehopError, isErrorCode, OnehopError } from '../protocol/errors.ts'
import type { Clock, Log } from '../protocol/ports.ts'
import { abortReason, withSignal } from './deadline.ts'
import { keyNames } from './key-store.ts'
import type { KeyStore } from './key-store.ts'
import { clientLimits } from './limits.ts'
import type { Transport } from './transport.ts'
import type { Written } from './writer.ts'

export interface OutboxParts {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly transport: Pick<Transport, 'call' | 'address'>
  readonly log: Log
  /** Sends the identity log or the schema, or looks for another node: what a refusal said is missing. */
  readonly supply: (lacking: Lacking) => Promise<void>
}

const suppliable = ['UNKNOWN_IDENTITY', 'UNKNOWN_SCHEMA', 'NOT_HOSTED'] as const
export type Lacking = (typeof suppliable)[number]

/** A node that still lacks it then is not the one for these records. */
const suppliesMax = 3

type Result = ReplyOf<'record.put'>['results'][number]

interface Waiter {
  readonly resolve: (accepted: { readonly address: string }) => void
  readonly reject: (error: OnehopError) => void
}

/**
 * Records that no node is known to have. What is in it was signed and kept by the writer; an entry leaves when a
 * node has it on disk, or refuses it for good. Sent in the order written, again after every failure, and after a
 * restart; to send one twice does no harm.
 */
export class Outbox {
  readonly #parts: OutboxParts
  readonly #closed = new AbortController()
  readonly #waiters = new Map<string, Waiter>()
  /** Undefined bytes: kept by an earlier run, not read yet. */
  readonly #queue = new Map<string, Uint8Array | undefined>()
  #running: Promise<void> | undefined
  #refused: OnehopError | undefined
  #supplied = 0
  #wake = (): void => {}

  private constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  /** With what an earlier run left, which is sent at once. */
  static async open(parts: OutboxParts): Promise<Outbox> {
    const outbox = new Outbox(parts)
    for (const name of await parts.keys.list(keyNames.outbox)) outbox.#queue.set(name, undefined)
    outbox.#run()
    return outbox
  }

  /** Records that wait. */
  get size(): number {
    return this.#queue.size
  }

  /** Throws BUSY before something is written that would not fit. */
  checkRoom(records: number): void {
    if (this.#queue.size + records <= clientLimits.outboxRecordsMax) return
    throw new OnehopError('BUSY', `${this.#queue.size} records wait for a node already`, {
      help: 'Wait until a node can be reached.',
    })
  }

  /** Takes what the writer kept. One promise a record. */
  add(written: readonly Written[]): readonly Promise<{ readonly address: string }>[] {
    const accepted = written.map(({ name, bytes }) => {
      this.#queue.set(name, bytes)
      const promise = new Promise<{ readonly address: string }>((resolve, reject) => {
        this.#waiters.set(name, { resolve, reject })
      })
      // Nobody has to wait for it; a refusal is then in the log and in the next flush.
      promise.catch(() => undefined)
      return promise
    })
    this.#run()
    return accepted
  }

  /** Resolves when nothing waits; rejects with the first refusal since the last flush. Waits while offline. */
  async flush(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted === true) throw abortReason(signal)
    this.#wake()
    while (this.#queue.size > 0) {
      const running = this.#running
      if (running === undefined) throw new OnehopError('CLOSED', 'this outbox was closed')
      await withSignal(running, signal)
    }
    const refused = this.#refused
    this.#refused = undefined
    if (refused !== undefined) throw refused
  }

  /** What waits stays where it is kept. */
  async close(): Promise<void> {
    const closed = new OnehopError('CLOSED', 'this app was closed; the record is sent when it opens again')
    this.#closed.abort(closed)
    this.#wake()
    await this.#running
    for (const waiter of this.#waiters.values()) waiter.reject(closed)
    this.#waiters.clear()
  }

  #run(): void {
    if (this.#running !== undefined || this.#queue.size === 0 || this.#closed.signal.aborted) return
    this.#running = this.#drain().finally(() => {
      this.#running = undefined
      this.#run()
    })
  }

  async #drain(): Promise<void> {
    let delayMs: number = clientLimits.retryFirstMs
    while (this.#queue.size > 0 && !this.#closed.signal.aborted) {
      try {
        const progressed = await this.#sendBatch()
        if (progressed) delayMs = clientLimits.retryFirstMs
        else {
          await this.#pause(delayMs)
          delayMs = Math.min(delayMs * 2, clientLimits.retryMaxMs)
        }
      } catch (cause) {
        if (this.#closed.signal.aborted) return
        const error = asOnehopError(cause)
        this.#parts.log.info('outbox-waits', { code: error.code, records: this.#queue.size })
        await this.#pause(delayMs)
        delayMs = Math.min(delayMs * 2, clientLimits.retryMaxMs)
      }
    }
  }

  /** Also ended by `flush` and `close`. */
  async #pause(delayMs: number): Promise<void> {
    const stop = Promise.withResolvers<void>()
    const cancel = this.#parts.clock.after(delayMs, stop.resolve)
    this.#wake = stop.resolve
    if (this.#closed.signal.aborted) stop.resolve()
    await stop.promise
    cancel()
  }

  /** True when an entry left. */
  async #sendBatch(): Promise<boolean> {
    const batch = await this.#nextBatch()
    if (batch.length === 0) return true
    const { transport } = this.#parts
    const { results } = await transport.call(
      'record.put',
      { records: batch.map(([, bytes]) => bytes) },
      { signal: this.#closed.signal },
    )
    const gone: string[] = []
    const lacking = new Map<Lacking, [name: string, error: OnehopError][]>()
    const refusals: [name: string, error: OnehopError][] = []
    for (const [i, [name]] of batch.entries()) {
      const result = results[i]
      if (result === undefined)
        throw new OnehopError('BAD_MESSAGE', 'the node answered fewer records than were sent')
      if (result.outcome !== 'refused') {
        gone.push(name)
        continue
      }
      const error = refusalOf(result)
      const what = suppliable.find((code) => code === error.code)
      if (what !== undefined && this.#supplied < suppliesMax)
        lacking.set(what, [...(lacking.get(what) ?? []), [name, error]])
      else if (what !== undefined || !error.retryable) refusals.push([name, error])
    }
    await this.#settle(gone, refusals, transport.address)
    if (lacking.size > 0) this.#supplied++
    else this.#supplied = 0
    for (const [what, names] of lacking) await this.#supply(what, names)
    return gone.length + refusals.length + lacking.size > 0
  }

  async #supply(what: Lacking, names: readonly (readonly [string, OnehopError])[]): Promise<void> {
    try {
      await this.#parts.supply(what)
    } catch (cause) {
      const error = asOnehopError(cause)
      if (error.retryable) throw error
      await this.#settle(
        [],
        names.map(([name]) => [name, error]),
        this.#parts.transport.address,
      )
    }
  }

  async #nextBatch(): Promise<(readonly [name: string, bytes: Uint8Array])[]> {
    const batch: (readonly [string, Uint8Array])[] = []
    let length = 0
    for (const [name, known] of [...this.#queue].slice(0, clientLimits.outboxBatchRecords)) {
      const bytes = known ?? (await this.#parts.keys.get(name))
      if (bytes === undefined) {
        // Another tab has sent it.
        this.#queue.delete(name)
        this.#waiters.get(name)?.resolve({ address: this.#parts.transport.address })
        continue
      }
      length += bytes.length
      if (batch.length > 0 && length > clientLimits.outboxBatchBytes) break
      batch.push([name, bytes])
    }
    return batch
  }

  async #settle(
    gone: readonly string[],
    refusals: readonly (readonly [string, OnehopError])[],
    address: string,
  ): Promise<void> {
    if (gone.length + refusals.length === 0) return
    const names = [...gone, ...refusals.map(([name]) => name)]
    await this.#parts.keys.write(new Map(names.map((name) => [name, undefined])))
    for (const name of gone) {
      this.#queue.delete(name)
      this.#waiters.get(name)?.resolve({ address })
      this.#waiters.delete(name)
    }
    for (const [name, error] of refusals) {
      this.#queue.delete(name)
      this.#refused ??= error
      this.#parts.log.warn('record-refused', { code: error.code, message: error.message })
      this.#waiters.get(name)?.reject(error)
      this.#waiters.delete(name)
    }
  }
}

function refusalOf({ code, message }: Result): OnehopError {
  return new OnehopError(isErrorCode(code) ? code : 'INTERNAL', message ?? 'the node refused the record')
}
