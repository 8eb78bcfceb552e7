import type { EventOf } from '../../protocol/api/operations.ts'
import type { LivePosition } from '../../protocol/api/messages.ts'
import { apiLimits } from '../../protocol/api/limits.ts'

export type LiveEvent = EventOf<'live.open'>

/** Records waiting for a slow reader; above it they are told to read again, which is cheaper for both. */
const waitingMax = 256
const eventBytesMax = apiLimits.bodyBytesMax - 16 * 1024

interface Waiting {
  readonly position: LivePosition
  readonly bytes: Uint8Array
}

/** What happened since a live query was last read, coalesced: memory does not grow with a reader's slowness. */
export class LiveQueue {
  #records: Waiting[] = []
  #notice: { readonly type: 'changed' | 'reset'; readonly position: LivePosition } | undefined
  #wake: (() => void) | undefined

  record(position: LivePosition, bytes: Uint8Array): void {
    // After a reset the reader reads everything anyway; of the rest it wants only the newest position.
    if (this.#notice?.type === 'reset') return this.reset(position)
    if (this.#records.length >= waitingMax) return this.reset(position)
    this.#records.push({ position, bytes })
    this.#wake?.()
  }

  changed(position: LivePosition): void {
    if (this.#notice?.type === 'reset') return this.reset(position)
    this.#notice = { type: 'changed', position }
    this.#wake?.()
  }

  reset(position: LivePosition): void {
    this.#records = []
    this.#notice = { type: 'reset', position }
    this.#wake?.()
  }

  /** Ends when the signal aborts. */
  async *events(signal: AbortSignal): AsyncGenerator<LiveEvent> {
    while (!signal.aborted) {
      const event = this.#next()
      if (event !== undefined) yield event
      else await this.#something(signal)
    }
  }

  #next(): LiveEvent | undefined {
    if (this.#notice !== undefined) {
      const { type, position } = this.#notice
      this.#notice = undefined
      return { type, position, records: [] }
    }
    const records: Uint8Array[] = []
    let bytes = 0
    let last: LivePosition | undefined
    for (const waiting of this.#records) {
      bytes += waiting.bytes.length + 8
      if (records.length >= apiLimits.eventRecordsMax || (bytes > eventBytesMax && records.length > 0)) break
      records.push(waiting.bytes)
      last = waiting.position
    }
    if (last === undefined) return undefined
    this.#records.splice(0, records.length)
    return { type: 'records', position: last, records }
  }

  async #something(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const onAbort = (): void => resolve()
    this.#wake = resolve
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) resolve()
    await promise
    this.#wake = undefined
    signal.removeEventListener('abort', onAbort)
  }
}
