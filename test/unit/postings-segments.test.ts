/** Segments are written and merged while others write, read, delete; what is interrupted is as if it had not begun. */
import { expect, test } from 'vitest'
import { utf8 } from '../../protocol/bytes.ts'
import { OnehopError } from '../../protocol/errors.ts'
import { analyse } from '../../protocol/search/analysis.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import type { KvWrite } from '../../storage/kv.ts'
import { PostingsIndex } from '../../storage/search/postings-index.ts'
import { openStore } from '../../storage/store.ts'
import type { Store } from '../../storage/types.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'

/** Whose writes can be held up, or fail. */
class Disk extends MemoryKv {
  isFull = false
  written = 0
  override async batch(writes: readonly KvWrite[]): Promise<void> {
    if (this.isFull) throw new OnehopError('STORE_FULL', 'no space left')
    this.written++
    await super.batch(writes)
  }
}

const filter = { app: 'a', collection: undefined, scope: '/geo' }
const idOf = (position: number): Uint8Array => utf8(`${position}`.padStart(32, '0'))

async function openIndex(store: Store, failed: (error: unknown) => Promise<void> = async () => {}) {
  const table = store.table('search/index')
  const ports = { table, write: store.write.bind(store), pause: async () => {}, failed }
  const index = await PostingsIndex.open(ports, { memoryWords: 60, cacheBytes: 4_096 })
  const add = (position: number, text = `harbour number${position % 7}`): void =>
    index.add({
      position,
      item: idOf(position),
      id: idOf(position),
      ...{ app: 'a', collection: 'c', scope: '/geo/africa' },
      layers: [{ height: 0, words: analyse(text, 'plain') }],
    })
  const remove = async (position: number): Promise<void> => {
    await store.write((batch) => index.stageRemoval(batch, position))
    index.remove(position)
  }
  const total = (text = 'harbour'): number => {
    const query = parseQuery(text, 'plain')
    const statistics = index.statistics(filter, query.clauses)
    const { total: found } = index.search(query, statistics, filter, { limit: 10 })
    expect(statistics.terms[0]?.documents).toBe(found)
    return found
  }
  return { index, add, remove, total, table }
}

test('a full disk: everything is found meanwhile, and becomes a segment once there is space', async () => {
  const disk = new Disk()
  await using store = await openStore(disk, { clock: createVirtualClock() })
  const failures: unknown[] = []
  const { index, add, total } = await openIndex(store, async (error) => void failures.push(error))
  disk.isFull = true
  for (let position = 1; position <= 30; position++) add(position)
  await index.settled()
  for (let position = 31; position <= 60; position++) add(position)
  await index.settled()
  expect(failures.length).toBeGreaterThan(1)
  expect([total(), index.segments.length, index.through]).toEqual([60, 0, 0])
  disk.isFull = false
  await index.flush()
  await index.flush()
  expect([total(), index.size, index.through]).toEqual([60, 60, 60])
  expect(total('"harbour number3"')).toBe(9)
})

test('a segment that was not finished is gone after a crash, with all its rows', async () => {
  const disk = new Disk()
  const store = await openStore(disk, { clock: createVirtualClock() })
  const first = await openIndex(store)
  for (let position = 1; position <= 40; position++) first.add(position)
  await first.index.settled()
  const { through } = first.index
  const rows = async (): Promise<number> => (await first.table.keys()).length
  const before = await rows()
  // As rows of a segment that no list names yet.
  await store.write((batch) => {
    for (let i = 0; i < 5; i++)
      first.table.putIn(batch, new Uint8Array([0x73, 0, 0, 0, 0, 9, 9, 0x74, i]), utf8('x'))
  })
  // And a mark on a document that is in none any more.
  await store.write((batch) => first.index.stageRemoval(batch, 0))
  const again = await openIndex(store)
  expect(await rows()).toBe(before)
  expect(again.index.through).toBe(through)
  expect(again.total()).toBe(again.index.size)
  // And its number is taken by no other.
  for (let position = 41; position <= 80; position++) again.add(position)
  await again.index.flush()
  expect(again.index.segments.every(({ segment }) => segment > 0)).toBe(true)
  expect((await openIndex(store)).total()).toBe(again.total())
  await store.close()
})

test('what is deleted while its segment is written or merged stays deleted, over a start too', async () => {
  await using store = await openStore(new Disk(), { clock: createVirtualClock() })
  const { index, add, remove, total } = await openIndex(store)
  let gone = 0
  for (let position = 1; position <= 400; position++) {
    add(position)
    // Without waiting for what goes on: now in memory, now frozen, now on disk.
    if (position % 3 === 0) {
      await remove(position - 1 - (position % 90))
      gone++
    }
    if (position % 50 === 0) expect(total()).toBe(index.size)
  }
  await index.flush()
  expect([index.size, total()]).toEqual([400 - new Set(removed()).size, index.size])
  const again = await openIndex(store)
  expect([again.index.size, again.total()]).toEqual([index.size, index.size])
  expect(gone).toBeGreaterThan(100)

  function removed(): number[] {
    const positions: number[] = []
    for (let position = 3; position <= 400; position += 3) positions.push(position - 1 - (position % 90))
    return positions.filter((position) => position > 0)
  }
})

test('however often everything is replaced, the rows are those of what is there', async () => {
  await using store = await openStore(new Disk(), { clock: createVirtualClock() })
  const { index, add, remove, table } = await openIndex(store)
  let position = 0
  const live: number[] = []
  for (let round = 0; round < 60; round++) {
    for (let item = 0; item < 20; item++) {
      if (live[item] !== undefined) await remove(live[item] as number)
      live[item] = ++position
      add(position)
    }
    await index.settled()
  }
  await index.flush()
  const rows = (await table.keys()).length
  expect(index.size).toBe(20)
  // Segments of which nothing is left have no rows; some wait for their neighbours.
  expect(rows).toBeLessThan(400)
})
