/** When a box was on until its last going off. */
export class Past {
  readonly #startsMs: number[] = []
  readonly #endsMs: number[] = []
  /** Time on until the end of each. */
  readonly #onMs: number[] = []

  end(startMs: number, endMs: number): void {
    this.#startsMs.push(startMs)
    this.#endsMs.push(endMs)
    this.#onMs.push((this.#onMs.at(-1) ?? 0) + endMs - startMs)
  }

  /** Until when this one and the other, which has also been on since `otherOnMs`, were last on at once: who never were count from when this one came. */
  lastMet(other: Past, otherOnMs: number): number {
    let mine = this.#endsMs.length - 1
    let [startMs, endMs] = [otherOnMs, Number.POSITIVE_INFINITY]
    let theirs = other.#endsMs.length
    while (mine >= 0) {
      const metMs = Math.min(this.#endsMs[mine] as number, endMs)
      if (metMs >= Math.max(this.#startsMs[mine] as number, startMs)) return metMs
      if ((this.#startsMs[mine] as number) > startMs) mine--
      else if (--theirs < 0) break
      else [startMs, endMs] = [other.#startsMs[theirs] as number, other.#endsMs[theirs] as number]
    }
    return this.#startsMs[0] ?? 0
  }

  onMsSince(sinceMs: number): number {
    let ms = this.#onMs.at(-1) ?? 0
    let [low, high] = [0, this.#endsMs.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#endsMs[middle] as number) <= sinceMs) low = middle + 1
      else high = middle
    }
    if (low === this.#endsMs.length) return 0
    ms -= this.#onMs[low] as number
    return ms + (this.#endsMs[low] as number) - Math.max(sinceMs, this.#startsMs[low] as number)
  }
}
