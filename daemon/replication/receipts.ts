import { toHex } from '../../protocol/bytes.ts'
import type { Clock } from '../../protocol/ports.ts'
import type { RecordId } from '../../protocol/record/types.ts'
import type { NodeId } from '../net/rpc.ts'

/** Receipts remembered for so many records; older ones are judged by cursors. */
const recordsMax = 65_536

/** Who confirmed to hold which record, for apps that wait until a write is durable. */
export class Receipts {
  readonly #clock: Clock
  /** By record: the number of each one's receipt. */
  readonly #holders = new Map<string, Map<NodeId, number>>()
  #last = 0
  readonly #waiting = new Map<string, Set<() => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  confirm(id: RecordId, node: NodeId): void {
    const name = toHex(id)
    const holders = this.#holders.get(name) ?? new Map<NodeId, number>()
    this.#holders.delete(name)
    this.#holders.set(name, holders.set(node, ++this.#last))
    if (this.#holders.size > recordsMax) this.#holders.delete(this.#holders.keys().next().value as string)
    for (const wake of this.#waiting.get(name) ?? []) wake()
  }

  /** Of the latest receipt, whoever gave it. */
  get last(): number {
    return this.#last
  }

  /** Did it confirm the record, after that receipt? */
  has(id: RecordId, node: NodeId, after = 0): boolean {
    return (this.#holders.get(toHex(id))?.get(node) ?? 0) > after
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
