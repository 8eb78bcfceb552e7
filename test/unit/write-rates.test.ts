import { expect, test } from 'vitest'
import type { Hosted } from '../../daemon/hosting.ts'
import { WriteRates } from '../../daemon/write-rates.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const owner = new Uint8Array(32).fill(1)
const hosted: Hosted = { owner, person: false, quotaBytes: 20_000, expiresMs: undefined, label: '' }

function open(row: Hosted | undefined) {
  const clock = createVirtualClock()
  let remove: ((owner: Uint8Array) => void) | undefined
  const onRemoved = (listener: (owner: Uint8Array) => void) => {
    remove = listener
    return () => true
  }
  const rates = new WriteRates(clock, { get: () => row, onRemoved }, 10_000)
  return { clock, rates, remove: () => remove?.(owner) }
}

test('as much at once as the lease has and a day beside, then so much a day', async () => {
  const { clock, rates } = open(hosted)
  expect(rates.take(owner, 30_001)).toBe(false)
  expect(rates.take(owner, 30_000)).toBe(true)
  expect(rates.take(owner, 1)).toBe(false)
  await clock.advance(43_200_000)
  expect([rates.take(owner, 5_001), rates.take(owner, 5_000), rates.take(owner, 1)]).toEqual([
    false,
    true,
    false,
  ])
  // What nobody wrote does not gather for ever.
  await clock.advance(100 * 86_400_000)
  expect([rates.take(owner, 30_001), rates.take(owner, 30_000)]).toEqual([false, true])
})

test('begins anew with a shard that was given up and comes back', () => {
  const { rates, remove } = open(hosted)
  rates.take(owner, 30_000)
  remove()
  expect(rates.take(owner, 30_000)).toBe(true)
})

test('people of the house write as they like, and who is not held is for others to refuse', () => {
  for (const row of [{ ...hosted, person: true }, undefined])
    expect(open(row).rates.take(owner, 2 ** 40)).toBe(true)
})
