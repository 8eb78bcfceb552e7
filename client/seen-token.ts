import { toHex } from '../protocol/bytes.ts'
import { apiLimits } from '../protocol/api/limits.ts'
import type { RequestOf } from '../protocol/api/operations.ts'
import { limits } from '../protocol/limits.ts'
import { SeenNumbers } from '../protocol/record/seen.ts'
import type { IdentityId, SignedRecord } from '../protocol/record/types.ts'

export type SeenToken = NonNullable<RequestOf<'record.get'>['seen']>

interface Interval {
  readonly first: number
  readonly last: number
}

/** Shards whose numbers are remembered: everybody on a few pages. */
const shardsMax = 1_000

/**
 * What this reader was shown of each shard. Presented with every read, so that a node that lacks some of it catches
 * up first or says LAGGING: reads never go back in time, whichever replica answers.
 */
export class SeenTokens {
  readonly #shards = new Map<string, SeenNumbers>()

  add({ header }: Pick<SignedRecord, 'header'>): void {
    const name = toHex(header.owner)
    let seen = this.#shards.get(name)
    // A device with endless gaps fills the list; from then on only a fresh one can go on.
    if (seen === undefined || !seen.add(header.device, header.number)) {
      seen = new SeenNumbers()
      seen.add(header.device, header.number)
      this.#shards.delete(name)
      this.#shards.set(name, seen)
    }
    if (this.#shards.size > shardsMax) {
      const [oldest] = this.#shards.keys()
      if (oldest !== undefined) this.#shards.delete(oldest)
    }
  }

  /** As much of it as a request takes: the newest runs. Undefined when nothing was seen. */
  of(owner: IdentityId): SeenToken | undefined {
    const seen = this.#shards.get(toHex(owner))
    if (seen === undefined) return undefined
    const devices = new Map<string, { device: Uint8Array; intervals: Interval[] }>()
    for (const [device, first, last] of seen) {
      const entry = devices.get(toHex(device)) ?? { device, intervals: [] }
      entry.intervals.push({ first, last })
      devices.set(toHex(device), entry)
    }
    return [...devices.values()].slice(-apiLimits.seenDevicesMax).map(({ device, intervals }) => ({
      device,
      intervals: intervals.slice(-runsSentMax),
    }))
  }
}

/** A token is sent with every read: the newest gaps matter, the whole history does not. */
const runsSentMax = Math.min(16, apiLimits.seenIntervalsMax, limits.seenIntervalsMax)
