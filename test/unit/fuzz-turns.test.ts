import { expect, test } from 'vitest'
import type { Target } from '../fuzz/fuzzer.ts'
import { inputsLeast, takeTurns } from '../fuzz/turns.ts'

function target(name: string, run: Target['run']): Target {
  return { name, seeds: [Uint8Array.of(1, 2, 3)], run }
}

const quick = Array.from({ length: 30 }, (_, i) => target(`quick ${i}`, () => true))
/** As an operation is that waits in virtual time. */
const slow = target('slow', () => {
  const startMs = performance.now()
  while (performance.now() - startMs < 2);
  return false
})

test('a slow target leaves time to those after it, and each is tried, however little there is', async () => {
  for (const forMs of [0, 300]) {
    const targets = [slow, ...quick, { ...slow, name: 'slow too' }]
    const { results } = await takeTurns(targets, { seed: 1, untilMs: performance.now() + forMs })
    expect(results.map((one) => one.target)).toEqual(targets.map(({ name }) => name))
    expect(Math.min(...results.map(({ inputs }) => inputs))).toBeGreaterThanOrEqual(inputsLeast)
    expect(results[0]?.inputs, 'no time of others').toBeLessThan(200)
  }
})

test('a fault is told once, whatever the turn', async () => {
  const broken = target('broken', () => {
    throw new Error('out of step')
  })
  const told: string[] = []
  const { faults } = await takeTurns([broken], {
    seed: 1,
    untilMs: performance.now() + 20,
    onFault: ({ target: of }) => told.push(of),
  })
  expect(told).toEqual(['broken'])
  expect(faults).toHaveLength(1)
})
