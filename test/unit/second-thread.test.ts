import { once } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { expect, test } from 'vitest'
import { systemClock } from '../../daemon/clock.ts'
import { loadCrypto } from '../../daemon/crypto/index.ts'
import { secondThread } from '../../daemon/crypto/second-thread.ts'
import {
  packedBytes,
  packSigned,
  unpackSigned,
  verdictsOn,
  verifyPacked,
  type Signed,
} from '../../daemon/crypto/verify-batch.ts'
import type { Log } from '../../protocol/ports.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

const crypto = await loadCrypto()
const silent: Log = { debug() {}, info() {}, warn() {}, error() {} }
const seed = crypto.random(32)
const key = crypto.signingPublicKey(seed)

/** Every third signature is of something else. */
function batchOf(count: number): Signed[] {
  return Array.from({ length: count }, (_, i) => {
    const message = crypto.random(i * 3)
    const signed = i % 3 === 2 ? crypto.random(9) : message
    return { message, signature: crypto.sign(signed, seed), key }
  })
}

const oneByOne = (batch: readonly Signed[]): number[] =>
  batch.map((one) => Number(crypto.verifyStrict(one.message, one.signature, one.key)))

test('a batch comes out as it went in', () => {
  for (const batch of [[], batchOf(1), batchOf(40)]) {
    const bytes = new Uint8Array(packedBytes(batch) + 7)
    packSigned(batch, bytes)
    expect([...unpackSigned(bytes, batch.length)]).toEqual(batch)
  }
})

test('verdicts take the place of what was read', () => {
  const batch = batchOf(40)
  const bytes = new Uint8Array(packedBytes(batch))
  packSigned(batch, bytes)
  verifyPacked(crypto, bytes, batch.length)
  expect([...bytes.subarray(0, batch.length)]).toEqual(oneByOne(batch))
})

test('this thread’s verdicts on a batch: one byte a signature', () => {
  expect([...verdictsOn(crypto, batchOf(7))]).toEqual([1, 1, 0, 1, 1, 0, 1])
  expect(verdictsOn(crypto, [])).toEqual(new Uint8Array(0))
})

test('gives this thread’s verdicts, in the order of the asking', async () => {
  await using thread = secondThread(systemClock, silent, 2)
  const batches = [batchOf(200), batchOf(3), batchOf(0), batchOf(50)]
  const answers = await Promise.all(batches.map((batch) => thread?.verify(batch)))
  expect(answers.map((answer) => [...(answer ?? [])])).toEqual(batches.map(oneByOne))
  // Its blocks are used again.
  const again = batchOf(100)
  expect([...((await thread?.verify(again)) ?? [])]).toEqual(oneByOne(again))
})

test('where there is one core there is none, and closed it answers nothing', async () => {
  expect(secondThread(systemClock, silent, 1)).toBeUndefined()
  const thread = secondThread(systemClock, silent, 2)
  const asked = thread?.verify(batchOf(2_000))
  await thread?.[Symbol.asyncDispose]()
  expect(await asked).toBeUndefined()
  expect(await thread?.verify(batchOf(1))).toBeUndefined()
})

test('is free once it runs, until two slices wait, and closed it does not begin again', async () => {
  await using thread = secondThread(systemClock, silent, 2)
  expect([thread?.isRunning, thread?.isFree(), thread?.isRunning]).toEqual([false, false, true])
  await thread?.verify(batchOf(1))
  expect(thread?.isFree()).toBe(true)
  const asked = [thread?.verify(batchOf(511))]
  expect(thread?.isFree()).toBe(true)
  asked.push(thread?.verify(batchOf(1)))
  expect(thread?.isFree()).toBe(false)
  await Promise.all(asked)
  expect(thread?.isFree()).toBe(true)
  await thread?.[Symbol.asyncDispose]()
  expect([thread?.isFree(), thread?.isRunning]).toEqual([false, false])
})

test('ends when nothing came for a minute, and begins again', async () => {
  const clock = createVirtualClock()
  await using thread = secondThread(clock, silent, 2)
  for (let round = 0; round < 2; round++) {
    const batch = batchOf(5)
    expect([...((await thread?.verify(batch)) ?? [])]).toEqual(oneByOne(batch))
    expect(thread?.isRunning).toBe(true)
    await clock.advance(61_000)
    expect(thread?.isRunning).toBe(false)
  }
})

test('does not end under work that came in the last second of that minute', async () => {
  const clock = createVirtualClock()
  await using thread = secondThread(clock, silent, 2)
  await thread?.verify(batchOf(1))
  await clock.advance(59_000)
  const batch = batchOf(1_000)
  const asked = thread?.verify(batch)
  await clock.advance(2_000)
  expect([...((await asked) ?? [])]).toEqual(oneByOne(batch))
  expect(thread?.isRunning).toBe(true)
})

test('when it breaks, what waits and what comes is left to this thread, and no timer stays', async () => {
  const clock = createVirtualClock()
  const warned: string[] = []
  const log = { ...silent, warn: (event: string) => void warned.push(event) }
  const started = once(process, 'worker') as Promise<[Worker]>
  await using thread = secondThread(clock, log, 2)
  await thread?.verify(batchOf(1))
  const [worker] = await started
  const asked = thread?.verify(batchOf(5_000))
  await worker.terminate()
  expect(await asked).toBeUndefined()
  expect(await thread?.verify(batchOf(1))).toBeUndefined()
  expect(thread?.isRunning).toBe(false)
  expect(warned).toEqual(['crypto.second-thread-ended'])
  expect(clock.pending()).toBe(0)
})
