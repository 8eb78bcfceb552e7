import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encode } from '../../protocol/codec.ts'
import { limits } from '../../protocol/limits.ts'
import { decodeSeen, SeenNumbers } from '../../protocol/record/seen.ts'

const device = (byte: number): Uint8Array => new Uint8Array(32).fill(byte)

describe('seen numbers', () => {
  const adds = fc.array(fc.tuple(fc.nat({ max: 2 }), fc.integer({ min: 1, max: 30 })), { maxLength: 60 })

  it('is the set of what was added, in any order, through its bytes', () => {
    fc.assert(
      fc.property(adds, (all) => {
        const seen = of(all)
        const model = new Set(all.map(String))
        for (let d = 0; d <= 2; d++) {
          for (let n = 1; n <= 31; n++) expect(seen.has(device(d), n)).toBe(model.has(`${d},${n}`))
        }
        expect(of(all.toReversed()).encode()).toEqual(seen.encode())
        expect(decodeSeen(seen.encode()).encode()).toEqual(seen.encode())
      }),
    )
  })

  it('merges as sets do, and covers what it merged', () => {
    fc.assert(
      fc.property(adds, adds, (a, b) => {
        const seen = of(a)
        const other = of(b)
        const covered = b.every((one) => a.some((two) => String(one) === String(two)))
        expect(seen.covers(other)).toBe(covered)
        expect(seen.merge(other)).toBe(true)
        expect(seen.encode()).toEqual(of([...b, ...a]).encode())
        expect(seen.covers(other)).toBe(true)
      }),
    )
  })

  it('joins runs that touch', () => {
    const seen = of([
      [1, 1],
      [1, 3],
      [1, 2],
    ])
    expect([...seen]).toEqual([[device(1), 1, 3]])
    expect(seen.last(device(1))).toBe(3)
    expect(seen.last(device(2))).toBe(0)
    expect([1, 2].map((d) => seen.has(device(d), 2))).toEqual([true, false])
    expect([1, 2].map((d) => seen.covers(of([[d, 2]])))).toEqual([true, false])
  })

  it('is bounded: gaps without end are not kept, and never claimed', () => {
    const seen = new SeenNumbers()
    for (let i = 0; i < limits.seenIntervalsMax; i++) expect(seen.add(device(1), i * 2 + 1)).toBe(true)
    const beyond = limits.seenIntervalsMax * 2 + 1
    expect(seen.add(device(1), beyond)).toBe(false)
    expect(seen.has(device(1), beyond)).toBe(false)
    expect(seen.add(device(1), 2)).toBe(true)
    expect(seen.add(device(1), beyond)).toBe(true)
  })

  it('fits one message when it is full', () => {
    const seen = new SeenNumbers()
    let kept = 0
    for (let d = 0; d < 128; d++) {
      const key = new Uint8Array(32).fill(d)
      for (let i = 0; i < limits.seenIntervalsMax; i++) if (seen.add(key, 2 ** 40 + i * 2)) kept++
    }
    expect(kept).toBe(limits.seenIntervalsTotalMax)
    expect(decodeSeen(seen.encode()).encode()).toEqual(seen.encode())
  })

  it('takes in of another what there is room for, and says that it was not all', () => {
    const seen = new SeenNumbers()
    for (let i = 0; i < limits.seenIntervalsMax; i++) seen.add(device(1), i * 2 + 1)
    const beyond = limits.seenIntervalsMax * 2 + 1
    expect(
      seen.merge(
        of([
          [1, beyond],
          [2, 7],
        ]),
      ),
    ).toBe(false)
    expect([seen.has(device(1), beyond), seen.has(device(2), 7)]).toEqual([false, true])
  })

  it('refuses more runs than all devices together may have', () => {
    const runs = Array.from({ length: limits.seenIntervalsMax }, (_, i) => [i * 2 + 1, i * 2 + 1]).flat()
    const devices = limits.seenIntervalsTotalMax / limits.seenIntervalsMax
    const list = (count: number): Uint8Array =>
      encode(
        Array.from({ length: count }, (_, d) => [device(d), runs]),
        { itemsMax: limits.cborItemsMax },
      )
    expect(decodeSeen(list(devices)).has(device(1), 1)).toBe(true)
    expect(() => decodeSeen(list(devices + 1))).toThrow(
      expect.objectContaining({ code: 'BAD_MESSAGE', message: expect.stringContaining('at most') }),
    )
  })

  it.each([
    ['runs that touch', [[device(1), [1, 2, 3, 4]]]],
    ['runs that go back', [[device(1), [5, 6, 1, 2]]]],
    ['a run that ends before it begins', [[device(1), [2, 1]]]],
    ['half a run', [[device(1), [1, 1, 3]]]],
    ['number zero', [[device(1), [0, 1]]]],
    ['no runs', [[device(1), []]]],
    [
      'a device twice',
      [
        [device(1), [1, 1]],
        [device(1), [3, 3]],
      ],
    ],
    [
      'devices out of order',
      [
        [device(2), [1, 1]],
        [device(1), [3, 3]],
      ],
    ],
  ])('refuses %s', (_, value) => {
    expect(() => decodeSeen(encode(value))).toThrow(expect.objectContaining({ code: 'BAD_MESSAGE' }))
  })
})

function of(all: readonly (readonly [number, number])[]): SeenNumbers {
  const seen = new SeenNumbers()
  for (const [d, n] of all) seen.add(device(d), n)
  return seen
}
