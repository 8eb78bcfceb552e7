import { groupAttacks } from './groups.ts'
import { identityAttacks } from './identities.ts'
import { recordAttacks } from './records.ts'
import type { Scenario } from './scenario.ts'

export const scenarios: readonly Scenario[] = [...recordAttacks, ...identityAttacks, ...groupAttacks]
