import { expect, test } from 'vitest'
import { keptLeaseSize, leaseSize } from '../../protocol/placement/lease-size.ts'

const size = (usedBytes: number, firstBytes = 64, mostBytes = 1_000) => ({ usedBytes, firstBytes, mostBytes })

test.each([
  [0, 64],
  [32, 64],
  [33, 128],
  [64, 128],
  [65, 256],
  [400, 1_000],
  [5_000, 1_000],
])('with %i in use %i are asked for', (used, asked) => {
  expect(leaseSize(size(used))).toBe(asked)
})

test('never nothing, and never more than may be', () => {
  expect(leaseSize(size(10, 0, 100))).toBe(32)
  expect(leaseSize(size(0, 64, 0))).toBe(1)
  expect(leaseSize(size(0, 64, 10))).toBe(10)
})

test('what is here keeps its room', () => {
  expect(keptLeaseSize(size(5_000))).toBe(5_000)
  expect(keptLeaseSize(size(10))).toBe(64)
  expect(keptLeaseSize(size(10, 64, 20))).toBe(20)
})
