import { describe, expect, test } from 'vitest'
import {
  withoutReader,
  withReader,
  type ReaderPageList,
  type UnwrappedEntry,
} from '../../client/readers/reader-list.ts'
import { limits } from '../../protocol/limits.ts'
import { codeOf } from '../vectors/wire.ts'

/** Somebody on a page, told apart by a number. */
function id(page: number, number: number): Uint8Array {
  const bytes = new Uint8Array(32)
  bytes[0] = page
  new DataView(bytes.buffer).setUint32(1, number)
  return bytes
}

const boxKey = new Uint8Array(32).fill(9)
const entry = (reader: Uint8Array, epoch = 65_536, isRemoved = false): UnwrappedEntry => ({
  ...{ reader, boxEpoch: 1, boxKey, epoch, isRemoved },
})
const person = (identity: Uint8Array, epoch = 1) => ({ identity, box: { epoch, publicKey: boxKey } })
const onPage = (page: number, entries: readonly UnwrappedEntry[]): ReaderPageList =>
  new Map([[page, entries]])
const everybody = (count: number, isRemoved = false): ReaderPageList =>
  Map.groupBy(
    Array.from({ length: count }, (_, i) => entry(id(i % 256, i), 65_536, isRemoved)),
    ({ reader }) => reader[0] as number,
  )

describe('a list of readers', () => {
  test('takes somebody up once, with the newest of their keys', () => {
    const ben = id(7, 1)
    const [page, entries] = withReader(onPage(7, [entry(ben), entry(id(7, 2))]), person(ben, 3))
    expect(page).toBe(7)
    expect(entries.map(({ reader, boxEpoch }) => [reader[4], boxEpoch])).toEqual([
      [2, 1],
      [1, 3],
    ])
  })

  test('takes back who was put out', () => {
    const ben = id(7, 1)
    const [, out] = withoutReader(onPage(7, [entry(ben)]), ben, 65_536)!
    expect(out).toEqual([entry(ben, 65_536, true)])
    // As long as they read on, it can be made urgent; then it is once too often, as for somebody who never was one.
    expect(withoutReader(onPage(7, out), ben, 65_536)).toEqual([7, out])
    expect(withoutReader(onPage(7, out), ben, 65_537)).toBeUndefined()
    expect(withoutReader(onPage(7, out), id(8, 1), 65_536)).toBeUndefined()
    const [, again] = withReader(onPage(7, out), person(ben))
    expect(again.map(({ isRemoved }) => isRemoved)).toEqual([false])
  })

  test('has ten thousand and no more, those who were put out not counted', () => {
    const newcomer = person(id(0, 99_999))
    expect(codeOf(() => withReader(everybody(limits.readersMax - 1), newcomer))).toBe('taken')
    expect(codeOf(() => withReader(everybody(limits.readersMax), newcomer))).toBe('BAD_REQUEST')
    expect(codeOf(() => withReader(everybody(limits.readersMax), person(id(5, 5))))).toBe('taken')
    expect(codeOf(() => withReader(everybody(limits.readersMax, true), newcomer))).toBe('taken')
  })

  test('makes room on a page by leaving out who was put out longest ago, and nobody else', () => {
    const full = Array.from({ length: limits.readersOnPageMax }, (_, i) =>
      entry(id(7, i), 65_536 + i, i % 100 === 50),
    )
    const [, entries] = withReader(onPage(7, full), person(id(7, 1_000)))
    expect(entries).toHaveLength(limits.readersOnPageMax)
    const left = new Set(entries.map(({ epoch }) => epoch))
    expect(full.filter(({ epoch }) => !left.has(epoch))).toEqual([entry(id(7, 50), 65_586, true)])

    const readers = full.map((one) => ({ ...one, isRemoved: false }))
    expect(codeOf(() => withReader(onPage(7, readers), person(id(7, 1_000))))).toBe('BAD_REQUEST')
  })
})
