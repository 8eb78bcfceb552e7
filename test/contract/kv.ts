import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { compareBytes } from '../../protocol/bytes.ts'
import type { Kv, KvRange, KvWrite } from '../../storage/kv.ts'

/** Every database passes this. `make` opens an empty one. */
export function kvContract(name: string, make: () => Promise<Kv>): void {
  describe(name, () => {
    let kv: Kv
    beforeEach(async () => {
      kv = await make()
    })
    afterEach(() => kv.close())

    const put = (key: number[], value: number[]): KvWrite => ({
      type: 'put',
      key: Uint8Array.from(key),
      value: Uint8Array.from(value),
    })
    const del = (key: number[]): KvWrite => ({ type: 'del', key: Uint8Array.from(key) })

    test('gives back plain bytes, and undefined for what is missing', async () => {
      await kv.batch([put([1], [2, 3]), put([2], [])])
      expect(kv.get(Uint8Array.of(1))).toStrictEqual(Uint8Array.of(2, 3))
      expect(kv.get(Uint8Array.of(2))).toStrictEqual(new Uint8Array(0))
      expect(kv.get(Uint8Array.of(3))).toBeUndefined()
      expect(await kv.getMany([Uint8Array.of(3), Uint8Array.of(1)])).toStrictEqual([
        undefined,
        Uint8Array.of(2, 3),
      ])
    })

    test('the last write of a key in a batch counts', async () => {
      await kv.batch([put([1], [1]), del([1]), put([1], [2]), put([2], [1]), del([2])])
      expect(kv.get(Uint8Array.of(1))).toStrictEqual(Uint8Array.of(2))
      expect(kv.get(Uint8Array.of(2))).toBeUndefined()
    })

    test('does not keep the arrays it was given', async () => {
      const key = Uint8Array.of(1)
      const value = Uint8Array.of(1)
      await kv.batch([{ type: 'put', key, value }])
      key[0] = 9
      value[0] = 9
      expect(kv.get(Uint8Array.of(1))).toStrictEqual(Uint8Array.of(1))
    })

    test('a long range comes whole, in order, whatever its bytes', async () => {
      const writes: KvWrite[] = []
      for (let i = 0; i < 3000; i++) {
        writes.push({ type: 'put', key: Uint8Array.of(i >> 8, i & 255), value: new Uint8Array(100).fill(i) })
      }
      await kv.batch(writes.toReversed())
      const entries = await kv.range({})
      expect(entries.map(({ key }) => (key[0] as number) * 256 + (key[1] as number))).toStrictEqual(
        Array.from({ length: 3000 }, (_, i) => i),
      )
      expect(await kv.keys({ limit: 2500, reverse: true })).toHaveLength(2500)
    })

    test('ranges agree with a sorted list', async () => {
      const key = fc.uint8Array({ minLength: 1, maxLength: 3, max: 4 })
      const bounds = fc.record(
        { gte: key, gt: key, lte: key, lt: key, reverse: fc.boolean(), limit: fc.nat(6) },
        { requiredKeys: [] },
      )
      await fc.assert(
        fc.asyncProperty(fc.array(key, { maxLength: 20 }), bounds, async (keys, given) => {
          await kv.batch((await kv.keys({})).map((each) => ({ type: 'del', key: each })))
          await kv.batch(keys.map((each) => ({ type: 'put', key: each, value: each })))
          // One bound at each end, as abstract-level takes them.
          const { gte, lte, ...range } = given
          const asked: KvRange = {
            ...range,
            ...(gte && !range.gt ? { gte } : {}),
            ...(lte && !range.lt ? { lte } : {}),
          }
          const wanted = keys
            .filter((each, i) => keys.findIndex((other) => compareBytes(each, other) === 0) === i)
            .filter((each) => !asked.gte || compareBytes(each, asked.gte) >= 0)
            .filter((each) => !asked.gt || compareBytes(each, asked.gt) > 0)
            .filter((each) => !asked.lte || compareBytes(each, asked.lte) <= 0)
            .filter((each) => !asked.lt || compareBytes(each, asked.lt) < 0)
            .toSorted(compareBytes)
          if (asked.reverse) wanted.reverse()
          expect(await kv.keys(asked)).toStrictEqual(wanted.slice(0, asked.limit ?? wanted.length))
        }),
        { numRuns: 100 },
      )
    })

    test('giving room back changes nothing that is read, and writes go on meanwhile', async () => {
      await kv.batch(Array.from({ length: 200 }, (_, i) => put([2, i], [i])))
      await kv.batch(Array.from({ length: 100 }, (_, i) => ({ type: 'del', key: Uint8Array.of(2, i) })))
      await Promise.all([
        kv.compact?.(Uint8Array.of(2), Uint8Array.of(3)),
        kv.batch([put([2, 250], [7])]),
        kv.compact?.(Uint8Array.of(3), Uint8Array.of(4)),
      ])
      const keys = await kv.keys({ gte: Uint8Array.of(2), lt: Uint8Array.of(3) })
      expect(keys.map((key) => key[1])).toStrictEqual([
        ...Array.from({ length: 100 }, (_, i) => i + 100),
        250,
      ])
      expect(kv.get(Uint8Array.of(2, 99))).toBeUndefined()
    })

    test('closing twice is closing once, and every call then says CLOSED', async () => {
      await kv.batch([put([1], [1])])
      const closing = kv.close()
      await Promise.all([closing, kv.close()])
      expect(() => kv.get(Uint8Array.of(1))).toThrow(expect.objectContaining({ code: 'CLOSED' }))
      const closed = { code: 'CLOSED' }
      await expect(kv.getMany([Uint8Array.of(1)])).rejects.toMatchObject(closed)
      await expect(kv.range({})).rejects.toMatchObject(closed)
      await expect(kv.keys({})).rejects.toMatchObject(closed)
      await expect(kv.batch([put([1], [1])])).rejects.toMatchObject(closed)
    })

    test('closing waits for a batch under way', async () => {
      const writing = kv.batch([put([1], [1])])
      await kv.close()
      await expect(writing).resolves.toBeUndefined()
    })
  })
}
