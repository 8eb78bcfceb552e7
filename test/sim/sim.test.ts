import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { faultKinds } from './faults.ts'
import { hunt } from './hunt.ts'
import { mutants } from './mutants.ts'
import { runSeeds, type SeedResult } from './seeds.ts'
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

test('a story that breaks is a failure of its seed, and the others are told', async () => {
  // As a checker that throws, a call that nobody waits for, and a thread that has no memory left.
  const story = `import { parentPort } from 'node:worker_threads'
    parentPort.on('message', ({ seed }) => {
      if (seed === 2) throw new Error('checker')
      if (seed === 3) return void Promise.reject(new Error('loose end'))
      if (seed === 5) process.exit(1)
      parentPort.postMessage({ seed, failures: [] })
    })`
  const told: SeedResult[] = []
  const seeds = range(1, 6).map((seed) => ({ seed }))
  const tell = (result: SeedResult) => void told.push(result)
  await runSeeds(seeds, 1, tell, new URL(`data:text/javascript,${encodeURIComponent(story)}`))
  expect(told.map(({ seed, failures }) => [seed, failures.map((what) => what.split('\n')[0])])).toEqual([
    [1, []],
    [2, ['the simulation broke: Error: checker']],
    [3, ['the simulation broke: Error: loose end']],
    [4, []],
    [5, ['the simulation broke: Error: its thread ended']],
    [6, []],
  ])
})

test('what a story throws before it has begun is told of its seed', async () => {
  const told: SeedResult[] = []
  // No number: the first thing that is drawn throws.
  const seeds = [{ seed: 7n as unknown as number }, { seed: 8, virtualS: 1, endAtFirst: true }]
  await runSeeds(seeds, 1, (result) => void told.push(result))
  expect(told.map(({ failures }) => failures.length)).toEqual([1, 0])
  expect(told[0]?.failures[0]).toContain('the simulation broke: TypeError')
})

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i)
}
