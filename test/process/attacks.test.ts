import { expect, test } from 'vitest'
import { dialAttacks } from '../attack/dials.ts'
import { Untried } from '../attack/scenario.ts'
import { lanToolsMissing } from '../support/lan.ts'

test.for(dialAttacks)('an attack fails: $name', async ({ run }, { skip }) => {
  await run().catch((error: unknown) => {
    if (!(error instanceof Untried)) throw error
    // A missing tool is a fault of CI; that networks may not be made is none.
    if (process.env.CI === 'true') expect(lanToolsMissing()).toBeUndefined()
    skip(error.message)
  })
})
