import { expect, test } from 'vitest'
import { faultKinds } from './faults.ts'
import { simulate } from './simulation.ts'

const seeds = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
const struck = new Set<string>()

test.each(seeds)(
  'seed %i: nothing acknowledged is lost, nothing deleted comes back, copies are equal',
  async (seed) => {
    const { failures, faults, operations } = await simulate({ seed })
    expect(failures, `replay: npm run sim -- --seed ${seed}`).toEqual([])
    for (const kind of faultKinds) if (faults[kind] > 0) struck.add(kind)
    expect(Object.values(operations).every((count) => count > 50)).toBe(true)
  },
)

test('these seeds had every kind of fault', () => {
  expect([...struck].toSorted()).toEqual(faultKinds.toSorted())
})

test('one seed is one story: two runs leave the same trace', async () => {
  const first = await simulate({ seed: 11, virtualS: 20 })
  const second = await simulate({ seed: 11, virtualS: 20 })
  expect(second.events).toBe(first.events)
  expect(second.trace).toBe(first.trace)
  const other = await simulate({ seed: 12, virtualS: 20 })
  expect(other.trace).not.toBe(first.trace)
})
