import { expect, test } from 'vitest'
import {
  doubtAfter,
  isConvicted,
  noDoubt,
  type Doubt,
  type Verdict,
} from '../../protocol/replication/doubt.ts'

const hourMs = 3_600_000
const keptMs = 72 * hourMs

function after(verdicts: readonly Verdict[], eachMs = hourMs): Doubt {
  return verdicts.reduce((doubt, verdict) => doubtAfter(doubt, verdict, eachMs), noDoubt)
}

function times(count: number, verdict: Verdict): Verdict[] {
  return Array.from({ length: count }, () => verdict)
}

test.each([
  ['failed', 3],
  ['evaded', 12],
  ['behind', 72],
  ['silent', 72],
] as const)('%s convicts after %i in a row, and not before', (verdict, count) => {
  expect(isConvicted(after(times(count - 1, verdict)), keptMs)).toBe(false)
  expect(isConvicted(after(times(count, verdict)), keptMs)).toBe(true)
  expect(after([...times(count, verdict), 'passed'])).toEqual(noDoubt)
})

test('what shows nothing takes nothing back', () => {
  for (const verdict of ['failed', 'evaded', 'silent'] as const) {
    const convicted = after(times(72, verdict))
    expect(doubtAfter(convicted, 'open', hourMs)).toEqual(convicted)
  }
})

test('whoever has what was here at the last look is not behind, and whoever answers is not silent', () => {
  expect(after(['behind', 'open']).behindMs).toBe(0)
  expect(after(['behind', 'silent']).behindMs).toBe(0)
  expect(after(['silent', 'failed']).silentMs).toBe(0)
  // Being behind is no answer.
  expect(after(['silent', 'behind', 'silent']).silentMs).toBe(2 * hourMs)
})
