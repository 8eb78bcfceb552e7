import { expect, it } from 'vitest'
import { nameWritten } from '../../client/written.ts'
import type { Transport } from '../../client/transport.ts'
import { clockOf } from '../../protocol/record/clock.ts'
import { seededCrypto } from '../support/people.ts'

const owner = new Uint8Array(32).fill(1)
const device = new Uint8Array(32).fill(2)

/** By a device that dated its records so, in milliseconds. */
async function named(dates: readonly number[], since?: number) {
  const numbers = dates.map((ms, i) => ({
    number: i + 1,
    id: new Uint8Array(32).fill(i),
    clock: clockOf(ms),
  }))
  const answers = {
    'record.shards': { shards: [{ owner, held: true, lastEntry: null }], more: false },
    'record.numbers': { numbers, more: false },
  }
  const call = (async (name: keyof typeof answers) => answers[name]) as unknown as Transport['call']
  const found = await nameWritten({ transport: { call }, owner, device, crypto: seededCrypto(3), since })
  return [found.records, found.left, found.numbers[0]?.lastNumber]
}

it('names all, or what was dated before and nothing numbered after that', async () => {
  expect(await named([10, 20, 30])).toEqual([3, 0, 3])
  expect(await named([10, 20, 30], 40)).toEqual([3, 0, 3])
  expect(await named([10, 20, 30], 20)).toEqual([1, 2, 1])
  expect(await named([10, 20, 30], 5)).toEqual([0, 3, 0])
})

it('is not taken in by what a thief dates back', async () => {
  expect(await named([10, 20, 30, 15, 12], 40)).toEqual([3, 2, 3])
  expect(await named([10, 20, 50, 25], 40)).toEqual([2, 2, 2])
  // Without a time everything is named: it may be a clock that went wrong.
  expect(await named([10, 20, 15])).toEqual([3, 0, 3])
})
