import { expect, test } from 'vitest'
import { toHex } from '../../protocol/bytes.ts'
import { nameOf } from '../../protocol/id-name.ts'

test('an id has its hex for a name, however many share its place in memory, and whatever its bytes become', () => {
  // All in one place.
  const ids = Array.from({ length: 50 }, (_, i) => new Uint8Array(32).fill(7).fill(i, 2))
  for (const id of [...ids, ...ids.toReversed()]) expect(nameOf(id)).toBe(toHex(id))
  const changing = new Uint8Array(32)
  for (let i = 0; i < 3; i++) {
    changing[31] = i
    expect(nameOf(changing)).toBe(toHex(changing))
  }
  for (const length of [0, 16, 33]) expect(nameOf(new Uint8Array(length).fill(7))).toBe('07'.repeat(length))
})
