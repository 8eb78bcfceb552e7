import { expect, test } from 'vitest'
import { LiveQueue, type LiveEvent } from '../../daemon/live/live-queue.ts'

/** How many records wait for a reader who does not come. */
const waitingMax = 256

const at = (position: number) => ({ source: new Uint8Array(32), epoch: 1, position })
const record = (position: number): Uint8Array => Uint8Array.of(position >> 8, position & 255)

function reader(queue: LiveQueue) {
  const events = queue.events(new AbortController().signal)
  return async (): Promise<LiveEvent> => (await events.next()).value as LiveEvent
}

test('what waits for a slow reader comes whole and in order, as long as it may wait', async () => {
  const queue = new LiveQueue()
  for (let i = 1; i <= waitingMax; i++) queue.record(at(i), record(i))
  const next = reader(queue)
  const records: Uint8Array[] = []
  while (records.length < waitingMax) {
    const event = await next()
    expect(event.type).toBe('records')
    records.push(...event.records)
    expect(event.position).toEqual(at(records.length))
  }
  expect(records).toEqual(Array.from({ length: waitingMax }, (_, i) => record(i + 1)))
})

test('one record too many, and the reader is told to read again, once, from the newest position', async () => {
  const queue = new LiveQueue()
  for (let i = 1; i <= waitingMax + 10; i++) queue.record(at(i), record(i))
  const next = reader(queue)
  expect(await next()).toEqual({ type: 'reset', position: at(waitingMax + 10), records: [] })
  queue.record(at(300), record(300))
  expect(await next()).toEqual({ type: 'records', position: at(300), records: [record(300)] })
})
