/**
 * Which record numbers of each device were seen, as intervals. Tells a record that was held and rightly dropped
 * from one that never arrived; as a session token, tells a node what its reader has already been shown.
 */
import { compareBytes, fromHex, toHex } from '../bytes.ts'
import { encode } from '../codec.ts'
import { limits } from '../limits.ts'
import { array, bytes, decodeAs, mapped, mismatch, tuple, uint } from '../shape.ts'
import type { DeviceKey } from './types.ts'

/** First and last of each run in turn: ascending, and apart by at least one number. */
type Runs = number[]

const number = uint(Number.MAX_SAFE_INTEGER, 1)
const runsShape = mapped(array(number, limits.seenIntervalsMax * 2, 2), (runs) => {
  if (runs.length % 2 !== 0) throw mismatch('first and last of each run')
  for (let i = 0; i < runs.length; i += 2) {
    const [first, last, before] = [runs[i] as number, runs[i + 1] as number, runs[i - 1]]
    if (last < first || (before !== undefined && first <= before + 1))
      throw mismatch('ascending runs with gaps')
  }
  return runs
})
const seenShape = mapped(array(tuple(bytes(32), runsShape), limits.seenDevicesMax), (devices) => {
  if (devices.reduce((sum, [, runs]) => sum + runs.length, 0) > limits.seenIntervalsTotalMax * 2) {
    throw mismatch(`at most ${limits.seenIntervalsTotalMax} runs`)
  }
  for (let i = 1; i < devices.length; i++) {
    const [before, here] = [devices[i - 1]?.[0] as DeviceKey, devices[i]?.[0] as DeviceKey]
    if (compareBytes(before, here) >= 0) throw mismatch('ascending devices')
  }
  return devices
})

export function decodeSeen(seenBytes: Uint8Array): SeenNumbers {
  const seen = new SeenNumbers()
  for (const [device, runs] of decodeAs(seenShape, seenBytes, 'seen')) {
    for (let i = 0; i < runs.length; i += 2) seen.addRun(device, runs[i] as number, runs[i + 1] as number)
  }
  return seen
}

export class SeenNumbers {
  readonly #runs = new Map<string, Runs>()
  #count = 0

  /**
   * False when it was not kept: the device, or the gap before the number, is one too many. A number that is not
   * kept is only fetched again; one that was never seen is never claimed.
   */
  add(device: DeviceKey, seen: number): boolean {
    return this.addRun(device, seen, seen)
  }

  addRun(device: DeviceKey, first: number, last: number): boolean {
    const name = toHex(device)
    const runs = this.#runs.get(name)
    const full = this.#count >= limits.seenIntervalsTotalMax
    if (runs === undefined) {
      if (full || this.#runs.size >= limits.seenDevicesMax) return false
      this.#runs.set(name, [first, last])
      this.#count++
      return true
    }
    // The runs from `start` up to `end` touch the new one and become part of it.
    const start = firstRun(runs, (_, runLast) => runLast >= first - 1)
    const end = firstRun(runs, (runFirst) => runFirst > last + 1)
    if (start === end) {
      if (full || runs.length >= limits.seenIntervalsMax * 2) return false
      runs.splice(start, 0, first, last)
      this.#count++
    } else {
      const joined = [Math.min(first, runs[start] as number), Math.max(last, runs[end - 1] as number)]
      runs.splice(start, end - start, ...joined)
      this.#count -= (end - start) / 2 - 1
    }
    return true
  }

  has(device: DeviceKey, seen: number): boolean {
    const runs = this.#runs.get(toHex(device))
    if (runs === undefined) return false
    const at = firstRun(runs, (_, last) => last >= seen)
    return at < runs.length && (runs[at] as number) <= seen
  }

  /** False when something had to be left out; see `add`. */
  merge(other: SeenNumbers): boolean {
    let all = true
    for (const [device, first, last] of other) if (!this.addRun(device, first, last)) all = false
    return all
  }

  /** Whether everything that the other has seen was seen here. */
  covers(other: SeenNumbers): boolean {
    for (const [device, first, last] of other) {
      const runs = this.#runs.get(toHex(device)) ?? []
      const at = firstRun(runs, (_, runLast) => runLast >= last)
      if (at >= runs.length || (runs[at] as number) > first) return false
    }
    return true
  }

  /** The highest number seen of a device, 0 when none was. */
  last(device: DeviceKey): number {
    return this.#runs.get(toHex(device))?.at(-1) ?? 0
  }

  *[Symbol.iterator](): Generator<[device: DeviceKey, first: number, last: number]> {
    for (const [name, runs] of this.#runs) {
      const device = fromHex(name) as DeviceKey
      for (let i = 0; i < runs.length; i += 2) yield [device, runs[i] as number, runs[i + 1] as number]
    }
  }

  /** Equal sets give equal bytes. */
  encode(): Uint8Array {
    const names = [...this.#runs.keys()].toSorted()
    return encode(
      names.map((name) => [fromHex(name), this.#runs.get(name)]),
      { itemsMax: limits.cborItemsMax },
    )
  }
}

/** Index of the first run for which the condition holds; it must hold for all after it. */
function firstRun(runs: Runs, holds: (first: number, last: number) => boolean): number {
  let low = 0
  let high = runs.length / 2
  while (low < high) {
    const middle = (low + high) >>> 1
    if (holds(runs[middle * 2] as number, runs[middle * 2 + 1] as number)) high = middle
    else low = middle + 1
  }
  return low * 2
}
