import { expect, test } from 'vitest'
import { Agenda } from '../../scripts/scale/agenda.ts'
import { binomial, expectedHops } from '../../scripts/scale/formulas.ts'
import { measure, type Measured } from '../../scripts/scale/measure.ts'
import { Past } from '../../scripts/scale/past.ts'
import { profiles, type Profile } from '../../scripts/scale/profile.ts'

const [home, streaming] = profiles as readonly [Profile, Profile]

function month(profile: Profile, seed: number, days = 30): Omit<Measured, 'realS'> {
  const { realS: _, ...figures } = measure({
    nodes: 100,
    profile,
    days,
    seed,
    sessions: undefined,
    leaveShare: 0.2,
    shardBytes: 64 * 2 ** 20,
    watch: undefined,
    builtIn: true,
  })
  return figures
}

test('a hundred nodes live through a month: the same seed, the same figures', () => {
  const figures = month(home, 1)
  expect(month(home, 1)).toEqual(figures)
  expect(month(home, 2)).not.toEqual(figures)
  expect(figures.copies.alive.measured).toBeGreaterThan(3.8)
  expect(figures.copies.reachable.measured).toBeGreaterThan(3.5)
  expect(figures.copies.aliveShares.reduce((sum, one) => sum + one, 0)).toBeCloseTo(1, 3)
  expect(figures.placement.inOneDomain).toBe(0)
  expect(figures.counts.steps).toBeGreaterThan(0)
  expect(figures.series).toHaveLength(30)
  expect(figures.lookup.found).toBe(1)
})

test('nodes that are never on for three days in a row replace others all the same, after more days', () => {
  const few = month(streaming, 1, 3)
  expect(few.counts.sessions).toBeGreaterThan(1_000)
  expect(few.counts.steps).toBe(0)
  expect(month(streaming, 1, 45).counts.steps).toBeGreaterThan(0)
})

test('when two were last on at once, and how long one was on since', () => {
  const [one, other] = [new Past(), new Past()]
  one.end(0, 10)
  one.end(20, 30)
  other.end(0, 4)
  other.end(12, 18)
  other.end(25, 40)
  other.end(50, 60)
  expect(one.lastMet(other, 70)).toBe(30)
  expect(other.onMsSince(30)).toBe(20)
  one.end(55, 56)
  expect(one.lastMet(other, 70)).toBe(56)
  expect([other.onMsSince(56), other.onMsSince(60)]).toEqual([4, 0])
  one.end(65, 72)
  expect(one.lastMet(other, 70)).toBe(72)
  expect(new Past().lastMet(other, 70)).toBe(0)
})

test('events come by their time', () => {
  const agenda = new Agenda()
  const times = Array.from({ length: 3_000 }, (_, i) => (i * 7_919) % 3_001)
  for (const [i, atMs] of times.entries()) agenda.add(atMs, 0, i)
  const taken: number[] = []
  while (agenda.take(3_000)) taken.push(agenda.nowMs)
  expect(taken).toEqual(times.filter((atMs) => atMs < 3_000).toSorted((a, b) => a - b))
})

test('formulas', () => {
  expect(binomial(4, 0.5, 2)).toBeCloseTo(0.375)
  expect([100, 10_000, 1_000_000].map(expectedHops)).toEqual([1, 2, 3])
})
