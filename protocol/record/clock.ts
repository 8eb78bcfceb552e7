/**
 * Hybrid logical clock in 64 bits: 48 bits of Unix milliseconds, then a 16-bit counter. Follows physical time,
 * never goes back, and orders what one device wrote after what it had seen.
 */
import { OnehopError } from '../errors.ts'
import { limits } from '../limits.ts'
import { clockMax } from './header.ts'

const counterBits = 16n
const msMax = 2 ** 48 - 1

export function clockOf(ms: number, counter = 0): bigint {
  const clock =
    (BigInt(Math.min(Math.max(Math.floor(ms), 0), msMax)) << counterBits) | BigInt(counter & 0xffff)
  return clock > clockMax ? clockMax : clock
}

export function clockMs(clock: bigint): number {
  return Number(clock >> counterBits)
}

/** Judged against physical time: against a clock that others can move, each write could pull the next one along. */
export function isClockAhead(clock: bigint, nowMs: number): boolean {
  return clockMs(clock) > nowMs + limits.clockAheadMsMax
}

export class HybridClock {
  #last: bigint

  /** `last`: the highest clock that this device wrote or took in before. */
  constructor(last = 0n) {
    this.#last = last
  }

  get last(): bigint {
    return this.#last
  }

  /** For the next write: later than every one before. A full counter carries into the milliseconds. */
  tick(nowMs: number): bigint {
    const physical = clockOf(nowMs)
    const next = physical > this.#last ? physical : this.#last + 1n
    if (next > clockMax)
      throw new OnehopError('CLOCK_AHEAD', 'no clock is left: this device ran far ahead of time')
    this.#last = next
    return next
  }

  /** Takes in what another device wrote. False, and nothing moves, when it is ahead of physical time. */
  receive(clock: bigint, nowMs: number): boolean {
    if (clock > clockMax || isClockAhead(clock, nowMs)) return false
    if (clock > this.#last) this.#last = clock
    return true
  }
}
