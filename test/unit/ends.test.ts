import { expect, test } from 'vitest'
import {
  coversMs,
  dayMs,
  hasExpired,
  isBare,
  overriddenMs,
  sweepCutMs,
  sweptOf,
  withoutSections,
} from '../../protocol/record/ends.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { decodeRecord, encodeRecord } from '../../protocol/record/wire.ts'
import { incomingRecord, type PlainRecord, sha256 } from '../support/records.ts'

const day = 20_000
const midnightMs = day * dayMs
const at = (ms: number, plain: PlainRecord = {}) =>
  incomingRecord({
    key: Uint8Array.of(1),
    merge: 'register',
    clock: clockOf(ms),
    ...plain,
  }).record

test('a cut is a start of a UTC day that a clock one day behind has passed as well', () => {
  expect(sweepCutMs(midnightMs)).toBe((day - 1) * dayMs)
  expect(sweepCutMs(midnightMs - 1)).toBe((day - 2) * dayMs)
  expect(sweepCutMs(midnightMs + dayMs - 1)).toBe((day - 1) * dayMs)
})

test('what expires is over from its time on, whatever its clock says', () => {
  const record = at(midnightMs, { expiresMs: midnightMs + 5 })
  expect(hasExpired(record, midnightMs)).toBe(false)
  expect(hasExpired(record, midnightMs + 5)).toBe(true)
  expect(hasExpired(at(midnightMs), Number.MAX_SAFE_INTEGER)).toBe(false)
})

test('what was overridden goes ninety days after the version above it, and nothing that is above', () => {
  const below = at(midnightMs)
  const deleted = at(midnightMs + 1, { operation: 'delete' })
  const again = at(midnightMs + 2)
  const versions = [again, below, deleted]
  const overMs = midnightMs + 1 + overriddenMs
  expect(coversMs(deleted.header)).toBe(overMs)
  expect(sweptOf(versions, overMs - 1)).toEqual([])
  expect(sweptOf(versions, overMs)).toEqual([below])
  expect(sweptOf(versions, overMs + 1)).toEqual([below, deleted])
  // One that has expired lets what is below it stand until the ninety days are over.
  const short = at(midnightMs + 3, { expiresMs: midnightMs + 4 })
  expect(sweptOf([again, short], midnightMs + 4)).toEqual([short])
  expect(sweptOf([again, short], midnightMs + 3 + overriddenMs)).toEqual([again, short])
})

test('what is left is the same record under the same name', () => {
  const record = at(midnightMs)
  const bare = decodeRecord({ sha256 }, encodeRecord(withoutSections(record)))
  expect([isBare(record), isBare(bare)]).toEqual([false, true])
  expect(bare.id).toEqual(record.id)
  expect(bare.headerBytes).toEqual(record.headerBytes)
})
