import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { clockOf } from '../../protocol/record/clock.ts'
import { compareVersions, isHidden, itemKey, winner } from '../../protocol/record/merge.ts'
import type { RecordHeader } from '../../protocol/record/types.ts'
import { createPerson, recordBy, seededCrypto, writtenMs } from '../support/people.ts'

const crypto = seededCrypto(1)
const ada = createPerson(crypto)

describe('merge', () => {
  const version = fc.record({
    clock: fc.bigInt({ min: 0n, max: 2n }),
    device: fc.nat({ max: 1 }),
    id: fc.nat({ max: 255 }),
  })
  const versions = fc
    .uniqueArray(version, { minLength: 1, maxLength: 5, selector: (of) => of.id })
    .map((all) =>
      all.map(({ clock, device, id }) => ({
        header: { clock, device: new Uint8Array(32).fill(device) } as RecordHeader,
        id: new Uint8Array(32).fill(id),
      })),
    )

  it('has one winner in every order of arrival', () => {
    fc.assert(
      fc.property(versions, (all) => {
        const winners = orders(all).map((order) => winner(order))
        expect(new Set(winners).size).toBe(1)
        const best = winners[0] as (typeof all)[number]
        for (const other of all) if (other !== best) expect(compareVersions(best, other)).toBe(1)
      }),
    )
  })

  it('goes by clock, then device, then id', () => {
    const header = (clock: bigint, device: number): RecordHeader =>
      ({ clock, device: new Uint8Array(32).fill(device) }) as RecordHeader
    const id = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)
    const sorted = [
      { header: header(1n, 9), id: id(9) },
      { header: header(2n, 1), id: id(9) },
      { header: header(2n, 2), id: id(1) },
      { header: header(2n, 2), id: id(2) },
    ]
    expect(sorted.toReversed().toSorted(compareVersions)).toEqual(sorted)
    sorted.forEach((a, i) => sorted.forEach((b, j) => expect(compareVersions(a, b)).toBe(Math.sign(i - j))))
  })

  it('has a winner wherever there is a version', () => {
    const [older, newer] = [clockOf(writtenMs), clockOf(writtenMs + 1)].map((clock) =>
      recordBy(crypto, ada, { clock }),
    )
    if (older === undefined || newer === undefined) throw new Error('no records')
    expect([winner([older, newer]), winner([newer, older])]).toEqual([newer, newer])
    expect([winner([older]), winner([])]).toEqual([older, undefined])
  })

  it('names an appended item by its id, and its edits by the same', () => {
    const post = recordBy(crypto, ada, { merge: 'append', key: new Uint8Array() })
    const edit = recordBy(crypto, ada, { merge: 'append', key: post.id, number: 2 })
    expect(itemKey(post)).toEqual(post.id)
    expect(itemKey(edit)).toEqual(post.id)
    const note = recordBy(crypto, ada, { key: new Uint8Array() })
    expect(itemKey(note)).toEqual(new Uint8Array())
  })

  it('hides at expiry, and what is deleted at once', () => {
    const expiresMs = writtenMs + 5
    const record = recordBy(crypto, ada, { expiresMs })
    expect(isHidden(record, expiresMs - 1)).toBe(false)
    expect(isHidden(record, expiresMs)).toBe(true)
    const tombstone = recordBy(crypto, ada, { operation: 'delete', sections: [], clock: clockOf(writtenMs) })
    expect(isHidden(tombstone, writtenMs)).toBe(true)
  })
})

function orders<T>(items: readonly T[]): T[][] {
  if (items.length <= 1) return [[...items]]
  return items.flatMap((item, i) => orders(items.toSpliced(i, 1)).map((rest) => [item, ...rest]))
}
