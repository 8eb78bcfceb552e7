import { expect, test } from 'vitest'
import { nextTurn } from '../../daemon/clock.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { asStoreError } from '../../storage/kv-level-errors.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import type { KvWrite } from '../../storage/kv.ts'
import { openStore } from '../../storage/store.ts'
import { id, incomingRecord } from '../support/records.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

/** A disk that refuses writes beyond its room, as LevelDB words it. */
class SmallDisk extends MemoryKv {
  roomBytes = Infinity
  readonly batches: number[] = []
  /** What every write meets. */
  fault: string | undefined

  override async batch(writes: readonly KvWrite[]): Promise<void> {
    const size = writes.reduce(
      (sum, each) => sum + each.key.length + (each.type === 'put' ? each.value.length : 0),
      0,
    )
    const fault = size > this.roomBytes ? 'No space left on device' : this.fault
    if (fault !== undefined) {
      const cause = Object.assign(new Error(`IO error: 000005.log: ${fault}`), { code: 'LEVEL_IO_ERROR' })
      throw asStoreError(cause, '/state')
    }
    this.roomBytes -= size
    this.batches.push(writes.length)
    await super.batch(writes)
  }
}

const clock = createVirtualClock()
const ada = id('ada')
const numbered = (number: number) => incomingRecord({ number, clock: BigInt(number) })
const hosted = { hosted: true }

test('what is read in order is of one moment, and is read on a disk that takes no writes too', async () => {
  const written: string[] = []
  const disk = new SmallDisk()
  await using store = await openStore(disk, { clock })
  const read = (name: string) =>
    store.records.inOrder(ada, ({ size }, logHead) => void written.push(`${name} ${size} ${logHead}`))
  const first = store.records.put([numbered(1)], hosted).then(() => written.push('first'))
  const second = store.records.put([numbered(2), numbered(3)], hosted).then(() => written.push('second'))
  await Promise.all([read('before'), first, second])
  // Both are in one batch: who asked before is answered before it.
  expect(written).toStrictEqual(['before 0 0', 'first', 'second'])
  const third = store.records.put([numbered(4)], hosted)
  await nextTurn()
  await Promise.all([third, read('after')])
  expect(written.at(-1)).toBe('after 4 4')
  disk.fault = 'Read-only file system'
  const failing = store.records.put([numbered(5)], hosted)
  await Promise.all([expect(failing).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' }), read('failing')])
  await read('broken')
  expect(written.slice(-2)).toStrictEqual(['failing 4 4', 'broken 4 4'])
})

test('a full disk refuses, loses nothing acknowledged, and what comes after is as if it had not been tried', async () => {
  const disk = new SmallDisk()
  await using store = await openStore(disk, { clock })
  await store.records.put([numbered(1)], hosted)
  disk.roomBytes = 2000
  const results = await Promise.allSettled([
    store.records.put([numbered(2)], hosted),
    store.records.put([numbered(3), numbered(4)], hosted),
  ])
  for (const result of results) {
    expect(result).toMatchObject({ status: 'rejected', reason: { code: 'STORE_FULL', retryable: true } })
  }
  expect(await store.records.refs(ada)).toHaveLength(1)
  expect(store.shards.get(ada)).toMatchObject({ records: 1, logHead: 1 })
  disk.roomBytes = Infinity
  const [outcome] = await store.records.put([numbered(3)], hosted)
  expect(outcome).toMatchObject({ state: 'stored', position: 2 })
  expect(await store.records.seen(ada, id('phone'))).toStrictEqual([
    [1, 1],
    [3, 3],
  ])
  expect(store.records.count(ada, 'town.example', 'posts')).toBe(2)
})

test.each([
  ['Read-only file system', 'the disk takes no writes'],
  ['Input/output error', 'the disk fails'],
])('a disk that says %s refuses clearly, is read from, and goes on when it is well', async (fault, words) => {
  const disk = new SmallDisk()
  await using store = await openStore(disk, { clock })
  await store.records.put([numbered(1), numbered(2)], hosted)
  disk.fault = fault
  await expect(store.records.put([numbered(3)], hosted)).rejects.toMatchObject({
    code: 'STORE_UNWRITABLE',
    message: `${words}: /state`,
    help: expect.stringContaining('goes on reading'),
  })
  const failure = { error: { code: 'STORE_UNWRITABLE' }, sinceMs: clock.monotonicMs() }
  expect(store.stats()).toMatchObject({ failure })
  await clock.advance(1_000)
  await store.recheck()
  expect(store.stats()).toMatchObject({ failure })
  const refs = await store.records.refs(ada)
  expect(refs).toHaveLength(2)
  for (const ref of refs) expect(store.records.get(ada, ref)).toBeDefined()
  disk.fault = undefined
  await store.recheck()
  expect(store.stats().failure).toBeUndefined()
  expect(await store.records.put([numbered(3)], hosted)).toMatchObject([{ state: 'stored', position: 3 }])
})

test('a batch is bounded, and more writers than may wait are refused', async () => {
  const disk = new SmallDisk()
  const limits = { writesMax: 10, bytesMax: 1_000_000, waitingMax: 20 }
  await using store = await openStore(disk, { clock, limits })
  const table = store.table('test')
  const puts = Array.from({ length: 25 }, (_, i) => table.put(Uint8Array.of(i), Uint8Array.of(1)))
  const results = await Promise.allSettled(puts)
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(20)
  expect(results.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'BUSY' } })
  expect(disk.batches.slice(1)).toStrictEqual([10, 10])
})

test('writers of one batch see each other, and one that throws is alone in failing', async () => {
  await using store = await openStore(new MemoryKv(), { clock })
  const table = store.table('test')
  const key = Uint8Array.of(1)
  const add = (fail: boolean) =>
    store.write((batch) => {
      const count = (table.getIn(batch, key)?.[0] ?? 0) + 1
      table.putIn(batch, key, Uint8Array.of(count))
      if (fail) throw new OnehopError('BAD_REQUEST', 'no')
      return count
    })
  const results = await Promise.allSettled([add(false), add(true), add(false), add(true), add(false)])
  expect(
    results.map((result) => (result.status === 'fulfilled' ? result.value : result.reason.code)),
  ).toStrictEqual([1, 'BAD_REQUEST', 2, 'BAD_REQUEST', 3])
  expect(table.get(key)).toStrictEqual(Uint8Array.of(3))
})

test('closing serves who waits and refuses who comes', async () => {
  const store = await openStore(new MemoryKv(), { clock })
  const waiting = store.records.put([numbered(1)], hosted)
  const closing = store.close()
  await expect(store.records.put([numbered(2)], hosted)).rejects.toMatchObject({ code: 'CLOSED' })
  await closing
  expect(await waiting).toMatchObject([{ state: 'stored' }])
})

/** Whose failed batch lies in the log: LevelDB reads it once it is opened anew. */
class DoubtfulDisk extends MemoryKv {
  isFailing = false
  readonly #inLog: KvWrite[] = []

  override async batch(writes: readonly KvWrite[]): Promise<void> {
    if (!this.isFailing) return super.batch(writes)
    this.#inLog.push(...writes.map((write) => ({ ...write })))
    throw new OnehopError('STORE_UNWRITABLE', 'the disk fails')
  }

  async settle(): Promise<void> {
    if (!this.isFailing) await super.batch(this.#inLog.splice(0))
  }
}

test('a batch that failed and is on the disk all the same is in order and log, and what was written next, too', async () => {
  const disk = new DoubtfulDisk()
  await using store = await openStore(disk, { clock })
  await store.records.put([numbered(1)], hosted)
  disk.isFailing = true
  await expect(store.records.put([numbered(2)], hosted)).rejects.toMatchObject({ code: 'STORE_UNWRITABLE' })
  // What is known already writes nothing, and leaves nothing that was read before.
  expect(await store.records.put([numbered(1)], hosted)).toMatchObject([{ state: 'known' }])
  disk.isFailing = false
  const other = incomingRecord({ device: id('laptop'), number: 1, clock: 3n })
  await store.records.put([other], hosted)
  const size = await store.records.inOrder(ada, (order) => order.size)
  const refs = await store.records.refs(ada)
  const log = await store.records.log(ada, 0, 10)
  expect([size, refs.length, log.length, store.shards.get(ada)?.records]).toEqual([3, 3, 3, 3])
  // Whoever was refused writes it again: it is not held by that alone.
  expect(await store.records.put([numbered(2)], hosted)).toMatchObject([{ state: 'known' }])
})

test('those who write in one turn of the event loop share one batch, the first too', async () => {
  const disk = new SmallDisk()
  await using store = await openStore(disk, { clock, gathered: nextTurn })
  disk.batches.length = 0
  const inTurn = async (number: number): Promise<void> => {
    // Each some microtasks after the one before.
    for (let i = 0; i < number * 20; i++) await Promise.resolve()
    await store.records.put([numbered(number)], hosted)
  }
  await Promise.all([1, 2, 3, 4, 5].map(inTurn))
  expect(disk.batches).toHaveLength(1)
})
