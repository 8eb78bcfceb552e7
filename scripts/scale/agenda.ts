/** What is to happen, by time: a heap of numbers, as there are millions. Of the same time in an order that depends on nothing else. */
export class Agenda {
  #times = new Float64Array(1_024)
  #whats = new Int32Array(1_024)
  #whos = new Int32Array(1_024)
  #size = 0

  /** Of the event that was taken last. */
  nowMs = 0
  what = 0
  who = 0

  add(atMs: number, what: number, who: number): void {
    if (this.#size === this.#times.length) this.#grow()
    let at = this.#size++
    while (at > 0) {
      const above = (at - 1) >> 1
      if ((this.#times[above] as number) <= atMs) break
      this.#move(above, at)
      at = above
    }
    this.#put(at, atMs, what, who)
  }

  /** False when nothing is left before that time. */
  take(untilMs: number): boolean {
    if (this.#size === 0 || (this.#times[0] as number) >= untilMs) return false
    this.nowMs = this.#times[0] as number
    this.what = this.#whats[0] as number
    this.who = this.#whos[0] as number
    const last = --this.#size
    const atMs = this.#times[last] as number
    const [what, who] = [this.#whats[last] as number, this.#whos[last] as number]
    let at = 0
    for (let below = 1; below < last; below = 2 * at + 1) {
      if (below + 1 < last && (this.#times[below + 1] as number) < (this.#times[below] as number)) below++
      if ((this.#times[below] as number) >= atMs) break
      this.#move(below, at)
      at = below
    }
    this.#put(at, atMs, what, who)
    return true
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#times[from] as number, this.#whats[from] as number, this.#whos[from] as number)
  }

  #put(at: number, ms: number, what: number, who: number): void {
    this.#times[at] = ms
    this.#whats[at] = what
    this.#whos[at] = who
  }

  #grow(): void {
    const [times, whats, whos] = [this.#times, this.#whats, this.#whos]
    this.#times = new Float64Array(times.length * 2)
    this.#whats = new Int32Array(times.length * 2)
    this.#whos = new Int32Array(times.length * 2)
    this.#times.set(times)
    this.#whats.set(whats)
    this.#whos.set(whos)
  }
}
