/** Token bucket: `perS` tokens a second, at most `burst` at once. Starts full. */
export class Budget {
  readonly #perS: number
  readonly #burst: number
  #tokens: number
  #updatedMs: number

  constructor(perS: number, burst: number, nowMs: number) {
    this.#perS = perS
    this.#burst = burst
    this.#tokens = burst
    this.#updatedMs = nowMs
  }

  /** Whether `tokens` could be had at `nowMs` (monotonic). Nothing is taken otherwise. */
  take(tokens: number, nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#updatedMs)
    this.#tokens = Math.min(this.#burst, this.#tokens + (elapsedMs * this.#perS) / 1000)
    this.#updatedMs = nowMs
    if (tokens > this.#tokens) return false
    this.#tokens -= tokens
    return true
  }
}
