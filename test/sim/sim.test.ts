import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { faultKinds } from './faults.ts'
import { hunt } from './hunt.ts'
import { mutants } from './mutants.ts'
import { simulate } from './simulation.ts'

/** A few long stories, and many short ones: of those each begins otherwise, and heals for as long. */
const stories = [
  ...range(1, 3).map((seed) => ({ seed, virtualS: 120 })),
  ...range(4, 100).map((seed) => ({ seed, virtualS: 10 })),
]
const operationsPerS = 20
const struck = new Set<string>()

test.each(stories)(
  'seed $seed, $virtualS s: nothing acknowledged is lost, nothing deleted comes back, copies are equal',
  async ({ seed, virtualS }) => {
    const { failures, faults, operations } = await simulate({ seed, virtualS })
    expect(failures, `replay: npm run sim -- --seed ${seed} --seconds ${virtualS}`).toEqual([])
    for (const kind of faultKinds) if (faults[kind] > 0) struck.add(kind)
    const counts = Object.values(operations)
    expect(Math.min(...counts)).toBeGreaterThan(virtualS / 3)
    expect(counts.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(operationsPerS * virtualS)
  },
)

test('every mutant still has its place', () => {
  for (const { name, file, find } of mutants) {
    const source = readFileSync(resolve(import.meta.dirname, '../..', file), 'utf8')
    expect(source.split(find).length - 1, `${name}, in ${file}`).toBe(1)
  }
})

test('what is planted is noticed', async () => {
  const some = mutants.filter(({ name }) => name === 'S + L is accepted' || name === 'the lower clock wins')
  const options = { seeds: 1, seconds: 20, atOnce: 1, endsAfterMs: 60_000 }
  const hunted = await hunt(some, options, () => {})
  expect(hunted.map(({ by }) => by?.seed)).toEqual([1, 1])
})

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

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
