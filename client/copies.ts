import { toHex } from '../protocol/bytes.ts'
import { apiLimits } from '../protocol/api/limits.ts'
import { asOnehopError, OnehopError } from '../protocol/errors.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId, RecordId } from '../protocol/record/types.ts'
import { clientLimits } from './limits.ts'
import type { Transport } from './transport.ts'

interface Wanted {
  readonly id: RecordId
  readonly answered: Promise<{ readonly copies: number }>
  readonly resolve: (found: { readonly copies: number }) => void
  readonly reject: (error: OnehopError) => void
}

/** Asks the node how many copies there are of records for which somebody waits: all of them in one question. */
export class Copies {
  readonly #transport: Pick<Transport, 'call'>
  readonly #clock: Clock
  readonly #owner: IdentityId
  readonly #wanted = new Map<string, Wanted>()
  readonly #closed = new AbortController()
  #running: Promise<void> | undefined

  constructor(transport: Pick<Transport, 'call'>, clock: Clock, owner: IdentityId) {
    this.#transport = transport
    this.#clock = clock
    this.#owner = owner
  }

  /** Resolves when two nodes or more have the record on disk. */
  whenDurable(id: RecordId): Promise<{ readonly copies: number }> {
    const name = toHex(id)
    const known = this.#wanted.get(name)
    if (known !== undefined) return known.answered
    const { promise, resolve, reject } = Promise.withResolvers<{ readonly copies: number }>()
    promise.catch(() => undefined)
    if (this.#closed.signal.aborted) reject(this.#closed.signal.reason as OnehopError)
    else this.#wanted.set(name, { id, answered: promise, resolve, reject })
    this.#run()
    return promise
  }

  async close(): Promise<void> {
    const closed = new OnehopError('CLOSED', 'this app was closed')
    this.#closed.abort(closed)
    await this.#running
    for (const { reject } of this.#wanted.values()) reject(closed)
    this.#wanted.clear()
  }

  #run(): void {
    if (this.#running !== undefined || this.#wanted.size === 0 || this.#closed.signal.aborted) return
    this.#running = this.#ask().finally(() => {
      this.#running = undefined
      this.#run()
    })
  }

  async #ask(): Promise<void> {
    let delayMs: number = clientLimits.retryFirstMs
    const { signal } = this.#closed
    while (this.#wanted.size > 0 && !signal.aborted) {
      const batch = [...this.#wanted].slice(0, apiLimits.idsPerStatusMax)
      let found = 0
      try {
        const { copies } = await this.#transport.call(
          'record.status',
          {
            owner: this.#owner,
            ids: batch.map(([, { id }]) => id),
            copies: durableCopies,
            waitMs: clientLimits.durableWaitMs,
          },
          { signal },
        )
        for (const [i, [name, { resolve }]] of batch.entries()) {
          const count = copies[i] ?? 0
          if (count < durableCopies) continue
          found++
          this.#wanted.delete(name)
          resolve({ copies: count })
        }
      } catch (cause) {
        if (signal.aborted) return
        const error = asOnehopError(cause)
        if (!error.retryable) {
          for (const [name, { reject }] of batch) {
            this.#wanted.delete(name)
            reject(error)
          }
        }
      }
      if (found > 0) {
        delayMs = clientLimits.retryFirstMs
        continue
      }
      // Those that wait longest go to the back, so that more than one question's worth all get their turn.
      for (const [name, wanted] of batch) {
        if (this.#wanted.delete(name)) this.#wanted.set(name, wanted)
      }
      await this.#clock.sleep(delayMs, signal).catch(() => undefined)
      delayMs = Math.min(delayMs * 2, clientLimits.retryMaxMs)
    }
  }
}

const durableCopies = 2
