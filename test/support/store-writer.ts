/**
 * A process that writes records, one put at a time in four lanes, and prints each number once it is acknowledged.
 * Arguments: folder, first number. Ends by being killed.
 */
import { systemClock } from '../../daemon/clock.ts'
import { openLevelKv } from '../../storage/kv-level.ts'
import { openStore } from '../../storage/store.ts'
import { incomingRecord } from './records.ts'

const [folder, first] = process.argv.slice(2)
const store = await openStore(await openLevelKv(folder as string, { clock: systemClock }), {
  clock: systemClock,
})
let number = Number(first)
process.stdout.write('open\n')
async function lane(): Promise<void> {
  for (;;) {
    const mine = number++
    await store.records.put([incomingRecord({ number: mine, clock: BigInt(mine) })], { hosted: true })
    process.stdout.write(`${mine}\n`)
  }
}
await Promise.all([lane(), lane(), lane(), lane()])
