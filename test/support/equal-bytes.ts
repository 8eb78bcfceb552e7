/**
 * Bytes are compared at once: one by one, as things that can be iterated, they took a third of the time of what compares
 * states. What is equal, and what a difference looks like, stays as it was.
 */
import { expect } from 'vitest'

expect.addEqualityTesters([
  (one: unknown, other: unknown): boolean | undefined =>
    arePlainBytes(one) && arePlainBytes(other) ? Buffer.compare(one, other) === 0 : undefined,
])

/** No kind of Buffer, which is never equal to them. */
function arePlainBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.constructor === Uint8Array
}
