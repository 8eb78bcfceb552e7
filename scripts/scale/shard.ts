import type { KnownSet } from '../../protocol/placement/mending.ts'
import type { Box } from './box.ts'
import { boxOf } from './box.ts'

/** More copies than this are counted as so many. */
export const copiesCounted = 8

/** A shard that is watched: its set, who has all of it, and for how long how many had. */
export class Shard {
  readonly index: number
  readonly owner: Uint8Array
  /** Where its person lives, with a seat or without. */
  home: Box
  set: KnownSet | undefined
  /** Seated or not, who has all records. */
  readonly whole = new Set<Box>()
  /** Seated, and to be given the records as soon as both sides are on. */
  readonly toFill = new Set<Box>()
  /** Somebody stayed away too long, or a seat is empty. */
  isIll = false
  nextLookMs = Number.POSITIVE_INFINITY
  appWaits = false
  leastAlive = Number.POSITIVE_INFINITY
  /** It came to fewer than two as a set was taken that seats others than those who have the records. */
  fellAsSeated = false
  /** Copies with a seat at nodes that have not left, and those at nodes that are on. */
  alive = 0
  reachable = 0
  readonly aliveMs = new Float64Array(copiesCounted + 1)
  readonly reachableMs = new Float64Array(copiesCounted + 1)
  #countedMs = 0

  constructor(index: number, owner: Uint8Array, home: Box) {
    this.index = index
    this.owner = owner
    this.home = home
  }

  /** To be called after every change of it: what was until now is booked, what is counted. */
  count(nowMs: number): void {
    const passedMs = nowMs - this.#countedMs
    this.aliveMs[Math.min(copiesCounted, this.alive)]! += passedMs
    this.reachableMs[Math.min(copiesCounted, this.reachable)]! += passedMs
    this.#countedMs = nowMs
    this.alive = 0
    this.reachable = 0
    for (const seat of this.set?.members ?? []) {
      const box = boxOf(seat)
      if (box.gone || !this.whole.has(box)) continue
      this.alive++
      if (box.on) this.reachable++
    }
    this.leastAlive = Math.min(this.leastAlive, this.alive)
  }
}
