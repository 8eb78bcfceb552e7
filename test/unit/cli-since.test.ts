import { expect, it } from 'vitest'
import { readPointInTime } from '../../cli/since.ts'

const now = Date.parse('2026-11-27T12:00:00')

it('is read as a day, an hour of this machine, or how long ago', () => {
  const read = (text: string) => (now - readPointInTime(text, now)) / 60_000
  expect([read('30min'), read('5h'), read('2 d')]).toEqual([30, 300, 2_880])
  expect(read('2026-11-27')).toBe(720)
  expect(read('2026-11-27 11:30')).toBe(30)
  expect(read('2026-11-27T11:30:00')).toBe(30)
})

it.each([
  '',
  'yesterday',
  '3 weeks',
  '-1h',
  '2026',
  '2026-13-01',
  '2026-02-30',
  '2026-11-28',
  'Nov 3 2026',
  '5',
])('is not %j', (text) => {
  expect(() => readPointInTime(text, now)).toThrow(/a time is a day/)
})
