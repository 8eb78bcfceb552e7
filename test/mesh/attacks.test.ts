import { describe, expect, test } from 'vitest'
import { dialAttacks } from '../attack/dials.ts'
import type { Scenario } from '../attack/scenario.ts'
import { scenarios } from '../attack/scenarios.ts'

/** In namespaces, with processes of their own: test/process/lan.test.ts has them. */
const elsewhere = new Set<Scenario>(dialAttacks)
const here = scenarios.filter((one) => one.isLong !== true && !elsewhere.has(one))

describe('an attack fails', () => {
  test.for(here)('$name', async ({ run }) => {
    await run()
  })
})

test('each has a name of its own', () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length)
  expect(scenarios.length).toBeGreaterThanOrEqual(25)
})
