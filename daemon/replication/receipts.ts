import { toHex } from '../../protocol/bytes.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { RecordId } from '../../protocol/record/types.ts'
import type { NodeId } from '../net/rpc.ts'

/** Receipts remembered for so many records; older ones are judged by cursors. */
const recordsMax = 65_536

/** Who confirmed to hold which record, for apps that wait until a write is durable. */
export class Receipts {
  readonly #clock: Clock
  readonly #holders = new Map<string, Set<NodeId>>()
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  confirm(id: RecordId, node: NodeId): void {
    const name = toHex(id)
    const holders = this.#holders.get(name) ?? new Set()
    this.#holders.delete(name)
    this.#holders.set(name, holders.add(node))
    if (this.#holders.size > recordsMax) this.#holders.delete(this.#holders.keys().next().value as string)
    for (const wake of this.#waiting.get(name) ?? []) wake()
  }

  holders(id: RecordId): ReadonlySet<NodeId> {
    return this.#holders.get(toHex(id)) ?? new Set()
  }

  /** Until the next confirmation of this record, the time is up, or the signal aborts. */
  async change(id: RecordId, waitMs: number, signal: AbortSignal): Promise<void> {
    const name = toHex(id)
    const { promise, resolve } = Promise.withResolvers<void>()
    const waiting = this.#waiting.get(name) ?? new Set()
    this.#waiting.set(name, waiting.add(resolve))
    const cancel = this.#clock.after(waitMs, resolve)
    signal.addEventListener('abort', () => resolve(), { once: true })
    if (signal.aborted) resolve()
    await promise
    cancel()
    waiting.delete(resolve)
    if (waiting.size === 0) this.#waiting.delete(name)
  }
}
