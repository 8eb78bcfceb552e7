import { expect, test } from 'vitest'
import { Finder, type FindParts } from '../../daemon/placement/find.ts'
import { seededCrypto } from '../support/people.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const owner = new Uint8Array(32).fill(3)

/** A search by a node without neighbours, whose DHT has its first peer after so long; and when it ended. */
async function search(firstPeerAfterMs: number) {
  const clock = createVirtualClock()
  const asked: number[] = []
  const parts = {
    crypto: seededCrypto(5),
    clock,
    signal: new AbortController().signal,
    rpc: { handle: () => undefined, connected: () => [] },
    routing: {
      size: () => (clock.monotonicMs() - startMs >= firstPeerAfterMs ? 1 : 0),
      // oxlint-disable-next-line require-yield -- nobody provides it
      async *findProviders() {
        asked.push(clock.monotonicMs() - startMs)
      },
    },
    replicaSets: { get: () => undefined },
  } as unknown as FindParts
  const startMs = clock.monotonicMs()
  let endedMs: number | undefined
  const found = new Finder(parts).find(owner, parts.signal).finally(() => {
    endedMs = clock.monotonicMs() - startMs
  })
  for (let steps = 0; endedMs === undefined && steps < 300; steps++) await clock.advance(50)
  expect(await found).toBeUndefined()
  return { asked: asked.length, endedMs }
}

test('a box that is alone says soon that nobody can be asked', async () => {
  const { asked, endedMs } = await search(Infinity)
  expect(asked).toBe(0)
  expect(endedMs).toBeLessThanOrEqual(3_100)
})

test('one that has just started waits for whom it meets first', async () => {
  const { asked, endedMs } = await search(2_000)
  expect(asked).toBe(1)
  expect(endedMs).toBeGreaterThanOrEqual(2_000)
})
