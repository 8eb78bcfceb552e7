import { aggregatorAttacks } from './aggregators.ts'
import { dialAttacks } from './dials.ts'
import { doorAttacks } from './doors.ts'
import { floodAttacks } from './flood.ts'
import { groundKeyAttacks } from './ground-keys.ts'
import { groupAttacks } from './groups.ts'
import { holderAttacks } from './holders.ts'
import { identityAttacks } from './identities.ts'
import { pairingAttacks } from './pairing.ts'
import { readerAttacks } from './readers.ts'
import { recordAttacks } from './records.ts'
import type { Scenario } from './scenario.ts'
import { sessionAttacks } from './sessions.ts'
import { stolenBoxAttacks } from './stolen-box.ts'

export const scenarios: readonly Scenario[] = [
  ...recordAttacks,
  ...identityAttacks,
  ...groupAttacks,
  ...readerAttacks,
  ...sessionAttacks,
  ...doorAttacks,
  ...pairingAttacks,
  ...groundKeyAttacks,
  ...holderAttacks,
  ...stolenBoxAttacks,
  ...aggregatorAttacks,
  ...dialAttacks,
  ...floodAttacks,
]
