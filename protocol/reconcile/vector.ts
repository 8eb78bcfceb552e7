import { compareBytes } from '../bytes.ts'
import { OnehopError } from '../errors.ts'
import type { RecordRef } from '../record/types.ts'
import { clockInfinity, compareToBound, idBytes } from './bound.ts'
import { addId, fingerprintOf, type Sha256, subtractSum, sumWords } from './fingerprint.ts'
import type { ReconcileSet } from './set.ts'

/** One kept sum for so many items: a fingerprint adds at most 126 ids, and the sums cost half a byte an item. */
const stride = 64

/**
 * A set in memory, 41 bytes an item, from items in any order (already sorted ones, as a store yields them, are not
 * sorted again). Throws BAD_REQUEST on an item given twice, a clock of all ones or an id that is not 32 bytes.
 */
export function reconcileVector(items: Iterable<RecordRef>, sha256: Sha256): ReconcileSet {
  const sorted = inOrder(items)
  const clocks = new BigUint64Array(sorted.length)
  const ids = new Uint8Array(sorted.length * idBytes)
  for (const [index, item] of sorted.entries()) {
    clocks[index] = item.clock
    ids.set(item.id, index * idBytes)
  }
  const view = new DataView(ids.buffer)
  const sums = runningSums(view, sorted.length)

  const sumBefore = (index: number): Uint32Array => {
    const block = Math.floor(index / stride)
    const sum = sums.slice(block * sumWords, (block + 1) * sumWords)
    for (let i = block * stride; i < index; i++) addId(sum, view, i * idBytes)
    return sum
  }
  const sumOf = (from: number, to: number): Uint32Array => {
    if (to - from > stride) return subtractSum(sumBefore(to), sumBefore(from))
    const sum = new Uint32Array(sumWords)
    for (let i = from; i < to; i++) addId(sum, view, i * idBytes)
    return sum
  }
  const idAt = (index: number): Uint8Array => ids.subarray(index * idBytes, (index + 1) * idBytes)

  return {
    size: clocks.length,
    at: (index) => ({ clock: clocks[index] as bigint, id: idAt(index) }),
    lowerBound(bound) {
      let low = 0
      let high = clocks.length
      while (low < high) {
        const middle = (low + high) >>> 1
        if (compareToBound(clocks[middle] as bigint, idAt(middle), bound) < 0) low = middle + 1
        else high = middle
      }
      return low
    },
    fingerprint: (from, to) => fingerprintOf(sumOf(from, to), to - from, sha256),
  }
}

function inOrder(items: Iterable<RecordRef>): readonly RecordRef[] {
  const list = [...items]
  let ascending = true
  for (const [index, item] of list.entries()) {
    if (item.id.length !== idBytes) throw new OnehopError('BAD_REQUEST', 'reconcile: ids have 32 bytes')
    if (item.clock < 0n || item.clock >= clockInfinity) {
      throw new OnehopError('BAD_REQUEST', 'reconcile: clock out of range')
    }
    if (index > 0 && compareItems(list[index - 1] as RecordRef, item) >= 0) ascending = false
  }
  if (ascending) return list
  list.sort(compareItems)
  for (let index = 1; index < list.length; index++) {
    if (compareItems(list[index - 1] as RecordRef, list[index] as RecordRef) === 0) {
      throw new OnehopError('BAD_REQUEST', 'reconcile: an item is in the set twice')
    }
  }
  return list
}

function compareItems(a: RecordRef, b: RecordRef): number {
  if (a.clock !== b.clock) return a.clock < b.clock ? -1 : 1
  return compareBytes(a.id, b.id)
}

function runningSums(ids: DataView, size: number): Uint32Array {
  const sums = new Uint32Array((Math.floor(size / stride) + 1) * sumWords)
  const sum = new Uint32Array(sumWords)
  for (let index = 0; index < size; index++) {
    if (index % stride === 0) sums.set(sum, (index / stride) * sumWords)
    addId(sum, ids, index * idBytes)
  }
  if (size % stride === 0) sums.set(sum, (size / stride) * sumWords)
  return sums
}
