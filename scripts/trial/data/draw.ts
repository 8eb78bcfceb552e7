import { createSeededRandom } from '../../../test/support/seeded-random.ts'

/** Choices that come out the same in every run. */
export class Draw {
  readonly #next: () => number

  constructor(seed: number) {
    const random = createSeededRandom(seed)
    this.#next = () => random.next()
  }

  /** In [0, 1). */
  fraction(): number {
    return this.#next()
  }

  /** In [0, below). */
  whole(below: number): number {
    return Math.floor(this.#next() * below)
  }

  of<T>(from: readonly T[]): T {
    return from[this.whole(from.length)] as T
  }

  /** Some of them, each once, in no order. */
  some<T>(from: readonly T[], count: number): T[] {
    const left = [...from]
    for (let i = 0; i < Math.min(count, left.length); i++) {
      const j = i + this.whole(left.length - i)
      ;[left[i], left[j]] = [left[j] as T, left[i] as T]
    }
    return left.slice(0, count)
  }

  /** Heavy-tailed: most are 0 or 1, some reach `max`. */
  tail(max: number): number {
    return Math.min(max, Math.floor(0.6 / (1 - this.#next()) ** 0.8))
  }
}
