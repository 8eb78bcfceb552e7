import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clockMs, clockOf, HybridClock, isClockAhead } from '../../protocol/record/clock.ts'
import { clockMax } from '../../protocol/record/header.ts'
import { limits } from '../../protocol/limits.ts'

const nowMs = Date.UTC(2026, 0, 15)

describe('hybrid logical clock', () => {
  it('never goes back and never repeats, however physical time and peers jump', () => {
    const step = fc.oneof(
      fc.record({ tickMs: fc.nat({ max: 2 ** 47 }) }),
      fc.record({ clock: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), atMs: fc.nat({ max: 2 ** 47 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 50 }), (steps) => {
        const clock = new HybridClock()
        let last = -1n
        for (const now of steps) {
          if ('tickMs' in now) {
            const next = clock.tick(now.tickMs)
            expect(next).toBeGreaterThan(last)
            last = next
          } else if (clock.receive(now.clock, now.atMs)) {
            expect(clock.last).toBeGreaterThanOrEqual(now.clock)
            expect(clockMs(now.clock)).toBeLessThanOrEqual(now.atMs + limits.clockAheadMsMax)
            if (now.clock > last) last = now.clock
          }
          expect(clock.last).toBeGreaterThanOrEqual(last)
        }
      }),
    )
  })

  it('follows physical time, and counts on where that stands still or went back', () => {
    const clock = new HybridClock(clockOf(nowMs))
    expect(clock.tick(nowMs + 1)).toBe(clockOf(nowMs + 1))
    expect(clock.tick(nowMs + 1)).toBe(clockOf(nowMs + 1, 1))
    expect(clock.tick(nowMs)).toBe(clockOf(nowMs + 1, 2))
  })

  it('carries a full counter into the milliseconds', () => {
    const clock = new HybridClock(clockOf(nowMs, 0xffff))
    expect(clock.tick(nowMs)).toBe(clockOf(nowMs + 1, 0))
  })

  it('refuses what is more than five minutes ahead, and does not move', () => {
    const clock = new HybridClock(clockOf(nowMs))
    expect(clock.receive(clockOf(nowMs + limits.clockAheadMsMax), nowMs)).toBe(true)
    const before = clock.last
    expect(clock.receive(clockOf(nowMs + limits.clockAheadMsMax + 1), nowMs)).toBe(false)
    expect(clock.last).toBe(before)
    expect(isClockAhead(clockOf(nowMs + limits.clockAheadMsMax + 1), nowMs)).toBe(true)
    expect(isClockAhead(clockOf(nowMs - 86_400_000), nowMs)).toBe(false)
  })

  it('takes the write of a peer a little ahead, and writes after it', () => {
    const clock = new HybridClock()
    const theirs = clockOf(nowMs + 60_000, 9)
    expect(clock.receive(theirs, nowMs)).toBe(true)
    expect(clock.tick(nowMs)).toBe(theirs + 1n)
  })

  it('takes an old write of a peer, and is not set back by it', () => {
    const clock = new HybridClock(clockOf(nowMs))
    expect(clock.receive(clockOf(nowMs - 1), nowMs)).toBe(true)
    expect(clock.last).toBe(clockOf(nowMs))
  })

  it('never reaches all ones', () => {
    expect(clockOf(2 ** 48 - 1, 0xffff)).toBe(clockMax)
    const clock = new HybridClock(clockMax)
    expect(() => clock.tick(nowMs)).toThrow(expect.objectContaining({ code: 'CLOCK_AHEAD' }))
    expect(clock.receive(2n ** 64n - 1n, 2 ** 48)).toBe(false)
  })
})
