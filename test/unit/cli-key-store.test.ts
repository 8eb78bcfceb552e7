import { mkdtemp, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { fileKeyStore } from '../../cli/key-store.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'onehop-keys-'))
  path = join(folder, 'keys.json')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const entry = new Map([['device', Uint8Array.of(1, 2)]])

/** Passes virtual time where something waits for it, and real turns for the disk, until the promise has settled. */
async function settled<T>(clock: ReturnType<typeof createVirtualClock>, promise: Promise<T>): Promise<T> {
  let done = false
  const mark = (): void => {
    done = true
  }
  promise.then(mark, mark)
  while (!done) {
    if (clock.pending() > 0) await clock.advance(20)
    await new Promise((resolve) => setImmediate(resolve))
  }
  return promise
}

test('whoever waits for a lock too long, by the clock that was handed in, is told which', async () => {
  const clock = createVirtualClock()
  const lock = `${path}.write.lock`
  // This process lives, so the lock is not stale.
  await writeFile(lock, `${process.pid}\n`)
  const startMs = clock.monotonicMs()
  await expect(settled(clock, fileKeyStore(path, clock).write(entry))).rejects.toMatchObject({
    code: 'STORE_LOCKED',
    message: expect.stringContaining(lock),
  })
  expect(clock.monotonicMs() - startMs).toBeGreaterThan(10_000)
  expect(clock.monotonicMs() - startMs).toBeLessThan(11_000)
})

test('a lock that its maker never signed is broken when it is old, by the same clock', async () => {
  const clock = createVirtualClock()
  const lock = `${path}.write.lock`
  await writeFile(lock, '')
  const startMs = clock.monotonicMs()
  const madeS = clock.nowMs() / 1000 - 4
  await utimes(lock, madeS, madeS)
  await settled(clock, fileKeyStore(path, clock).write(entry))
  // It was made five seconds before.
  expect(clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(1_000)
  expect(clock.monotonicMs() - startMs).toBeLessThan(2_000)
  expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ entries: { device: '0102' } })
})
