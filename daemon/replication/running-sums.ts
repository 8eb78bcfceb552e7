import { toHex } from '../../protocol/bytes.ts'
import type { IdentityId, RecordRef } from '../../protocol/record/types.ts'
import {
  addId,
  fingerprintOf,
  subtractSum,
  sumWords,
  type Sha256,
} from '../../protocol/reconcile/fingerprint.ts'
import type { Arrival } from '../ingest.ts'

/** The fingerprint of a whole shard, kept up as records arrive. */
interface RunningSum {
  readonly sum: Uint32Array
  count: number
  logHead: number
  /** The newest arrivals, which a bound may leave out again. */
  recent: RecordRef[]
  /** The highest clock among the others; below all clocks when there are none. */
  settled: bigint
}

/** 300 bytes each, and the recent ones. */
const shardsMax = 65_536
const recentMax = 16

/**
 * A shard that is compared while records stream into it must not be read from the disk for each comparison. Sums are
 * additive, so an arrival costs one addition. Whenever the log moved otherwise than by arrivals told here, the sum is
 * forgotten and made anew from the disk.
 */
export class RunningSums {
  readonly #sha256: Sha256
  readonly #sums = new Map<string, RunningSum>()

  constructor(sha256: Sha256) {
    this.#sha256 = sha256
  }

  /** What was read from the disk, when the log stood there. */
  begin(owner: IdentityId, logHead: number, refs: readonly RecordRef[]): void {
    const running: RunningSum = {
      sum: new Uint32Array(sumWords),
      count: 0,
      logHead,
      recent: [],
      settled: -1n,
    }
    for (const ref of refs) add(running, ref)
    this.#sums.delete(toHex(owner))
    this.#sums.set(toHex(owner), running)
    if (this.#sums.size > shardsMax) this.#sums.delete(this.#sums.keys().next().value as string)
  }

  stored(arrivals: readonly Arrival[]): void {
    for (const { record, put } of arrivals) {
      const { position } = put
      if (position === undefined) continue
      const name = toHex(record.header.owner)
      // The first record of a shard needs no reading.
      if (position === 1) this.begin(record.header.owner, 0, [])
      const running = this.#sums.get(name)
      if (running === undefined) continue
      if (running.logHead !== position - 1) {
        this.#sums.delete(name)
        continue
      }
      running.logHead = position
      if (put.state === 'stored') add(running, { clock: record.header.clock, id: record.id })
    }
  }

  /**
   * Undefined when it has to be read: nothing is kept, the log moved on, records were dropped, or the bound cuts deeper than
   * `recent`.
   */
  fingerprint(
    owner: IdentityId,
    { logHead, records }: { readonly logHead: number; readonly records: number },
    until: bigint,
  ): Uint8Array | undefined {
    const running = this.#sums.get(toHex(owner))
    if (running === undefined || running.logHead !== logHead || running.count !== records) return undefined
    if (running.settled >= until) return undefined
    const above = new Uint32Array(sumWords)
    let left = running.count
    for (const { clock, id } of running.recent) {
      if (clock < until) continue
      addId(above, new DataView(id.buffer, id.byteOffset), 0)
      left--
    }
    return fingerprintOf(subtractSum(running.sum, above), left, this.#sha256)
  }

  /** True when a fingerprint below the bound was over everything up to this place of the arrival log. */
  covers(owner: IdentityId, logHead: number, until: bigint): boolean {
    const running = this.#sums.get(toHex(owner))
    if (running === undefined || running.logHead !== logHead || running.settled >= until) return false
    return running.recent.every(({ clock }) => clock < until)
  }
}

function add(running: RunningSum, ref: RecordRef): void {
  addId(running.sum, new DataView(ref.id.buffer, ref.id.byteOffset), 0)
  running.count++
  running.recent.push(ref)
  if (running.recent.length <= recentMax) return
  const { clock } = running.recent.shift() as RecordRef
  if (clock > running.settled) running.settled = clock
}
