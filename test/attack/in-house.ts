import { openHouse, type House } from '../support/house.ts'
import type { Scenario } from './scenario.ts'

/** An attack on a real daemon in which two people live, over HTTP. */
export function inHouse(
  name: string,
  attack: string,
  stoppedBy: string,
  run: (house: House) => Promise<void>,
): Scenario {
  return {
    ...{ name, attack, stoppedBy },
    async run() {
      await using house = await openHouse()
      await run(house)
    },
  }
}
