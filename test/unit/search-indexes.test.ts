/** What an aggregator keeps is searchable for as long as it is there: deletes, expiry and starts included. */
import { expect, test } from 'vitest'
import { Documents } from '../../daemon/search/documents.ts'
import { Indexes } from '../../daemon/search/indexes.ts'
import { createLog } from '../../daemon/log.ts'
import { systemClock } from '../../daemon/clock.ts'
import type { VerifiedRecord } from '../../protocol/record/types.ts'
import { parseQuery } from '../../protocol/search/clauses.ts'
import { MemoryKv } from '../../storage/kv-memory.ts'
import { openStore } from '../../storage/store.ts'
import { crypto, deletion, item, newWriter } from '../support/search-node.ts'

const hour = 3_600_000

async function openAll(memoryWords: number) {
  let passedMs = 0
  const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + passedMs }
  const pass = (ms: number): void => void (passedMs += ms)
  const store = await openStore(new MemoryKv(), { clock })
  const documents = new Documents(store, crypto.sha256)
  await documents.begin(7)
  const open = () =>
    Indexes.open(
      {
        store,
        crypto,
        clock,
        documents,
        log: createLog({ level: 'silent', format: 'json', clock: systemClock }),
        config: { memoryWords, cacheBytes: 4_096 },
      },
      ['geo'],
    )
  let indexes = await open()
  const accept = async (record: ReturnType<typeof item>): Promise<void> => {
    const changes = await store.write((batch) => {
      const offer = {
        operation: 'put',
        record: record as VerifiedRecord,
        hierarchy: 'geo',
        scope: '/geo/africa',
        analyser: 'en',
      } as const
      const accepted = documents.acceptIn(batch, 'child', [offer], () => true)
      indexes.stage(batch, accepted)
      return accepted
    })
    for (const change of changes) indexes.apply(change)
  }
  const found = (text: string): number => {
    const index = indexes.get('geo')!
    const query = parseQuery(text, 'en')
    const filter = {
      app: item(newWriter(), 'posts', { text: '' }).header.app,
      collection: undefined,
      scope: '/geo/africa',
    }
    return index.search(query, index.statistics(filter, query.clauses), filter, { limit: 10 }).total
  }
  const restart = async (): Promise<void> => {
    await indexes.close()
    indexes = await open()
  }
  return {
    clock,
    pass,
    accept,
    found,
    restart,
    get: () => indexes,
    [Symbol.asyncDispose]: () => store.close(),
  }
}

// In memory alone; and in segments.
test.each([100_000, 20])('with %i words in memory', async (memoryWords) => {
  await using all = await openAll(memoryWords)
  const { clock, pass, accept, found, restart } = all
  const writer = newWriter()
  const soon = item(writer, 'posts', { text: 'jazz tonight' }, { expiresMs: clock.nowMs() + hour })
  const later = item(writer, 'posts', { text: 'jazz tomorrow' }, { expiresMs: clock.nowMs() + 30 * hour })
  const over = item(writer, 'posts', { text: 'jazz yesterday' }, { expiresMs: clock.nowMs() - hour })
  const post = item(writer, 'posts', { text: 'jazz as always' })
  for (const record of [soon, later, over, post]) await accept(record)
  for (let i = 0; i < 30; i++) await accept(item(writer, 'posts', { text: `a river runs by ${i}` }))
  await all.get().get('geo')!.settled()
  expect([found('jazz'), found('river'), found('yesterday')]).toEqual([3, 30, 0])
  await restart()
  expect([found('jazz'), found('river')]).toEqual([3, 30])

  pass(2 * hour)
  await all.get().dropExpired()
  expect([found('jazz'), found('tonight')]).toEqual([2, 0])
  await accept(deletion(writer, post))
  expect(found('jazz')).toBe(1)
  await restart()
  expect([found('jazz'), found('tomorrow'), found('river')]).toEqual([1, 1, 30])
  pass(48 * hour)
  // It was off meanwhile.
  await restart()
  expect([found('jazz'), found('river')]).toEqual([0, 30])
})
