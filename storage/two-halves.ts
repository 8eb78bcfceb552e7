/**
 * A map of bounded size that forgets what came first, half of it at a time. To delete the oldest key at each new one costs
 * seven times as much with 4,096 keys and twenty times with 32,768: a Map looks for its first key through all the gaps that
 * the deleted ones left.
 */
export class TwoHalves<T> {
  readonly #halfMax: number
  #young = new Map<string, T>()
  #old = new Map<string, T>()

  constructor(max: number) {
    this.#halfMax = max >> 1
  }

  /** What was set again counts twice as long as it lies in both. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): T | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  set(key: string, value: T): void {
    if (this.#young.size >= this.#halfMax && !this.#young.has(key)) {
      this.#old = this.#young
      this.#young = new Map()
    }
    this.#young.set(key, value)
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
  }
}
