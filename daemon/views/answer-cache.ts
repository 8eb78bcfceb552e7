import type { Clock } from '../../protocol/ports.ts'

export interface Prepared {
  readonly bytes: Uint8Array
  /** Unix milliseconds when something on the page expires. */
  readonly expiresMs: number | undefined
}

interface Slot {
  isValid: boolean
  prepared: Prepared | undefined
  underWay: Promise<Prepared> | undefined
}

/**
 * Answers as they are sent, by whose page it is. An answer that is being prepared while its page changes is given
 * to those who asked before and then forgotten.
 */
export class AnswerCache {
  readonly #clock: Clock
  readonly #bytesMax: number
  readonly #pages = new Map<string, Map<string, Slot>>()
  #bytes = 0

  constructor(clock: Clock, bytesMax: number) {
    this.#clock = clock
    this.#bytesMax = bytesMax
  }

  async get(owner: string, name: string, prepare: () => Promise<Prepared>): Promise<Uint8Array> {
    const page = this.#pages.get(owner)
    const known = page?.get(name)
    if (known?.prepared !== undefined) {
      const { bytes, expiresMs } = known.prepared
      if (expiresMs === undefined || expiresMs > this.#clock.nowMs()) {
        this.#touch(owner)
        return bytes
      }
      this.drop(owner)
    } else if (known?.underWay !== undefined) return (await known.underWay).bytes
    const slot: Slot = { isValid: true, prepared: undefined, underWay: prepare() }
    const slots = this.#pages.get(owner) ?? new Map<string, Slot>()
    this.#pages.set(owner, slots.set(name, slot))
    try {
      const prepared = await (slot.underWay as Promise<Prepared>)
      if (slot.isValid) {
        slot.prepared = prepared
        this.#bytes += prepared.bytes.length
        this.#trim()
      }
      return prepared.bytes
    } catch (error) {
      if (slot.isValid && slots.get(name) === slot) slots.delete(name)
      throw error
    } finally {
      slot.underWay = undefined
    }
  }

  /** The page is another now. */
  drop(owner: string): void {
    const slots = this.#pages.get(owner)
    if (slots === undefined) return
    this.#pages.delete(owner)
    for (const slot of slots.values()) {
      slot.isValid = false
      this.#bytes -= slot.prepared?.bytes.length ?? 0
    }
  }

  get bytes(): number {
    return this.#bytes
  }

  #touch(owner: string): void {
    const slots = this.#pages.get(owner)
    if (slots === undefined) return
    this.#pages.delete(owner)
    this.#pages.set(owner, slots)
  }

  #trim(): void {
    while (this.#bytes > this.#bytesMax) {
      const [oldest] = this.#pages.keys()
      if (oldest === undefined) return
      this.drop(oldest)
    }
  }
}
