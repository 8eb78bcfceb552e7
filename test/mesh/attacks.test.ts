import { afterEach, describe, expect, test, vi } from 'vitest'
import { dialAttacks } from '../attack/dials.ts'
import { notBegun, Untried, type Scenario } from '../attack/scenario.ts'
import { scenarios } from '../attack/scenarios.ts'

/** In namespaces, with processes of their own: test/boxes/lan.test.ts has them. */
const elsewhere = new Set<Scenario>(dialAttacks)
const here = scenarios.filter((one) => one.isLong !== true && !elsewhere.has(one))

describe('an attack fails', () => {
  test.for(here)('$name', async ({ run }, { skip }) => {
    try {
      await run()
    } catch (error) {
      if (error instanceof Untried) skip(error.message)
      throw error
    }
  })
})

describe('what a busy machine kept from beginning', () => {
  afterEach(() => vi.unstubAllEnvs())

  test('was not tried, and is a fault where all has to be', () => {
    vi.stubEnv('CI', '')
    expect(notBegun('no flood')).toBeInstanceOf(Untried)
    vi.stubEnv('CI', 'true')
    expect(notBegun('no flood')).not.toBeInstanceOf(Untried)
  })
})

test('each has a name of its own', () => {
  expect(new Set(scenarios.map(({ name }) => name)).size).toBe(scenarios.length)
  expect(scenarios.length).toBeGreaterThanOrEqual(25)
})
