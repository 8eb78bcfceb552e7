import { describe, expect, test } from 'vitest'
import { absenceMs, HearingClock, missedMs } from '../../protocol/placement/absence.ts'

const heartbeatMs = 20_000
const hourMs = 3_600_000

describe('the hearing clock', () => {
  test('runs while somebody is heard, through two heartbeats of silence and no further', () => {
    const clock = new HearingClock(heartbeatMs)
    expect(clock.readMs(5_000)).toBe(0)
    for (let ms = 5_000; ms <= 65_000; ms += heartbeatMs) clock.heard(ms)
    expect([clock.readMs(65_000), clock.readMs(75_000)]).toEqual([60_000, 70_000])
    expect(clock.readMs(65_000 + hourMs)).toBe(100_000)
    // Cut off for an hour, then again among others.
    clock.heard(65_000 + hourMs)
    clock.heard(75_000 + hourMs)
    expect(clock.readMs(75_000 + hourMs)).toBe(110_000)
  })

  test('begins anywhere, and never goes back', () => {
    const clock = new HearingClock(heartbeatMs)
    let last = 0
    for (const ms of [1e12, 1e12 + 1, 1e12 + hourMs, 1e12 + hourMs, 1e12 + 2 * hourMs]) {
      clock.heard(ms)
      expect(clock.readMs(ms)).toBeGreaterThanOrEqual(last)
      last = clock.readMs(ms)
    }
  })
})

describe('an absence', () => {
  test('goes on from earlier runs', () => {
    expect(missedMs({ beforeMs: 10 * hourMs, sinceMs: 0 }, 2 * hourMs)).toBe(12 * hourMs)
    expect(absenceMs({ beforeMs: 10 * hourMs, sinceMs: 0 }, 2 * hourMs, heartbeatMs)).toBe(12 * hourMs)
    // Heard an hour ago.
    expect(absenceMs({ beforeMs: 0, sinceMs: hourMs }, 2 * hourMs, heartbeatMs)).toBe(hourMs)
  })

  test('of earlier runs is no reason to judge who was just met again, or not yet', () => {
    const before = { beforeMs: 100 * hourMs, sinceMs: 0 }
    expect(absenceMs(before, 60_000, heartbeatMs)).toBe(60_000)
    expect(absenceMs(before, 300_000, heartbeatMs)).toBe(100 * hourMs + 300_000)
  })
})
