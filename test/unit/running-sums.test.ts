import fc from 'fast-check'
import { expect, test } from 'vitest'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import type { Arrival } from '../../daemon/ingest.ts'
import { RunningSums } from '../../daemon/replication/running-sums.ts'
import { utf8 } from '../../protocol/bytes.ts'
import { setBelow } from '../../protocol/reconcile/set.ts'
import { reconcileVector } from '../../protocol/reconcile/vector.ts'

const { sha256 } = await loadCrypto()
const owner = new Uint8Array(32).fill(1)

function arrival(clock: number, position: number, state: 'stored' | 'filled' = 'stored'): Arrival {
  const id = sha256(utf8(`${clock} ${position}`))
  const put = { state, winner: true, equivocates: undefined, position }
  return { record: { header: { owner, clock: BigInt(clock) }, id }, put } as unknown as Arrival
}

function expected(arrivals: readonly Arrival[], until: bigint): Uint8Array {
  const refs = arrivals.map(({ record }) => ({ clock: record.header.clock, id: record.id }))
  const below = setBelow(reconcileVector(refs, sha256), until)
  return below.fingerprint(0, below.size)
}

test('a sum that follows the arrivals is the fingerprint of the whole set, at any bound that it can answer', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 61 }),
      (clocks, bound) => {
        const sums = new RunningSums(sha256)
        const arrivals = clocks.map((clock, i) => arrival(clock, i + 1))
        for (const one of arrivals) sums.stored([one])
        const answer = sums.fingerprint(
          owner,
          { logHead: clocks.length, records: clocks.length },
          BigInt(bound),
        )
        const early = clocks.slice(0, -16)
        if (early.some((clock) => clock >= bound)) expect(answer).toBeUndefined()
        else expect(answer).toEqual(expected(arrivals, BigInt(bound)))
        const covered = clocks.every((clock) => clock < bound)
        expect(sums.covers(owner, clocks.length, BigInt(bound))).toBe(covered)
      },
    ),
  )
})

test('a gap in the log, another head, or fewer records, is read anew; sections that came later change nothing', () => {
  const sums = new RunningSums(sha256)
  const first = arrival(5, 1)
  sums.stored([first])
  expect(sums.fingerprint(owner, { logHead: 2, records: 1 }, 10n)).toBeUndefined()
  sums.stored([arrival(5, 2, 'filled')])
  expect(sums.fingerprint(owner, { logHead: 2, records: 1 }, 10n)).toEqual(expected([first], 10n))
  sums.stored([arrival(6, 4)])
  expect(sums.fingerprint(owner, { logHead: 4, records: 1 }, 10n)).toBeUndefined()
  sums.begin(owner, 4, [{ clock: 5n, id: first.record.id }])
  expect(sums.fingerprint(owner, { logHead: 4, records: 1 }, 10n)).toEqual(expected([first], 10n))
  expect(sums.fingerprint(owner, { logHead: 4, records: 0 }, 10n)).toBeUndefined()
})
