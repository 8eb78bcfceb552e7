import { expect, test } from 'vitest'
import { Listed } from '../../daemon/replication/listed.ts'
import type { RecordRef } from '../../protocol/record/types.ts'

/** As many as one message lists. */
const messageIds = 32_256

function refAt(index: number): RecordRef {
  const id = new Uint8Array(32)
  new DataView(id.buffer).setUint32(0, index)
  return { clock: BigInt(index), id }
}

function list(listed: Listed, node: string, from: number): void {
  for (let i = from; i < from + messageIds; i++) listed.note(node, refAt(i))
  listed.trim()
}

test('all of the last message is known, whatever was listed before', () => {
  const listed = new Listed()
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 1_000; i++) listed.note('a', refAt(5_000_000 + round * 1_000 + i))
    const from = round * messageIds
    list(listed, 'a', from)
    for (const i of [0, 1, messageIds >> 1, messageIds - 1])
      expect(listed.find('a', refAt(from + i).id)?.clock).toBe(BigInt(from + i))
  }
  expect(listed.find('b', refAt(messageIds).id)).toBeUndefined()
  expect(listed.find('a', refAt(0).id)).toBeUndefined()
})

test('those who have lists made all the time make nobody else forgotten', () => {
  const listed = new Listed()
  listed.note('honest', refAt(7))
  const others = ['v', 'w', 'x', 'y', 'z']
  for (const node of others) list(listed, node, 0)
  expect(listed.find('honest', refAt(7).id)?.clock).toBe(7n)
  // Of those not all are remembered: the memory is bounded.
  const known = others.filter((node) => listed.find(node, refAt(0).id) !== undefined)
  expect(known.length).toBeLessThan(others.length)
  expect(known).toContain('z')
})
