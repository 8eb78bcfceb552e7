import { compareBytes } from '../bytes.ts'
import type { Ranked } from './merge.ts'

export interface Hit extends Ranked {
  readonly key: string
}

/** The best so far, in order. Most offers are worse than the last and cost one comparison. */
export class BestHits {
  readonly hits: Hit[] = []
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  offer(score: number, id: Uint8Array, key: string): void {
    const last = this.hits.at(-1)
    if (this.hits.length === this.#limit) {
      if (last === undefined || !before(score, id, last)) return
      this.hits.pop()
    }
    let low = 0
    let high = this.hits.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (before(score, id, this.hits[middle] as Hit)) high = middle
      else low = middle + 1
    }
    this.hits.splice(low, 0, { score, id, key })
  }
}

function before(score: number, id: Uint8Array, other: Hit): boolean {
  return score !== other.score ? score > other.score : compareBytes(id, other.id) < 0
}
