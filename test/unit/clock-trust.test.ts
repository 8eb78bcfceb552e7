import { expect, test } from 'vitest'
import { ClockTrust, type Look, type Trust } from '../../daemon/sweep/clock-trust.ts'
import { dayMs } from '../../protocol/record/ends.ts'

const nowMs = 20_000 * dayMs
const alone = (days: number, leapDays = 0): Look => ({
  nowMs: nowMs + (days + leapDays) * dayMs,
  monotonicMs: days * dayMs,
  othersMs: [],
})
const trustOf = (trust: ClockTrust, look: Look): boolean => trust.look(look).isTrusted
const after = (days: number, isTrusted = true): Trust => ({
  lookMs: nowMs - days * dayMs,
  evenMs: 0,
  isTrusted,
})

test('a node that hears nobody believes its clock as long as that does not leap', () => {
  const trust = new ClockTrust(undefined, true)
  expect([0, 0.25, 0.5, 3].map((days) => trustOf(trust, alone(days)))).toEqual([true, true, true, true])
  expect(trustOf(trust, alone(3.25, 3_650))).toBe(false)
  expect(trustOf(trust, alone(3.5, 3_650))).toBe(false)
  // Nor does it where it leaps back to where it was: which of the two was right nobody knows.
  expect(trustOf(trust, alone(3.75))).toBe(false)
})

test('it is believed again after thirty days in which it went evenly, restarts among them', () => {
  const trust = new ClockTrust(undefined, true)
  trust.look(alone(0))
  for (let days = 1; days <= 20; days++) expect(trustOf(trust, alone(days, 400))).toBe(false)
  const noted = trust.look(alone(20, 400))
  const restarted = new ClockTrust(noted, false)
  for (let days = 0; days < 11; days++)
    expect(trustOf(restarted, { ...alone(days), nowMs: noted.lookMs + days * dayMs })).toBe(false)
  expect(trustOf(restarted, { ...alone(12), nowMs: noted.lookMs + 12 * dayMs })).toBe(true)
})

test('a box that was off for a night is believed at once, one that was off for months is not', () => {
  expect(trustOf(new ClockTrust(after(0.9), false), alone(0))).toBe(true)
  expect(trustOf(new ClockTrust(after(100), false), alone(0))).toBe(false)
  expect(trustOf(new ClockTrust(after(0.1, false), false), alone(0))).toBe(false)
  // One that has kept things and never looked.
  expect(trustOf(new ClockTrust(undefined, false), alone(0))).toBe(false)
})

test('where others are heard, more than half of them must agree, whatever it was before', () => {
  const others = (...apart: number[]): Look => ({
    ...alone(0),
    othersMs: apart.map((days) => nowMs + days * dayMs),
  })
  const cases: readonly (readonly [readonly number[], boolean])[] = [
    [[0], true],
    [[-1, 1], true],
    [[-3_650], false],
    [[0, -3_650], false],
    [[0, 0.5, -3_650], true],
    [[3_650, 3_650, 0], false],
  ]
  for (const [apart, isTrusted] of cases)
    for (const before of [after(100), after(0), after(0, false), undefined])
      expect(trustOf(new ClockTrust(before, false), others(...apart))).toBe(isTrusted)
})

test('what others gainsay is not believed for having gone evenly, once nobody is heard', () => {
  const trust = new ClockTrust(after(0), false)
  for (let days = 1; days <= 40; days++)
    expect(trustOf(trust, { ...alone(days), othersMs: [nowMs + (days - 3_650) * dayMs] })).toBe(false)
  expect(trustOf(trust, alone(40.25))).toBe(false)
})
