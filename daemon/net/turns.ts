import type { Clock } from '../../protocol/ports.ts'
import { nextTurn } from '../clock.ts'
import type { NodeId } from './rpc.ts'

/**
 * One thread serves phones and peers alike. What peers ask takes it for so long in a row; then everything else that is
 * ready has its turn, and those who wait go on one by one, each peer in its turn: ten that flood cost a phone ten times
 * nothing, and an eleventh peer ten elevenths of its share. A budget of requests could not do it, as one request may
 * be a thousand signatures.
 */
export class Turns {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #turnMs: number
  readonly #waiting = new Map<NodeId, (() => void)[]>()
  #spentMs = 0
  #isBegun = false

  constructor(clock: Pick<Clock, 'monotonicMs'>, turnMs: number) {
    this.#clock = clock
    this.#turnMs = turnMs
  }

  /** Does the work at once, with what it throws; or answers when it was done later, and then `work` must not throw. */
  take(peer: NodeId, work: () => void): Promise<void> | undefined {
    if (this.#waiting.size === 0 && this.#spentMs < this.#turnMs) {
      this.#begin()
      this.#spend(work)
      return undefined
    }
    // Also where nobody waits: those who did may just have used this turn up.
    this.#begin()
    return new Promise((resolve) => {
      const mine = this.#waiting.get(peer) ?? []
      this.#waiting.set(peer, mine)
      mine.push(() => {
        work()
        resolve()
      })
    })
  }

  #spend(work: () => void): void {
    const startMs = this.#clock.monotonicMs()
    try {
      work()
    } finally {
      this.#spentMs += this.#clock.monotonicMs() - startMs
    }
  }

  #begin(): void {
    if (this.#isBegun) return
    this.#isBegun = true
    void nextTurn().then(() => this.#next())
  }

  #next(): void {
    this.#isBegun = false
    this.#spentMs = 0
    while (this.#spentMs < this.#turnMs) {
      const [first] = this.#waiting
      if (first === undefined) break
      const [peer, works] = first
      const work = works.shift()
      // To the end of the row, or out of it.
      this.#waiting.delete(peer)
      if (works.length > 0) this.#waiting.set(peer, works)
      if (work !== undefined) this.#spend(work)
    }
    if (this.#waiting.size > 0) this.#begin()
  }
}
