import { toHex } from '../protocol/bytes.ts'
import { nameOf } from '../protocol/id-name.ts'
import type { Clock } from '../protocol/ports.ts'
import type { IdentityId } from '../protocol/record/types.ts'
import type { Hosting } from './hosting.ts'

const dayMs = 86_400_000

interface Bucket {
  left: number
  atMs: number
}

/**
 * How fast a shard that is kept for others may be written anew: as many bytes at once as its lease has, and so many a day beside.
 * So a copy fills as fast as it can, and nobody wears out a neighbour's disk by writing the same items for ever.
 */
export class WriteRates {
  readonly #clock: Clock
  readonly #hosting: Pick<Hosting, 'get' | 'onRemoved'>
  readonly #bytesPerDay: number
  readonly #buckets = new Map<string, Bucket>()

  constructor(clock: Clock, hosting: Pick<Hosting, 'get' | 'onRemoved'>, bytesPerDay: number) {
    this.#clock = clock
    this.#hosting = hosting
    this.#bytesPerDay = bytesPerDay
    hosting.onRemoved((owner) => this.#buckets.delete(toHex(owner)))
  }

  /** False, and nothing is taken, where that is more than may be written now. People of the house write as they like. */
  take(owner: IdentityId, bytes: number): boolean {
    const hosted = this.#hosting.get(owner)
    if (hosted === undefined || hosted.person) return true
    const most = hosted.quotaBytes + this.#bytesPerDay
    const nowMs = this.#clock.monotonicMs()
    const name = nameOf(owner)
    const bucket = this.#buckets.get(name) ?? { left: most, atMs: nowMs }
    bucket.left = Math.min(most, bucket.left + ((nowMs - bucket.atMs) / dayMs) * this.#bytesPerDay)
    bucket.atMs = nowMs
    this.#buckets.set(name, bucket)
    if (bucket.left < bytes) return false
    bucket.left -= bytes
    return true
  }
}
